create table metadata (
  account_id bigint not null,
  mailbox_id bigint not null,
  entry text not null,
  value bytea not null,
  primary key (account_id, mailbox_id, entry)
);
comment on table metadata is 'Annotations of mailboxes and of the server (RFC 5464); those of a deleted mailbox come back with it.';
comment on column metadata.mailbox_id is '0: the server, as this account sees it.';
comment on column metadata.entry is 'In lower case: "/private/comment".';
alter table metadata alter value set storage extended;
