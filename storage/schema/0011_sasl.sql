-- App passwords: one for each program of a user, so that one can be ended without the others.

create table app_password (
  account_id bigint not null,
  app_id bigint not null,
  name text not null,
  hash bytea not null,
  created_at timestamptz not null default now(),
  last_used timestamptz,
  primary key (account_id, app_id)
);
comment on table app_password is 'Random passwords of an account that count on every protocol; a revoked one is gone, the audit knows of it.';
comment on column app_password.hash is 'SHA-256 of the password, which is 120 random bits: a fast hash is enough and finds its row by index.';
comment on column app_password.last_used is 'To the minute: gathered in memory.';
create unique index app_password_name on app_password (account_id, name);
create unique index app_password_hash on app_password (account_id, hash);
