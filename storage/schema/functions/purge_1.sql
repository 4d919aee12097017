-- Lets go of the content of at most p_rows deletions of an account older than p_content, and of at most p_rows tombstones
-- older than p_tombstone. message_id 0 marks a tombstone whose content is gone. Only removing tombstones raises
-- purged_modseq, in the same transaction; nobody asks for changes from below it, so the change log goes up to there too.
-- o_passed: rows looked at for their content.
create or replace function purge_1(p_account bigint, p_content timestamptz, p_tombstone timestamptz, p_rows int)
returns table (o_messages bigint, o_tombstones bigint, o_passed bigint)
language plpgsql volatile as $$
declare
  ids bigint[];
begin
  perform 1 from account a where a.account_id = p_account for no key update;
  with old as (
    select p.mailbox_id, p.uid, p.message_id, p.removed_how from placement p
     where p.account_id = p_account and p.removed_at < p_content and p.message_id <> 0 order by p.removed_at limit p_rows
  ), marked as (
    update placement p set message_id = 0 from old o
     where p.account_id = p_account and p.mailbox_id = o.mailbox_id and p.uid = o.uid
  ), counted as (
    select message_id, count(*) filter (where removed_how in (1, 4))::int as n from old group by message_id
  ), lowered as (
    update message m set refs = m.refs - c.n from counted c
     where m.account_id = p_account and m.message_id = c.message_id
    returning m.message_id, m.refs
  )
  select array_agg(l.message_id), (select count(*) from old) into ids, o_passed from lowered l;
  -- A replaced row's message lost its reference when it was replaced: it goes now, too.
  delete from message m where m.account_id = p_account and m.message_id = any (ids) and m.refs <= 0;
  get diagnostics o_messages = row_count;
  with old as (
    select p.mailbox_id, p.uid, p.modseq from placement p
     where p.account_id = p_account and p.removed_at < p_tombstone and p.message_id = 0 order by p.removed_at limit p_rows
  ), gone as (
    delete from placement p using old o
     where p.account_id = p_account and p.mailbox_id = o.mailbox_id and p.uid = o.uid
  ), reached as materialized (
    select mailbox_id, max(modseq) as modseq from old group by mailbox_id
  ), raised as (
    update mailbox b set purged_modseq = greatest(b.purged_modseq, o.modseq), logged_modseq = greatest(b.logged_modseq, o.modseq)
      from reached o where b.account_id = p_account and b.mailbox_id = o.mailbox_id
  ), unlogged as (
    delete from change_log l using reached o
     where l.account_id = p_account and l.mailbox_id = o.mailbox_id and l.modseq <= o.modseq
  )
  select count(*) into o_tombstones from old;
  return next;
end $$;
