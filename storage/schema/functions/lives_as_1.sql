-- Where the mail of a row is now: the last row of its way through moves, new texts and restores. o_how null: it is live
-- there; else how that row was removed. No row: a tombstone on the way is gone.
create or replace function lives_as_1(
  p_account bigint, p_mailbox bigint, p_uid bigint
) returns table (o_mailbox bigint, o_uid bigint, o_how int)
language plpgsql stable as $$
declare
  p placement%rowtype;
begin
  o_mailbox := p_mailbox;
  o_uid := p_uid;
  loop
    select * into p from placement x where x.account_id = p_account and x.mailbox_id = o_mailbox and x.uid = o_uid;
    exit when p.uid is null;
    if p.removed_how = 2 then
      o_mailbox := p.moved_to_mailbox;
      o_uid := p.moved_to_item;
    elsif p.removed_how = 3 then
      select min(x.uid) into o_uid from placement x
       where x.account_id = p_account and x.mailbox_id = o_mailbox and x.item <> x.uid and x.item = p.item and x.uid > p.uid;
    elsif p.removed_at is not null and p.restored_as_uid is not null then
      o_mailbox := p.restored_as_mailbox;
      o_uid := p.restored_as_uid;
    else
      o_how := p.removed_how;
      return next;
      return;
    end if;
  end loop;
end $$;
