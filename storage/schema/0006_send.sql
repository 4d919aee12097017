-- Automatic replies of people who are away.

alter table account add column auto_reply boolean not null default false;
comment on column account.auto_reply is 'There may be an automatic reply to a delivery: the write of a delivery gives it back, so that accounts without one cost nothing.';

create table vacation (
  account_id bigint primary key,
  state smallint not null default 0,
  starts_at timestamptz,
  ends_at timestamptz,
  changed_at timestamptz not null default now()
);
comment on table vacation is 'Whether an account answers by itself, and when.';
comment on column vacation.state is 'enum vacation_state: 0 off, 1 on, 2 on from starts_at to ends_at.';

create table vacation_message (
  account_id bigint not null,
  audience smallint not null,
  enabled boolean not null default false,
  html boolean not null default false,
  body text not null default '',
  primary key (account_id, audience)
);
comment on table vacation_message is 'What it answers, and to whom.';
comment on column vacation_message.audience is 'enum vacation_audience: 0 own domain, 1 known correspondents, 2 everybody else.';

create table vacation_answered (
  account_id bigint not null,
  sender text not null,
  at timestamptz not null default now(),
  primary key (account_id, sender)
);
comment on table vacation_answered is 'Who was answered and when, in lower case: one answer a sender and period.';
