-- Rows of a mailbox that changed after p_since or whose uid is p_uidnext or later, in uid order, by the change log where
-- that is whole. STABLE: it sees the snapshot of the statement that calls it. New rows that are gone again are left out.
create or replace function changes_1(
  p_account bigint, p_mailbox bigint, p_since bigint, p_uidnext bigint
) returns table (o_uid bigint, o_size int, o_flags bigint, o_modseq bigint, o_internal timestamptz, o_message bigint,
                 o_removed boolean)
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
    reach := int8multirange(int8range(1, p_uidnext));
  end if;
  if reach is not null then
    return query
      select p.uid, p.size, p.flags, p.modseq, p.internal_date, p.message_id, p.removed_at is not null
        from unnest(reach) r, lateral (
          select * from placement p
           where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid >= lower(r)
             and p.uid < least(upper(r), p_uidnext) and p.modseq > p_since offset 0) p
       order by p.uid;
  end if;
  return query
    select p.uid, p.size, p.flags, p.modseq, p.internal_date, p.message_id, false from placement p
     where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid >= p_uidnext and p.removed_at is null
     order by p.uid;
end $$;
