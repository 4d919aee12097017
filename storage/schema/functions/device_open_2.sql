-- Finds a device by its key or makes it with the given access; refuses one more than p_max. The device id of account
-- tests (validate) neither counts nor is refused for the count.
create or replace function device_open_2(p_account bigint, p_key text, p_type text, p_max int, p_access int)
returns bigint language plpgsql volatile as $$
declare
  id bigint;
begin
  perform 1 from account a where a.account_id = p_account for no key update;
  select d.device_id into id from device d where d.account_id = p_account and lower(d.key) = lower(p_key);
  if id is not null then
    return id;
  end if;
  if lower(p_key) <> 'validate' and
     (select count(*) from device d where d.account_id = p_account and lower(d.key) <> 'validate') >= p_max then
    raise sqlstate 'GWLIM' using message = 'too many devices';
  end if;
  update account a set next_device = a.next_device + 1 where a.account_id = p_account returning a.next_device - 1 into id;
  if id is null then
    raise sqlstate 'GWNFD' using message = 'no such account';
  end if;
  insert into device (account_id, device_id, key, type, access, notice_due)
    values (p_account, id, p_key, p_type, p_access, p_access <> 0 and lower(p_key) <> 'validate');
  return id;
end $$;
