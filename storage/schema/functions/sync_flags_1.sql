-- A device's Change of Read, Flag and Categories on an item: absent parts (-1, false) stay. Marked as told to the device.
-- A change that changes nothing raises no clock. Gives the clock and the modseq of the row.
create or replace function sync_flags_1(
  p_account bigint, p_device bigint, p_mailbox bigint, p_item bigint, p_read int, p_flagged int, p_extra jsonb,
  p_set_categories boolean, p_categories text[]
) returns table (o_clock bigint, o_changed boolean)
language plpgsql volatile as $$
declare
  clock bigint;
  box mailbox%rowtype;
  old placement%rowtype;
  bits bigint;
  named bigint := 0;
  categories bigint := 0;
  details jsonb;
  told boolean;
begin
  select a.modseq into clock from account a where a.account_id = p_account for no key update;
  select * into box from mailbox b
   where b.account_id = p_account and b.mailbox_id = p_mailbox and b.deleted_at is null;
  select * into old from placement p
   where p.account_id = p_account and p.mailbox_id = p_mailbox and p.removed_at is null
     and ((p.uid = p_item and p.item = p.uid) or (p.item <> p.uid and p.item = p_item));
  if box.mailbox_id is null or old.uid is null then
    raise sqlstate 'GWNFD' using message = 'no such item';
  end if;
  bits := old.flags;
  details := old.extra;
  if p_read >= 0 then
    bits := (bits & ~1::bigint) | p_read;
  end if;
  if p_flagged >= 0 then
    bits := (bits & ~4::bigint) | case when p_flagged = 1 then 4 else 0 end;
    details := coalesce(details, '{}'::jsonb) - 'flag';
    if p_flagged > 0 and p_extra is not null then
      details := details || jsonb_build_object('flag', p_extra);
    end if;
    details := nullif(details, '{}'::jsonb);
  end if;
  if p_set_categories then
    for i in 1 .. cardinality(box.keywords) loop
      if box.keywords[i] not like '$%' and lower(box.keywords[i]) not in ('junk', 'nonjunk') then
        categories := categories | (1::bigint << (i + 7));
      end if;
    end loop;
    if cardinality(p_categories) > 0 then
      select k.p_keywords, k.o_bits into box.keywords, named from keyword_bits_1(box.keywords, p_categories, 'create') k;
    end if;
    bits := (bits & ~categories) | named;
  end if;
  o_changed := bits <> old.flags or details is distinct from old.extra;
  o_clock := clock;
  if not o_changed then
    return next;
    return;
  end if;
  o_clock := clock + 1;
  told := sync_told_1(p_account, p_device, p_mailbox, old);
  update placement p
     set flags = bits, extra = details, modseq = o_clock, changed_by = case when told then p_device end,
         modseq_before = case when told and old.changed_by = p_device then old.modseq_before when told then old.modseq end
   where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid = old.uid;
  update account a set modseq = o_clock where a.account_id = p_account;
  update mailbox b
     set modseq_items = o_clock, unseen = b.unseen + (old.flags & 1) - (bits & 1), keywords = box.keywords
   where b.account_id = p_account and b.mailbox_id = p_mailbox;
  insert into change_log (account_id, mailbox_id, modseq, modseq_first, uids)
    values (p_account, p_mailbox, o_clock, o_clock, int8multirange(int8range(old.uid, old.uid, '[]')));
  return next;
end $$;
