-- A device uses a key again although it did something with it: the reply was lost, so it does not know what it did. Locks
-- the account when there is something to doubt. p_but: what the request repeats, which it is about to be told.
create or replace function hierarchy_doubt_1(p_account bigint, p_device bigint, p_key text, p_but text) returns void
language plpgsql volatile as $$
declare
  done bigint[];
begin
  select array_agg(r.item) into done from sync_result r
   where r.account_id = p_account and r.device_id = p_device and r.mailbox_id = 0 and r.key = p_key and r.client_id <> p_but;
  if done is null then
    return;
  end if;
  perform 1 from account a where a.account_id = p_account for no key update;
  update mailbox b
     set told_by = case when b.told_by = p_device then null else b.told_by end,
         born_by = case when b.born_by = p_device then null else b.born_by end
   where b.account_id = p_account and b.mailbox_id = any (done);
end $$;
