-- Brings one deleted message back: into p_to, else its own mailbox, which is undeleted, or, when its name is taken by
-- another, that one. o_err: 0 restored, 1 nothing to restore, 2 restored before.
create or replace function restore_1(
  p_account bigint, p_mailbox bigint, p_uid bigint, p_to bigint
) returns table (o_err int, o_mailbox bigint, o_uid bigint, o_clock bigint, o_hierarchy boolean)
language plpgsql volatile as $$
declare
  clock bigint;
  old placement%rowtype;
  source mailbox%rowtype;
  target mailbox%rowtype;
  bits bigint;
begin
  select a.modseq into clock from account a where a.account_id = p_account for no key update;
  o_clock := clock;
  o_hierarchy := false;
  select * into old from placement p
   where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid = p_uid and p.removed_how in (1, 4);
  if old.uid is null or not exists (select 1 from message m where m.account_id = p_account and m.message_id = old.message_id) then
    o_err := 1;
    return next;
    return;
  end if;
  if exists (select 1 from placement p where p.account_id = p_account and p.mailbox_id = old.restored_as_mailbox
                and p.uid = old.restored_as_uid and p.removed_at is null) then
    o_err := 2;
    o_mailbox := old.restored_as_mailbox;
    o_uid := old.restored_as_uid;
    return next;
    return;
  end if;
  select * into source from mailbox b where b.account_id = p_account and b.mailbox_id = p_mailbox;
  select * into target from mailbox b
   where b.account_id = p_account and b.mailbox_id = case when p_to = 0 then p_mailbox else p_to end;
  if target.deleted_at is not null and p_to <> 0 then
    raise sqlstate 'GWNFD' using message = 'no such target';
  end if;
  if target.deleted_at is not null then
    -- A parent that is gone, too, gives way to the top level.
    if target.parent_id <> 0 and not exists (
         select 1 from mailbox b
          where b.account_id = p_account and b.mailbox_id = target.parent_id and b.deleted_at is null) then
      target.parent_id := 0;
    end if;
    if exists (select 1 from mailbox b where b.account_id = p_account and b.parent_id = target.parent_id
                  and b.name = target.name and b.deleted_at is null) then
      select * into target from mailbox b
       where b.account_id = p_account and b.parent_id = target.parent_id and b.name = target.name and b.deleted_at is null;
    else
      clock := clock + 1;
      o_hierarchy := true;
      update mailbox b
         set deleted_at = null, deleted_protocol = null, deleted_by = null, parent_id = target.parent_id,
             modseq_hierarchy = clock, modseq_born = clock,
             role = case when exists (select 1 from mailbox r where r.account_id = p_account and r.role = target.role
                                         and r.deleted_at is null) then 0 else target.role end
       where b.account_id = p_account and b.mailbox_id = target.mailbox_id;
    end if;
  end if;
  bits := old.flags & ~8::bigint;
  if target.mailbox_id <> p_mailbox and bits & ~255::bigint <> 0 then
    declare
      named bigint := 0;
      bit bigint;
    begin
      for i in 1 .. cardinality(source.keywords) loop
        continue when bits & (1::bigint << (i + 7)) = 0;
        select q.p_keywords, q.o_bits into target.keywords, bit
          from keyword_bits_1(target.keywords, array[source.keywords[i]], 'drop') q;
        named := named | bit;
      end loop;
      bits := (bits & 255) | named;
    end;
  end if;
  clock := clock + 1;
  o_err := 0;
  o_mailbox := target.mailbox_id;
  o_uid := target.uidnext;
  o_clock := clock;
  insert into placement (account_id, mailbox_id, uid, item, message_id, modseq, modseq_created, modseq_content, flags,
                         internal_date, save_date, size, extra)
    values (p_account, o_mailbox, o_uid, o_uid, old.message_id, clock, clock, clock, bits, old.internal_date, now(),
            old.size, old.extra);
  update message m set refs = m.refs + 1 where m.account_id = p_account and m.message_id = old.message_id;
  update placement p set restored_as_mailbox = o_mailbox, restored_as_uid = o_uid
   where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid = p_uid;
  update account a set modseq = clock, used_bytes = a.used_bytes + old.size, used_count = a.used_count + 1
   where a.account_id = p_account;
  update mailbox b
     set uidnext = b.uidnext + 1, modseq_items = clock, total = b.total + 1, unseen = b.unseen + 1 - (bits & 1),
         bytes = b.bytes + old.size, keywords = target.keywords
   where b.account_id = p_account and b.mailbox_id = o_mailbox;
  return next;
end $$;
