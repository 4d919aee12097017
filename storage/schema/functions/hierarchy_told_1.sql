-- After it: the device is told the outcome, of what it claimed and of the mailbox that it made (0: none).
create or replace function hierarchy_told_1(p_account bigint, p_device bigint, p_made bigint) returns void
language plpgsql volatile as $$
begin
  update mailbox b set told_modseq = b.modseq_hierarchy
   where b.account_id = p_account and b.told_by = p_device and b.told_modseq is null;
  update mailbox b
     set told_by = p_device, told_modseq = b.modseq_hierarchy, told_before = 0, born_by = p_device, born_told = b.modseq_born
   where b.account_id = p_account and b.mailbox_id = p_made;
end $$;
