-- What step Changes sends for a row that changed after p_s: 1 Change, 2 Delete, null nothing. What the device removed
-- itself it knows, whatever others did to it before: told in one window and not in the next, it would make a window say that
-- more is to come when nothing is.
create or replace function sync_change_1(p placement, p_device bigint, p_s bigint, p_date timestamptz, p_item bigint)
returns int language sql immutable as $$
  select case
    when (p.internal_date, p.item) < (p_date, p_item)
      or (p.changed_by = p_device and (p.modseq_before <= p_s or p.removed_at is not null)) then null
    when p.removed_at is null then 1
    else 2
  end
$$;
