-- MoveItems for one item: the device is told both sides. A repeat of a move that was done gives the same new item.
create or replace function sync_move_1(
  p_account bigint, p_device bigint, p_from bigint, p_item bigint, p_to bigint, p_protocol smallint, p_by text
) returns table (o_item bigint, o_clock bigint, o_repeat boolean)
language plpgsql volatile as $$
declare
  row_uid bigint;
begin
  select a.modseq into o_clock from account a where a.account_id = p_account for no key update;
  o_repeat := false;
  if p_from = p_to then
    raise sqlstate 'GWEXS' using message = 'source and target are the same';
  end if;
  if not exists (select 1 from mailbox b where b.account_id = p_account and b.mailbox_id = p_to and b.deleted_at is null) then
    raise sqlstate 'GWSTA' using message = 'no such target';
  end if;
  select p.uid into row_uid from placement p
   where p.account_id = p_account and p.mailbox_id = p_from and p.removed_at is null
     and ((p.uid = p_item and p.item = p.uid) or (p.item <> p.uid and p.item = p_item));
  if row_uid is null then
    select p.moved_to_item into o_item from placement p
     where p.account_id = p_account and p.mailbox_id = p_from and p.removed_how = 2 and p.moved_to_mailbox = p_to
       and ((p.uid = p_item and p.item = p.uid) or (p.item <> p.uid and p.item = p_item));
    if o_item is null then
      raise sqlstate 'GWNFD' using message = 'no such item';
    end if;
    o_repeat := true;
    return next;
    return;
  end if;
  select c.o_to, c.o_clock into o_item, o_clock
    from copy_1(p_account, p_from, int8multirange(int8range(row_uid, row_uid, '[]')), p_to, true, p_protocol, p_by,
                p_device, p_device) c;
  if o_item is null then
    raise sqlstate 'GWNFD' using message = 'no such item';
  end if;
  return next;
end $$;
