-- Messages that could not be read.

create table trouble (
  account_id bigint not null,
  mailbox_id bigint not null,
  item bigint not null,
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  times bigint not null default 1,
  protocol smallint not null,
  device text,
  why text not null,
  primary key (account_id, mailbox_id, item)
);
comment on table trouble is 'Messages that a client got in a degraded form, for the admin. At most TROUBLE_MAX an account (storage/trouble.h).';
comment on column trouble.protocol is 'enum actor_protocol of the client.';
