-- Deletes a mailbox, and those below it when p_recursive; their messages become tombstones that can be restored.
create or replace function mailbox_delete_1(
  p_account bigint, p_id bigint, p_recursive boolean, p_protocol smallint, p_by text
) returns table (o_id bigint, o_clock bigint)
language plpgsql volatile as $$
declare
  clock bigint;
  box mailbox%rowtype;
  k bigint;
begin
  select a.modseq into clock from account a where a.account_id = p_account for no key update;
  select * into box from mailbox b where b.account_id = p_account and b.mailbox_id = p_id and b.deleted_at is null;
  if box.mailbox_id is null then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  if box.role = 1 then
    raise sqlstate 'GWSTA' using message = 'INBOX cannot be deleted';
  end if;
  if not p_recursive and exists (select 1 from mailbox b where b.account_id = p_account and b.parent_id = p_id
                                                           and b.deleted_at is null) then
    raise sqlstate 'GWSTA' using message = 'it has mailboxes below it';
  end if;
  for box in
    with recursive tree (id) as (
      values (p_id)
      union all
      select b.mailbox_id from tree t join mailbox b
        on b.account_id = p_account and b.parent_id = t.id and b.deleted_at is null
    )
    select b.* from tree t join mailbox b on b.account_id = p_account and b.mailbox_id = t.id order by b.mailbox_id
  loop
    with old as materialized (
      select p.uid, clock + row_number() over (order by p.uid) as clock_new from placement p
       where p.account_id = p_account and p.mailbox_id = box.mailbox_id and p.removed_at is null
    ), gone as (
      update placement p
         set modseq = o.clock_new, removed_at = now(), removed_how = 4, removed_protocol = p_protocol,
             removed_by = p_by, changed_by = null, modseq_before = null
        from old o
       where p.account_id = p_account and p.mailbox_id = box.mailbox_id and p.uid = o.uid
    ), logged as (
      insert into change_log (account_id, mailbox_id, modseq, modseq_first, uids)
        select p_account, box.mailbox_id, clock + count(*), clock + 1, range_agg(int8range(uid, uid, '[]')) from old
        having count(*) > 0
    )
    select count(*) into k from old;
    update account a set used_bytes = a.used_bytes - box.bytes, used_count = a.used_count - box.total
     where a.account_id = p_account;
    clock := clock + k + 1;
    update mailbox b
       set modseq_items = case when k > 0 then clock - 1 else b.modseq_items end, modseq_hierarchy = clock,
           total = 0, unseen = 0, deleted = 0, bytes = 0,
           deleted_at = now(), deleted_protocol = p_protocol, deleted_by = p_by
     where b.account_id = p_account and b.mailbox_id = box.mailbox_id;
    o_id := box.mailbox_id;
    o_clock := clock;
    return next;
  end loop;
  update account a set modseq = clock where a.account_id = p_account;
end $$;
