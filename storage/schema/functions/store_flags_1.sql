-- Changes flags of live messages: p_mode 0 adds, 1 removes, 2 replaces. Gives every row that was changed, and those left
-- alone because their modseq is above p_unchanged_since (-1: no condition). Setting or clearing \Flagged forgets the
-- details of a follow-up. p_device was told the outcome (0: none).
create or replace function store_flags_1(
  p_account bigint, p_mailbox bigint, p_ranges int8multirange, p_mode int, p_flags bigint, p_names text[],
  p_create boolean, p_unchanged_since bigint, p_device bigint
) returns table (o_uid bigint, o_flags bigint, o_modseq bigint, o_conflict boolean, o_clock bigint)
language plpgsql volatile as $$
declare
  clock bigint;
  words text[];
  words_before text[];
  bits bigint := 0;
  add_bits bigint;
  keep_bits bigint;
begin
  select a.modseq into clock from account a where a.account_id = p_account for no key update;
  select b.keywords into words from mailbox b
   where b.account_id = p_account and b.mailbox_id = p_mailbox and b.deleted_at is null;
  if words is null then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  words_before := words;
  if cardinality(p_names) > 0 then
    select k.p_keywords, k.o_bits into words, bits
      from keyword_bits_1(words, p_names, case when p_mode = 1 then 'ignore' else 'create' end) k;
    if words <> words_before and not p_create then
      raise sqlstate 'GWLIM' using message = 'unknown keyword';
    end if;
  end if;
  bits := bits | p_flags;
  add_bits := case when p_mode = 1 then 0 else bits end;
  keep_bits := case p_mode when 0 then -1 when 1 then ~bits else 0 end;

  return query
    with reach as materialized (
      select p.uid, p.flags, p.modseq, p.changed_by, p.modseq_before,
             p_unchanged_since >= 0 and p.modseq > p_unchanged_since as conflict
        from unnest(p_ranges) r, lateral (
          select p.* from placement p
           where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid >= lower(r) and p.uid < upper(r)
             and p.removed_at is null
             and ((p.flags & keep_bits) | add_bits <> p.flags
                  or (p_unchanged_since >= 0 and p.modseq > p_unchanged_since)) offset 0) p
    ), old as materialized (
      select *, clock + row_number() over (order by uid) as clock_new from reach where not conflict
    ), changed as (
      update placement p
         set flags = (o.flags & keep_bits) | add_bits, modseq = o.clock_new, changed_by = nullif(p_device, 0),
             modseq_before = case when p_device = 0 then null
                                  when o.changed_by = p_device then o.modseq_before else o.modseq end,
             extra = case when p.extra is not null and (((o.flags & keep_bits) | add_bits) # o.flags) & 4 <> 0
                          then nullif(p.extra - 'flag', '{}'::jsonb) else p.extra end
        from old o
       where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid = o.uid
      returning p.uid, p.flags, p.modseq, o.flags as flags_before
    ), sums as materialized (
      select count(*) as k, coalesce(sum((flags_before & 1) - (flags & 1)), 0) as unseen,
             coalesce(sum(((flags >> 3) & 1) - ((flags_before >> 3) & 1)), 0) as deleted,
             range_agg(int8range(uid, uid, '[]')) as uids
        from changed
    ), boxed as (
      update mailbox b
         set modseq_items = clock + s.k, unseen = b.unseen + s.unseen, deleted = b.deleted + s.deleted,
             keywords = words
        from sums s where s.k > 0 and b.account_id = p_account and b.mailbox_id = p_mailbox
    ), clocked as (
      update account a set modseq = clock + s.k from sums s where s.k > 0 and a.account_id = p_account
    ), logged as (
      insert into change_log (account_id, mailbox_id, modseq, modseq_first, uids)
        select p_account, p_mailbox, clock + s.k, clock + 1, s.uids from sums s where s.k > 0
    )
    select x.uid, x.flags, x.modseq, x.conflict, clock + s.k from (
      select c.uid, c.flags, c.modseq, false as conflict from changed c
      union all
      select r.uid, r.flags, r.modseq, true from reach r where r.conflict
    ) x, sums s order by x.uid;
end $$;
