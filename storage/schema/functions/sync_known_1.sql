-- The date that a device whose state is p_s knows of a row's item. A new text may have another date than the one before,
-- and lie on the other side of the cut: the row that stood for the item at p_s is the first that was replaced since.
create or replace function sync_known_1(p placement, p_s bigint) returns timestamptz
language sql stable as $$
  select coalesce((
    select r.internal_date from placement r
     where r.account_id = p.account_id and r.mailbox_id = p.mailbox_id and r.removed_how = 3 and r.modseq > p_s
       and ((r.uid = p.item and r.item = r.uid) or (r.item <> r.uid and r.item = p.item))
     order by r.modseq limit 1), p.internal_date)
$$;
