-- People as the address book shows them.

alter table directory add column name text not null default '';
comment on column directory.name is 'Display name, UTF-8; empty: the part of the login before the "@" is shown.';
