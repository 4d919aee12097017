-- Uids of a mailbox that were removed after p_since, in order; by the change log where that is whole. Where tombstones
-- from after p_since are gone, nothing is said: the caller has to look at what is left.
create or replace function vanished_2(
  p_account bigint, p_mailbox bigint, p_since bigint
) returns table (o_uid bigint)
language plpgsql stable as $$
declare
  box mailbox%rowtype;
  reach int8multirange;
begin
  select * into box from mailbox b where b.account_id = p_account and b.mailbox_id = p_mailbox and b.deleted_at is null;
  if box.mailbox_id is null then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  if p_since < box.purged_modseq then
    raise sqlstate 'GWCON' using message = 'tombstones are gone';
  end if;
  if p_since < box.logged_modseq then
    reach := int8multirange(int8range(1, null));
  else
    select range_agg(u) into reach from (
      select unnest(l.uids) as u from change_log l
       where l.account_id = p_account and l.mailbox_id = p_mailbox and l.modseq > p_since) l;
  end if;
  return query
    select p.uid from unnest(coalesce(reach, '{}')) r, lateral (
      select p.uid from placement p
       where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid >= lower(r)
         and (upper_inf(r) or p.uid < upper(r)) and p.modseq > p_since and p.removed_at is not null offset 0) p
     order by p.uid;
end $$;
