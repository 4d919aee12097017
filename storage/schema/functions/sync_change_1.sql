-- What step Changes sends for a row that changed after p_s: 0 Add, 1 Change, 2 Delete, 3 SoftDelete, null nothing.
-- p_known: the date that the device knows of its item (sync_known_1).
create or replace function sync_change_1(
  p placement, p_known timestamptz, p_device bigint, p_s bigint, p_date timestamptz, p_item bigint
) returns int language sql immutable as $$
  select case
    when p.changed_by = p_device and p.modseq_before <= p_s then null
    when (p_known, p.item) < (p_date, p_item) then
      case when p.removed_at is null and (p.internal_date, p.item) >= (p_date, p_item) then 0 end
    when p.removed_at is not null then 2
    when (p.internal_date, p.item) < (p_date, p_item) then 3
    else 1
  end
$$;
