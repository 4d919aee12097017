-- A device's Delete of items: moved to the Trash mailbox, or removed. The device is told of the source only; what appears
-- in Trash is news to it. Items that are gone already are passed over.
-- o_clock is null when nothing was there to delete.
create or replace function sync_delete_1(
  p_account bigint, p_device bigint, p_mailbox bigint, p_items bigint[], p_to_trash boolean, p_protocol smallint, p_by text
) returns table (o_clock bigint, o_trash bigint)
language plpgsql volatile as $$
declare
  reach int8multirange;
begin
  perform 1 from account a where a.account_id = p_account for no key update;
  o_trash := 0;
  if p_to_trash then
    select b.mailbox_id into o_trash from mailbox b
     where b.account_id = p_account and b.role = 4 and b.deleted_at is null and b.mailbox_id <> p_mailbox
       and not exists (select 1 from mailbox m where m.account_id = p_account and m.mailbox_id = p_mailbox and m.role = 4)
     order by b.mailbox_id limit 1;
    o_trash := coalesce(o_trash, 0);
  end if;
  select range_agg(int8range(p.uid, p.uid, '[]')) into reach from placement p
   where p.account_id = p_account and p.mailbox_id = p_mailbox and p.removed_at is null
     and ((p.uid = any (p_items) and p.item = p.uid) or (p.item <> p.uid and p.item = any (p_items)));
  if reach is not null and o_trash <> 0 then
    select max(c.o_clock) into o_clock
      from copy_1(p_account, p_mailbox, reach, o_trash, true, p_protocol, p_by, p_device, 0) c;
  elsif reach is not null then
    select max(e.o_clock) into o_clock
      from expunge_1(p_account, p_mailbox, reach, false, p_protocol, p_by, p_device) e;
  end if;
  return next;
end $$;
