-- The core of the store: who has an account, mailboxes, messages and where they stand, octets, and what changed.
-- account_id leads every key of a per-account table, so that one account's rows lie together and the same schema can
-- be spread by account. No column that a flag change or a delivery changes is indexed, so that those updates stay HOT.

create table store_meta (
  only_row boolean primary key default true check (only_row),
  store_id uuid not null default gen_random_uuid(),
  epoch bigint not null default 1,
  system_identifier bigint,
  timeline bigint,
  created_at timestamptz not null default now()
);
comment on table store_meta is 'One row: what this store is, and which history of it we are in.';
comment on column store_meta.epoch is 'Rises when the store may have gone back in time; every clock and uidnext then jumps.';
comment on column store_meta.system_identifier is 'The PostgreSQL cluster this store last ran on; another one means another history.';
comment on column store_meta.timeline is 'The timeline it last ran on; a promotion or a recovery raises it.';
insert into store_meta default values;

create table domain (
  domain text primary key,
  created_at timestamptz not null default now()
);
comment on table domain is 'Mail domains that are local, in lower case.';

create table directory (
  account_id bigint generated always as identity primary key,
  login text not null,
  domain text not null,
  password_hash text not null default '',
  status smallint not null default 0,
  auth_version bigint not null default 1,
  eas_enabled boolean not null default true,
  created_at timestamptz not null default now(),
  deleted_at timestamptz
);
comment on table directory is 'Login to account: small and rarely written; the busy counters are in account.';
comment on column directory.login is '"local@domain" in lower case.';
comment on column directory.password_hash is 'crypt(3) form; empty refuses every password.';
comment on column directory.status is '0 active, 1 disabled, 2 deleted; a deleted account''s login is free again.';
comment on column directory.auth_version is 'Rises with every change that must end sessions and drop cached credentials.';
create unique index directory_login on directory (login) where status <> 2;
create index directory_domain on directory (domain) where status <> 2;

