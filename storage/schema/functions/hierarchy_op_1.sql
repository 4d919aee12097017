-- What FolderSync sends a device for a mailbox whose state was told up to p_s (-1: nothing yet): 0 Add, 1 Update, 2 Delete,
-- null nothing.
create or replace function hierarchy_op_1(b mailbox, p_device bigint, p_s bigint) returns int
language sql immutable as $$
  select case
    when b.modseq_hierarchy <= p_s
      or (b.told_by = p_device and b.told_modseq = b.modseq_hierarchy and b.told_before <= p_s) then null
    when b.modseq_born <= p_s or (p_s >= 0 and b.born_by = p_device and b.born_told = b.modseq_born) then
      case when b.deleted_at is null then 1 else 2 end
    when b.deleted_at is null then 0
  end
$$;
