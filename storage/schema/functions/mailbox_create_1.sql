-- Creates the mailbox at a path and its missing parents.
create or replace function mailbox_create_1(
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
  parent := mailbox_walk_1(p_account, p_names[: cardinality(p_names) - 1], true, 0);
  o_id := mailbox_make_1(p_account, parent, leaf, p_role);
  select a.modseq into o_clock from account a where a.account_id = p_account;
  return next;
end $$;
