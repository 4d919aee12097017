-- Brings one deleted message back: into p_to, else its own mailbox, which is undeleted with those above it, or, when its
-- name is taken by another, that one. o_err: 0 restored, 1 nothing to restore, 2 restored before, and that copy lives,
-- wherever it was moved to since.
create or replace function restore_2(
  p_account bigint, p_mailbox bigint, p_uid bigint, p_to bigint
) returns table (o_err int, o_mailbox bigint, o_uid bigint, o_clock bigint, o_hierarchy boolean)
language plpgsql volatile as $$
declare
  clock bigint;
  old placement%rowtype;
  last record;
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
  select * into last from lives_as_1(p_account, p_mailbox, p_uid);
  if last.o_uid is not null and last.o_how is null then
    o_err := 2;
    o_mailbox := last.o_mailbox;
    o_uid := last.o_uid;
    return next;
    return;
  end if;
  if p_to <> 0 and not exists (select 1 from mailbox b
                                where b.account_id = p_account and b.mailbox_id = p_to and b.deleted_at is null) then
    raise sqlstate 'GWNFD' using message = 'no such target';
  end if;
  select * into source from mailbox b where b.account_id = p_account and b.mailbox_id = p_mailbox;
  o_mailbox := case when p_to = 0 then mailbox_undelete_2(p_account, p_mailbox) else p_to end;
  select * into target from mailbox b where b.account_id = p_account and b.mailbox_id = o_mailbox;
  select a.modseq into clock from account a where a.account_id = p_account;
  o_hierarchy := clock > o_clock;
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
  o_uid := target.uidnext;
  o_clock := clock;
  insert into placement (account_id, mailbox_id, uid, item, message_id, modseq, modseq_created, modseq_content, flags,
                         internal_date, save_date, size, extra)
    values (p_account, o_mailbox, o_uid, o_uid, old.message_id, clock, clock, clock, bits, old.internal_date, now(),
            old.size, old.extra);
  update message m set refs = m.refs + 1 where m.account_id = p_account and m.message_id = old.message_id;
  -- A copy that was restored and deleted again stands for the same mail.
  update placement p set restored_as_mailbox = o_mailbox, restored_as_uid = o_uid
   where p.account_id = p_account and ((p.mailbox_id = p_mailbox and p.uid = p_uid)
                                       or (p.mailbox_id = last.o_mailbox and p.uid = last.o_uid));
  update account a set modseq = clock, used_bytes = a.used_bytes + old.size, used_count = a.used_count + 1
   where a.account_id = p_account;
  update mailbox b
     set uidnext = b.uidnext + 1, modseq_items = clock, total = b.total + 1, unseen = b.unseen + 1 - (bits & 1),
         bytes = b.bytes + old.size, keywords = target.keywords
   where b.account_id = p_account and b.mailbox_id = o_mailbox;
  return next;
end $$;
