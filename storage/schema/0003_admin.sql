-- Who may use the admin API.

create table admin_token (
  token_id bigint primary key,
  name text not null,
  hash bytea not null,
  scopes smallint not null,
  domain text,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
comment on table admin_token is 'Bearer tokens of the admin API.';
comment on column admin_token.hash is 'SHA-256 of the token, which is 256 random bits: a fast hash is enough.';
comment on column admin_token.scopes is 'Bits: 1 read, 2 restore, 4 manage.';
comment on column admin_token.domain is 'Limits the token to the accounts of this domain; null: all.';
create unique index admin_token_hash on admin_token (hash);
create unique index admin_token_name on admin_token (name) where revoked_at is null;
