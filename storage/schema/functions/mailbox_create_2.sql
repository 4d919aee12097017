-- Creates the mailbox at a path and its missing parents. A role is had by one mailbox at most.
create or replace function mailbox_create_2(
  p_account bigint, p_names text[], p_role int
) returns table (o_id bigint, o_clock bigint)
language plpgsql volatile as $$
declare
  parent bigint;
  leaf text;
begin
  perform 1 from account a where a.account_id = p_account for no key update;
  leaf := normalize(p_names[cardinality(p_names)], nfc);
  if mailbox_walk_1(p_account, p_names, false, 0) is not null then
    raise sqlstate 'GWEXS' using message = 'the name is taken';
  end if;
  if p_role <> 0 and exists (select 1 from mailbox b
                              where b.account_id = p_account and b.role = p_role and b.deleted_at is null) then
    raise sqlstate 'GWSTA' using message = 'another mailbox has this role';
  end if;
  parent := mailbox_walk_1(p_account, p_names[: cardinality(p_names) - 1], true, 0);
  o_id := mailbox_make_1(p_account, parent, leaf, p_role);
  select a.modseq into o_clock from account a where a.account_id = p_account;
  return next;
end $$;
