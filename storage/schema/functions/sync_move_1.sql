-- MoveItems for one item: the device is told both sides. A repeat of a move that was done gives the same new item.
create or replace function sync_move_1(
  p_account bigint, p_device bigint, p_from bigint, p_item bigint, p_to bigint, p_protocol smallint, p_by text
) returns table (o_item bigint, o_clock bigint, o_repeat boolean)
language plpgsql volatile as $$
declare
  old placement%rowtype;
  clock bigint;
  told boolean;
begin
  select a.modseq into o_clock from account a where a.account_id = p_account for no key update;
  o_repeat := false;
  if p_from = p_to then
    raise sqlstate 'GWEXS' using message = 'source and target are the same';
  end if;
  if not exists (select 1 from mailbox b where b.account_id = p_account and b.mailbox_id = p_to and b.deleted_at is null) then
    raise sqlstate 'GWSTA' using message = 'no such target';
  end if;
  select * into old from placement p
   where p.account_id = p_account and p.mailbox_id = p_from and p.removed_at is null
     and ((p.uid = p_item and p.item = p.uid) or (p.item <> p.uid and p.item = p_item));
  if old.uid is null then
    select p.moved_to_item into o_item from placement p
     where p.account_id = p_account and p.mailbox_id = p_from and p.removed_how = 2 and p.moved_to_mailbox = p_to
       and p.changed_by = p_device
       and ((p.uid = p_item and p.item = p.uid) or (p.item <> p.uid and p.item = p_item));
    if o_item is null then
      raise sqlstate 'GWNFD' using message = 'no such item';
    end if;
    o_repeat := true;
    return next;
    return;
  end if;
  told := sync_told_1(p_account, p_device, p_from, old);
  select c.o_to, c.o_clock into o_item, clock
    from copy_1(p_account, p_from, int8multirange(int8range(old.uid, old.uid, '[]')), p_to, true, p_protocol, p_by,
                p_device, p_device) c;
  if o_item is null then
    raise sqlstate 'GWNFD' using message = 'no such item';
  end if;
  if not told then
    -- It moved more than it had seen: the new row counts as touched by somebody else, so that step New tells its state.
    clock := clock + 1;
    update placement p set modseq = clock
     where p.account_id = p_account and p.mailbox_id = p_to and p.uid = o_item;
    update account a set modseq = clock where a.account_id = p_account;
    update mailbox b set modseq_items = clock where b.account_id = p_account and b.mailbox_id = p_to;
    insert into change_log (account_id, mailbox_id, modseq, modseq_first, uids)
      values (p_account, p_to, clock, clock, int8multirange(int8range(o_item, o_item, '[]')));
  end if;
  o_clock := clock;
  return next;
end $$;
