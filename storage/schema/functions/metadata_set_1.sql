-- Sets annotations and deletes those that are not kept (p_kept 0), all or none; of several for one entry the last
-- counts. The mailbox's clock moves, so that clients see that something changed.
create or replace function metadata_set_1(
  p_account bigint, p_mailbox bigint, p_entries text[], p_values bytea[], p_kept bigint[], p_max int
) returns bigint
language plpgsql volatile as $$
declare
  clock bigint;
begin
  select a.modseq into clock from account a where a.account_id = p_account for no key update;
  if p_mailbox <> 0 and not exists (select 1 from mailbox b where b.account_id = p_account and b.mailbox_id = p_mailbox
                                                              and b.deleted_at is null) then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  delete from metadata m
   where m.account_id = p_account and m.mailbox_id = p_mailbox and m.entry = any (p_entries);
  insert into metadata (account_id, mailbox_id, entry, value)
    select p_account, p_mailbox, e.entry, e.value
      from (select distinct on (entry) entry, value, kept
              from unnest(p_entries, p_values, p_kept) with ordinality u(entry, value, kept, nth)
             order by entry, nth desc) e
     where e.kept = 1;
  if (select count(*) from metadata m where m.account_id = p_account and m.mailbox_id = p_mailbox) > p_max then
    raise sqlstate 'GWLIM' using message = 'too many annotations';
  end if;
  if p_mailbox <> 0 then
    clock := clock + 1;
    update account a set modseq = clock where a.account_id = p_account;
    update mailbox b set modseq_items = clock where b.account_id = p_account and b.mailbox_id = p_mailbox;
  end if;
  return clock;
end $$;
