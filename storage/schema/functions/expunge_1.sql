-- Removes live messages (only those with \Deleted when p_only_deleted), restorable for the retention time.
-- p_device was told the outcome (0: none).
create or replace function expunge_1(
  p_account bigint, p_mailbox bigint, p_ranges int8multirange, p_only_deleted boolean,
  p_protocol smallint, p_by text, p_device bigint
) returns table (o_uid bigint, o_clock bigint)
language plpgsql volatile as $$
declare
  clock bigint;
begin
  select a.modseq into clock from account a where a.account_id = p_account for no key update;
  if not exists (select 1 from mailbox b
                  where b.account_id = p_account and b.mailbox_id = p_mailbox and b.deleted_at is null) then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  return query
    with old as materialized (
      select p.*, clock + row_number() over (order by p.uid) as clock_new
        from unnest(p_ranges) r, lateral (
          select p.uid, p.modseq, p.changed_by, p.modseq_before, p.flags, p.size from placement p
           where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid >= lower(r) and p.uid < upper(r)
             and p.removed_at is null and (not p_only_deleted or p.flags & 8 <> 0) offset 0) p
    ), gone as (
      update placement p
         set modseq = o.clock_new, removed_at = now(), removed_how = 1, removed_protocol = p_protocol,
             removed_by = p_by, changed_by = nullif(p_device, 0),
             modseq_before = case when p_device = 0 then null
                                  when o.changed_by = p_device then o.modseq_before else o.modseq end
        from old o
       where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid = o.uid
    ), sums as materialized (
      select count(*) as k, coalesce(sum(size), 0) as octets, count(*) filter (where flags & 1 = 0) as unseen,
             count(*) filter (where flags & 8 <> 0) as deleted, range_agg(int8range(uid, uid, '[]')) as uids
        from old
    ), boxed as (
      update mailbox b
         set modseq_items = clock + s.k, total = b.total - s.k, unseen = b.unseen - s.unseen,
             deleted = b.deleted - s.deleted, bytes = b.bytes - s.octets
        from sums s where s.k > 0 and b.account_id = p_account and b.mailbox_id = p_mailbox
    ), clocked as (
      update account a set modseq = clock + s.k, used_bytes = a.used_bytes - s.octets, used_count = a.used_count - s.k
        from sums s where s.k > 0 and a.account_id = p_account
    ), logged as (
      insert into change_log (account_id, mailbox_id, modseq, modseq_first, uids)
        select p_account, p_mailbox, clock + s.k, clock + 1, s.uids from sums s where s.k > 0
    )
    select o.uid, clock + s.k from old o, sums s order by o.uid;
end $$;
