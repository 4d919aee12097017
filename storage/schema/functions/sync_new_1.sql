-- What step New sends for a row that the device does not know: 0 Add, 1 Change, 2 Delete, 3 SoftDelete, null nothing.
-- A row that the device made itself is known to it: never Add.
create or replace function sync_new_1(p placement, p_device bigint, p_date timestamptz, p_item bigint) returns int
language sql immutable as $$
  select case
    when p.born_by is not distinct from p_device then
      case when p.removed_at is null and (p.internal_date, p.item) < (p_date, p_item) then 3
           when p.modseq = p.modseq_created or (p.changed_by = p_device and p.modseq_before = p.modseq_created) then null
           when p.removed_at is null then 1
           else 2 end
    when p.removed_at is null and (p.internal_date, p.item) >= (p_date, p_item) then 0
  end
$$;
