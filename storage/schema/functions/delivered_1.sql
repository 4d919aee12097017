-- Whether the commit of a delivery with a lost answer was made. The account is locked first: if the lost session is still
-- at it, this waits for its end. Only the newest messages are asked: the commit in doubt was a moment ago.
create or replace function delivered_1(p_account bigint, p_delivery bigint)
returns table (o_mailbox bigint, o_uid bigint, o_modseq bigint)
language plpgsql volatile as $$
begin
  perform 1 from account a where a.account_id = p_account for no key update;
  return query
    select p.mailbox_id, p.uid, p.modseq from (
      select m.message_id, m.delivery_id from message m
       where m.account_id = p_account order by m.message_id desc limit 1000) m
      join placement p on p.account_id = p_account and p.message_id = m.message_id
     where m.delivery_id = p_delivery order by p.modseq_created limit 1;
end $$;
