-- The live mailbox for a deleted one: itself again, with the mailboxes above it, unless its name is taken by now: then
-- that one. One whose parent has been moved to the deepest of the 32 levels meanwhile comes back at the top. Undeleting
-- counts as creation. The caller holds the account.
create or replace function mailbox_undelete_2(p_account bigint, p_id bigint) returns bigint
language plpgsql volatile as $$
declare
  box mailbox%rowtype;
  parent bigint;
  taken bigint;
  clock bigint;
  levels int;
begin
  select * into box from mailbox b where b.account_id = p_account and b.mailbox_id = p_id;
  if box.deleted_at is null then
    return box.mailbox_id;
  end if;
  parent := case when box.parent_id = 0 then 0 else mailbox_undelete_2(p_account, box.parent_id) end;
  with recursive up (id, level) as (
    select parent, 0 union all
    select b.parent_id, up.level + 1 from up
      join mailbox b on b.account_id = p_account and b.mailbox_id = up.id and up.id <> 0)
  select max(up.level) into levels from up;
  if levels >= 32 then
    parent := 0;
  end if;
  select b.mailbox_id into taken from mailbox b
   where b.account_id = p_account and b.parent_id = parent and b.name = box.name and b.deleted_at is null;
  if taken is not null then
    return taken;
  end if;
  update account a set modseq = a.modseq + 1 where a.account_id = p_account returning a.modseq into clock;
  update mailbox b
     set deleted_at = null, deleted_protocol = null, deleted_by = null, parent_id = parent,
         modseq_hierarchy = clock, modseq_born = clock,
         role = case when exists (select 1 from mailbox r where r.account_id = p_account and r.role = box.role
                                     and r.deleted_at is null) then 0 else box.role end
   where b.account_id = p_account and b.mailbox_id = p_id;
  return p_id;
end $$;
