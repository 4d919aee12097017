-- Rows of a mailbox that changed after p_since, by the change log where that is whole, as whole rows; replaced ones are
-- skipped, since another row stands for their item. STABLE: it sees its caller's snapshot.
create or replace function sync_rows_1(p_account bigint, p_mailbox bigint, p_since bigint) returns setof placement
language plpgsql stable as $$
declare
  whole boolean;
  reach int8multirange;
begin
  select p_since >= b.logged_modseq into whole from mailbox b
   where b.account_id = p_account and b.mailbox_id = p_mailbox;
  if whole then
    select range_agg(u) into reach from (
      select unnest(l.uids) as u from change_log l
       where l.account_id = p_account and l.mailbox_id = p_mailbox and l.modseq > p_since) l;
  else
    reach := int8multirange(int8range(1, null));
  end if;
  if reach is null then
    return;
  end if;
  return query
    select p.* from unnest(reach) r, lateral (
      select * from placement p
       where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid >= coalesce(lower(r), 1)
         and (upper(r) is null or p.uid < upper(r)) and p.modseq > p_since
         and p.removed_how is distinct from 3 offset 0) p;
end $$;
