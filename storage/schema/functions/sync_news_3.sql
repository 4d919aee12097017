-- For Ping and hanging Sync: news by the steps New and Changes with the stored cut, so that a yes means that Sync sends
-- something. o_news: 1 new rows, 2 changes. A mailbox without a used state has news only for uids from p_since on.
-- o_key, o_s: the state that was asked, when it stands so far behind o_clock and o_a that it is worth moving: it passed
-- over p_rows rows for nothing, or is a day old. The last row (o_mailbox 0) tells whether FolderSync has something.
create or replace function sync_news_3(
  p_account bigint, p_device bigint, p_mailbox bigint[], p_since bigint[], p_rows bigint
) returns table (o_mailbox bigint, o_news int, o_gone boolean, o_since bigint, o_key text, o_s bigint, o_clock bigint,
                 o_a bigint)
language plpgsql stable as $$
declare
  st record;
  box mailbox%rowtype;
  known bigint;
  passed bigint;
  changed boolean;
begin
  select a.modseq into o_clock from account a where a.account_id = p_account;
  for i in 1 .. coalesce(cardinality(p_mailbox), 0) loop
    o_mailbox := p_mailbox[i];
    o_news := 0;
    o_gone := false;
    o_since := p_since[i];
    o_key := null;
    passed := 0;
    select * into box from mailbox b
     where b.account_id = p_account and b.mailbox_id = o_mailbox and b.deleted_at is null;
    if box.mailbox_id is null then
      o_gone := true;
      return next;
      continue;
    end if;
    select coalesce(s.given_s, s.used_s) as s, coalesce(s.given_a, s.used_a) as a,
           coalesce(case when s.given_key is not null then s.given_b else s.used_b end, 0) as b,
           coalesce(case when s.given_key is not null then s.given_date else s.used_date end, '-infinity') as date,
           coalesce(case when s.given_key is not null then s.given_item else s.used_item end, 0) as item,
           s.given_initial and s.used_key is null as fresh,
           coalesce(s.given_key, s.used_key) as key, s.updated_at < now() - interval '1 day' as stale
      into st from sync_state s
     where s.account_id = p_account and s.device_id = p_device and s.mailbox_id = o_mailbox;
    if st is null or st.fresh or st.s is null then
      if o_since = 0 then
        o_since := box.uidnext;
      elsif exists (select 1 from placement p where p.account_id = p_account and p.mailbox_id = o_mailbox
                       and p.uid >= o_since and p.removed_at is null) then
        o_news := 1;
      end if;
      return next;
      continue;
    end if;
    if exists (select 1 from placement x
                where x.account_id = p_account and x.mailbox_id = o_mailbox and x.uid > st.a and x.item > st.a
                  and x.removed_how is distinct from 3 and sync_new_1(x, p_device, st.date, st.item) is not null) then
      o_news := 1;
    end if;
    if box.modseq_items > st.s then
      select count(*), coalesce(bool_or(sync_change_1(x, p_device, st.s, st.date, st.item) is not null), false)
        into passed, changed from sync_rows_1(p_account, o_mailbox, st.s) x where x.item > st.b and x.item <= st.a;
      if changed then
        o_news := o_news | 2;
      end if;
    end if;
    o_s := st.s;
    o_a := box.uidnext - 1;
    if o_news = 0 and o_clock > st.s and (st.stale or passed + o_a - st.a >= p_rows) then
      o_key := st.key;
    end if;
    return next;
  end loop;
  select coalesce(s.given_s, s.used_s) into known from sync_state s
   where s.account_id = p_account and s.device_id = p_device and s.mailbox_id = 0;
  o_mailbox := 0;
  o_key := null;
  o_since := 0;
  o_news := 0;
  o_gone := known is not null and exists (
    select 1 from mailbox b where b.account_id = p_account and b.modseq_hierarchy > known
       and hierarchy_op_1(b, p_device, known) is not null);
  return next;
end $$;