create table account (
  account_id bigint primary key,
  modseq bigint not null default 1,
  next_message bigint not null default 1,
  next_mailbox bigint not null default 1,
  next_device bigint not null default 1,
  uidvalidity_last bigint not null default 0,
  used_bytes bigint not null default 0,
  used_count bigint not null default 0,
  quota_bytes bigint not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table account is 'The hot row of an account: its change clock, its ids, its usage. Every write locks it first.';
comment on column account.modseq is 'The change clock: the highest modseq given to any row of the account.';
comment on column account.uidvalidity_last is 'The last uidvalidity given out; the next is max(unix time, this + 1).';
comment on column account.used_bytes is 'Octets of live placements; kept deletions do not count.';
comment on column account.quota_bytes is '0: no limit.';

create table mailbox (
  account_id bigint not null,
  mailbox_id bigint not null,
  parent_id bigint not null default 0,
  name text not null,
  role smallint not null default 0,
  subscribed boolean not null default true,
  uidvalidity bigint not null,
  uidnext bigint not null default 1,
  recent_uid bigint not null default 1,
  modseq_items bigint not null,
  modseq_hierarchy bigint not null,
  modseq_born bigint not null,
  purged_modseq bigint not null default 0,
  logged_modseq bigint not null default 0,
  total bigint not null default 0,
  unseen bigint not null default 0,
  deleted bigint not null default 0,
  bytes bigint not null default 0,
  keywords text[] not null default '{}',
  deleted_at timestamptz,
  deleted_protocol smallint,
  deleted_by text,
  primary key (account_id, mailbox_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
comment on table mailbox is 'A tree of mailboxes per account; a deleted one stays as long as its messages are kept.';
comment on column mailbox.mailbox_id is 'Never reused within the account; the EAS FolderId.';
comment on column mailbox.parent_id is '0: top level.';
comment on column mailbox.name is 'Its own level, without delimiter; INBOX is the row with parent 0, name INBOX, role 1.';
comment on column mailbox.role is 'enum mailbox_role: 1 inbox, 2 drafts, 3 sent, 4 trash, 5 junk, 6 archive, 7 all, 8 flagged.';
comment on column mailbox.recent_uid is 'Uids from here on were in no read-write SELECT yet (\Recent).';
comment on column mailbox.modseq_items is 'Last change of its contents: IMAP HIGHESTMODSEQ.';
comment on column mailbox.modseq_hierarchy is 'Last change of name, parent, role or deletion: FolderSync.';
comment on column mailbox.modseq_born is 'Hierarchy clock when it was created or last undeleted: newer than a client''s state means Add.';
comment on column mailbox.purged_modseq is 'Tombstones up to this modseq are gone; a client whose state is older starts over.';
comment on column mailbox.logged_modseq is 'change_log is whole above this modseq; older questions read the placements.';
comment on column mailbox.deleted is 'Live messages that carry \Deleted.';
comment on column mailbox.keywords is '[i] names bit 7 + i of placement.flags (PostgreSQL counts from 1), so 56 at most.';
create unique index mailbox_name on mailbox (account_id, parent_id, name) where deleted_at is null;

create table message (
  account_id bigint not null,
  message_id bigint not null,
  blob_id bigint not null,
  thread bigint not null,
  delivery_id bigint,
  sent_at timestamptz,
  size int not null,
  refs int not null,
  prefix bytea not null default '',
  meta bytea not null,
  primary key (account_id, message_id)
) with (fillfactor = 95);
comment on table message is 'What is immutable about a message: its octets and their description.';
comment on column message.delivery_id is 'Random number of the delivery plus the recipient''s place in it: finds out whether a commit with a lost answer took place.';
comment on column message.size is 'Octets of prefix and blob together.';
comment on column message.refs is 'Placements that may still show the content: live ones, and deleted ones within retention, not those moved or replaced. Content goes at 0, never before.';
comment on column message.prefix is 'This recipient''s own header lines, in front of the shared octets.';
comment on column message.meta is 'Packed description; first byte: 0 zstd without dictionary, else the number of a shipped dictionary.';
alter table message alter meta set storage external, alter prefix set storage external;
create index message_blob on message (blob_id);

create table placement (
  account_id bigint not null,
  mailbox_id bigint not null,
  uid bigint not null,
  item bigint not null,
  message_id bigint not null,
  modseq bigint not null,
  modseq_created bigint not null,
  modseq_content bigint not null,
  flags bigint not null,
  internal_date timestamptz not null,
  save_date timestamptz not null,
  size int not null,
  removed_how smallint,
  removed_protocol smallint,
  modseq_before bigint,
  changed_by bigint,
  born_by bigint,
  removed_at timestamptz,
  moved_to_mailbox bigint,
  moved_to_item bigint,
  restored_as_mailbox bigint,
  restored_as_uid bigint,
  removed_by text,
  extra jsonb,
  primary key (account_id, mailbox_id, uid)
) with (fillfactor = 80);
comment on table placement is 'A message in a mailbox. Removing sets removed_at: the row stays as tombstone and as the admin''s copy.';
comment on column placement.message_id is '0: a tombstone whose content is gone.';
comment on column placement.item is 'The uid it was born with: the EAS item id. Differs from uid only where content was replaced.';
comment on column placement.modseq is 'The account clock at its last change; every changed row takes its own. Not indexed.';
comment on column placement.modseq_created is 'The clock at its birth; never changes.';
comment on column placement.modseq_content is 'The clock when its content last changed: a Change after it carries the full item.';
comment on column placement.flags is 'Bits: 1 seen, 2 answered, 4 flagged, 8 deleted, 16 draft; bits 8 to 63 are mailbox.keywords.';
comment on column placement.removed_how is 'Null: live. 1 expunged, 2 moved, 3 replaced, 4 deleted with its mailbox. 2 and 3 are no deletions.';
comment on column placement.removed_protocol is 'enum actor_protocol.';
comment on column placement.modseq_before is 'modseq before the latest unbroken run of changes by changed_by.';
comment on column placement.changed_by is 'The EAS device that made the latest change and was told its outcome; null for everybody else.';
comment on column placement.born_by is 'The EAS device that made this row and was told its id; never changes.';
comment on column placement.moved_to_mailbox is 'Where a moved row went, so that a repeated MoveItems answers the same.';
comment on column placement.restored_as_mailbox is 'Where an admin brought it back; restoring it again while that copy lives changes nothing.';
comment on column placement.extra is 'Follow-up details and last verb of EAS; null for most.';
create index placement_removed on placement (account_id, removed_at) where removed_at is not null and message_id <> 0;
create index placement_tombstone on placement (account_id, removed_at) where removed_at is not null and message_id = 0;
create index placement_replaced on placement (account_id, mailbox_id, item) where item <> uid;
comment on index placement_removed is 'Removed rows that still have their content: for retention and the list of deleted mail; leaves flag changes HOT.';
comment on index placement_tombstone is 'Those whose content is gone: they wait for the end of the tombstones'' time, and no purge of content reads them again.';
comment on index placement_replaced is 'Finds rows by item where that is not the uid.';

create table change_log (
  account_id bigint not null,
  mailbox_id bigint not null,
  modseq bigint not null,
  modseq_first bigint not null,
  uids int8multirange not null,
  primary key (account_id, mailbox_id, modseq)
);
comment on table change_log is 'A row per transaction that changes or removes placements of a mailbox. It only speeds things up: placement.modseq stays the truth, and new mail needs no row, since its uid is past the uidnext known.';
comment on column change_log.modseq is 'The last modseq that the transaction gave to this mailbox''s rows.';
comment on column change_log.modseq_first is 'The first one.';

create table blob (
  blob_id bigint primary key,
  size bigint not null,
  touched_at timestamptz not null default now(),
  condemned_at timestamptz,
  pieces int not null,
  chunked boolean not null,
  hash bytea not null
) with (fillfactor = 90);
comment on table blob is 'Octets of messages, shared where equal ones occur. Whoever refers to one touches it in the transaction that inserts message.';
comment on column blob.blob_id is 'Time-ordered, made by the node that writes it.';
comment on column blob.size is 'Raw octets.';
comment on column blob.condemned_at is 'The collector found nothing that refers to it; deleted a day later unless touched since.';
comment on column blob.chunked is 'False: the pieces are one zstd frame cut into equal parts. True: each piece is the zstd frame of 1 MiB of raw octets.';
comment on column blob.hash is 'SHA-256 of the raw octets, for backup and verification.';
create index blob_condemned on blob (condemned_at) where condemned_at is not null;

create table chunk (
  blob_id bigint not null,
  n int not null,
  data bytea not null,
  primary key (blob_id, n)
) partition by hash (blob_id);
comment on table chunk is 'The pieces of blobs, compressed by the writer.';
do $$
begin
  for i in 0..7 loop
    execute format('create table chunk_%s partition of chunk for values with (modulus 8, remainder %s)', i, i);
    execute format('alter table chunk_%s alter data set storage external', i);
  end loop;
end $$;

create table audit (
  account_id bigint not null,
  audit_id bigint not null,
  at timestamptz not null default now(),
  protocol smallint not null,
  actor text,
  what text not null,
  detail text,
  primary key (account_id, audit_id)
);
comment on table audit is 'Who restored, wiped, purged, changed what, when. account_id 0: the whole store.';
comment on column audit.audit_id is 'Time-ordered, made by the node that writes it.';
create index audit_at on audit (at);

create table job_run (
  job_id bigint primary key,
  name text not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  result text,
  report jsonb
);
comment on table job_run is 'Nightly and other jobs: what ran, when, with what result.';
comment on column job_run.job_id is 'Time-ordered, made by the node that writes it.';
comment on column job_run.result is 'Null while it runs; "ok" or the error''s story.';
create index job_run_name on job_run (name, started_at);
