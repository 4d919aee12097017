-- Opens a Sync with a key: takes the next generation, drops what the key proves to be over. Unknown keys and states whose
-- tombstones are gone are a conflict (EAS status 3). Most states have nothing in b, in the cut's item and in an own copy of
-- the options: null there is 0, and for used_options what given_options has.
create or replace function sync_begin_2(
  p_account bigint, p_device bigint, p_mailbox bigint, p_key text
) returns table (o_s bigint, o_a bigint, o_b bigint, o_date timestamptz, o_item bigint, o_options bytea,
                 o_generation bigint, o_primed boolean, o_replay boolean)
language plpgsql volatile as $$
declare
  st sync_state%rowtype;
  purged bigint;
begin
  select * into st from sync_state s
   where s.account_id = p_account and s.device_id = p_device and s.mailbox_id = p_mailbox for update;
  select b.purged_modseq into purged from mailbox b
   where b.account_id = p_account and b.mailbox_id = p_mailbox and b.deleted_at is null;
  if purged is null then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  o_primed := true;
  o_replay := false;
  if st.given_key = p_key then
    -- The device has the answer that carried this key: the one before will not be asked for again.
    delete from sync_result r
     where r.account_id = p_account and r.device_id = p_device and r.mailbox_id = p_mailbox and r.key = st.used_key
       and r.key <> p_key;
    o_primed := not st.given_initial;
    st.used_key := st.given_key; st.used_s := st.given_s; st.used_a := st.given_a; st.used_b := st.given_b;
    st.used_date := st.given_date; st.used_item := st.given_item; st.used_options := null;
  elsif st.used_key = p_key then
    o_replay := true;
  else
    raise sqlstate 'GWCON' using message = 'unknown sync key';
  end if;
  if st.used_s < purged then
    raise sqlstate 'GWCON' using message = 'the tombstones it needs are gone';
  end if;
  update sync_state s
     set generation = s.generation + 1, used_key = st.used_key, used_s = st.used_s, used_a = st.used_a,
         used_b = st.used_b, used_date = st.used_date, used_item = st.used_item, used_options = st.used_options
   where s.account_id = p_account and s.device_id = p_device and s.mailbox_id = p_mailbox
  returning s.generation into o_generation;
  o_s := st.used_s; o_a := st.used_a; o_b := coalesce(st.used_b, 0); o_date := st.used_date;
  o_item := coalesce(st.used_item, 0);
  o_options := coalesce(st.used_options, st.given_options);
  return next;
end $$;
