-- ActiveSync devices, their sync states, what their requests already did, and mail that waits for the relay.

create table device (
  account_id bigint not null,
  device_id bigint not null,
  key text not null,
  type text not null,
  user_agent text,
  model text,
  os text,
  friendly_name text,
  phone_number text,
  protocol_version text,
  access smallint not null default 0,
  policy_key bigint not null default 0,
  policy_key_pending bigint not null default 0,
  policy_hash bigint not null default 0,
  first_seen timestamptz not null default now(),
  last_seen timestamptz not null default now(),
  ping_heartbeat_s int not null default 0,
  ping_folders bytea not null default '',
  sync_request bytea not null default '',
  primary key (account_id, device_id),
  unique (account_id, key)
) with (fillfactor = 70);
comment on table device is 'A phone or other ActiveSync client of an account.';
comment on column device.key is 'DeviceId as the client sends it.';
comment on column device.access is 'enum device_access: 0 allowed, 1 blocked, 2 quarantined.';
comment on column device.sync_request is 'The last complete Sync request, for empty and Partial ones.';

create table sync_state (
  account_id bigint not null,
  device_id bigint not null,
  mailbox_id bigint not null,
  generation bigint not null default 0,
  given_key text,
  given_s bigint, given_a bigint, given_b bigint, given_date timestamptz, given_item bigint,
  given_options bytea,
  given_initial boolean not null default false,
  used_key text,
  used_s bigint, used_a bigint, used_b bigint, used_date timestamptz, used_item bigint,
  used_options bytea,
  version smallint not null default 1,
  updated_at timestamptz not null default now(),
  primary key (account_id, device_id, mailbox_id)
) with (fillfactor = 60);
comment on table sync_state is 'What a device knows of a mailbox (0: of the hierarchy), as a few integers: every message with b < item <= a inside the cut, as of clock s. Two keys: the one it was last given and the one it last used.';
comment on column sync_state.generation is 'Rises with each request; only the newest one may write its state.';
comment on column sync_state.given_initial is 'Made by key 0 and not used yet.';
comment on column sync_state.given_date is 'The cut''s date; -infinity: everything.';
comment on column sync_state.version is 'Of options, so that an upgrade can read what an older server wrote.';

create table sync_result (
  account_id bigint not null,
  device_id bigint not null,
  mailbox_id bigint not null,
  key text not null,
  client_id text not null,
  err smallint not null,
  item bigint not null,
  detail bytea not null default '',
  primary key (account_id, device_id, mailbox_id, key, client_id)
);
comment on table sync_result is 'What a request with a key created or sent, so that its repeat answers the same; kept until the key is dropped.';

create table sent_client_id (
  account_id bigint not null,
  device_id bigint not null,
  client_id text not null,
  at timestamptz not null default now(),
  primary key (account_id, device_id, client_id)
);
comment on table sent_client_id is 'ClientIds of sent mail, for 7 days: a repeated SendMail sends once.';

create table outbox (
  outbox_id bigint primary key,
  account_id bigint not null,
  sender text not null,
  recipients text[] not null,
  blob_id bigint not null,
  created_at timestamptz not null default now(),
  next_try timestamptz not null default now(),
  attempts int not null default 0,
  last_reply text,
  claimed_by text,
  claimed_until timestamptz
);
comment on table outbox is 'Mail that waits for the relay. A relay claims an entry by a lease that it commits first.';
create index outbox_next on outbox (next_try);
create index outbox_blob on outbox (blob_id);
