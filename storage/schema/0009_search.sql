create table search_pack (
  account_id bigint not null,
  pack bigint not null,
  upto bigint not null,
  lines bytea not null,
  signatures bytea not null,
  primary key (account_id, pack)
);
comment on table search_pack is 'What SEARCH looks at first, of 256 messages together; a job writes it behind the deliveries. Layout: storage/search_pack.c.';
comment on column search_pack.pack is 'Message ids pack * 256 to pack * 256 + 255.';
comment on column search_pack.upto is 'Message ids below this one are in it, as far as they exist. Packs are made in order, so the last one says where the tail begins.';
comment on column search_pack.lines is 'Folded From, To, Cc, Bcc and Subject, and the day of the Date field; packed as message.meta is.';
comment on column search_pack.signatures is 'Which sequences of three characters the text of each message may have.';
alter table search_pack alter lines set storage external, alter signatures set storage external;

create table search_stale (
  account_id bigint not null,
  pack bigint not null,
  primary key (account_id, pack)
);
comment on table search_stale is 'Packs with messages whose content is gone: they are written anew without them.';

create function search_message_gone() returns trigger language plpgsql as $$
begin
  insert into search_stale (account_id, pack)
    select distinct g.account_id, g.message_id >> 8 from gone g
     where exists (select 1 from search_pack s where s.account_id = g.account_id and s.pack = g.message_id >> 8)
    on conflict do nothing;
  return null;
end $$;
create trigger message_gone after delete on message
  referencing old table as gone for each statement execute function search_message_gone();
