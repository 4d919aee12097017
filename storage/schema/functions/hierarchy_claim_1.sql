-- Before a device changes a mailbox (0: makes one) and what lies below it: remembers what they were. Locks the account.
create or replace function hierarchy_claim_1(p_account bigint, p_device bigint, p_id bigint) returns void
language plpgsql volatile as $$
begin
  perform 1 from account a where a.account_id = p_account for no key update;
  with recursive tree (id) as (
    values (p_id)
    union all
    select b.mailbox_id from tree t join mailbox b
      on b.account_id = p_account and b.parent_id = t.id and b.deleted_at is null
     where p_id <> 0
  )
  update mailbox b
     set told_before = case when b.told_by = p_device and b.told_modseq = b.modseq_hierarchy then b.told_before
                            else b.modseq_hierarchy end,
         told_by = p_device, told_modseq = null
    from tree t
   where b.account_id = p_account and b.mailbox_id = t.id;
end $$;
