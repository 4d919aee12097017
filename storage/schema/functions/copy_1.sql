-- Copies or moves live messages, all or nothing. Sources get their modseqs first, then the new rows, each in uid order.
-- p_device was told that the sources are gone, p_born was told the new ids (0: nobody).
create or replace function copy_1(
  p_account bigint, p_from bigint, p_ranges int8multirange, p_to bigint, p_move boolean,
  p_protocol smallint, p_by text, p_device bigint, p_born bigint
) returns table (o_from bigint, o_to bigint, o_uidvalidity bigint, o_clock bigint)
language plpgsql volatile as $$
declare
  acc account%rowtype;
  source mailbox%rowtype;
  target mailbox%rowtype;
  k bigint;
  octets bigint;
  unseen_count bigint;
  deleted_count bigint;
  used_bits bigint;
  bits_from bigint[] := '{}';
  bits_to bigint[] := '{}';
  bits bigint;
  clock bigint;
  clock_new bigint;
begin
  select * into acc from account a where a.account_id = p_account for no key update;
  select * into source from mailbox b where b.account_id = p_account and b.mailbox_id = p_from and b.deleted_at is null;
  select * into target from mailbox b where b.account_id = p_account and b.mailbox_id = p_to and b.deleted_at is null;
  if source.mailbox_id is null or target.mailbox_id is null then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  select count(*), coalesce(sum(p.size), 0), count(*) filter (where p.flags & 1 = 0),
         count(*) filter (where p.flags & 8 <> 0), coalesce(bit_or(p.flags), 0)
    into k, octets, unseen_count, deleted_count, used_bits
    from unnest(p_ranges) r, lateral (
      select p.size, p.flags from placement p
       where p.account_id = p_account and p.mailbox_id = p_from and p.uid >= lower(r) and p.uid < upper(r)
         and p.removed_at is null offset 0) p;
  if k = 0 then
    return;
  end if;
  if not p_move and acc.quota_bytes > 0 and acc.used_bytes + octets > acc.quota_bytes then
    raise sqlstate 'GWQUO' using message = 'over quota';
  end if;

  if used_bits & ~255::bigint <> 0 and p_from <> p_to then
    for i in 1 .. cardinality(source.keywords) loop
      continue when used_bits & (1::bigint << (i + 7)) = 0;
      select q.p_keywords, q.o_bits into target.keywords, bits
        from keyword_bits_1(target.keywords, array[source.keywords[i]], 'drop') q;
      bits_from := bits_from || (1::bigint << (i + 7));
      bits_to := bits_to || bits;
    end loop;
  end if;

  clock := acc.modseq;
  clock_new := case when p_move then clock + k else clock end;
  o_uidvalidity := target.uidvalidity;
  o_clock := clock_new + k;
  return query
    with old as materialized (
      select p.*, row_number() over (order by p.uid) as n
        from unnest(p_ranges) r, lateral (
          select p.* from placement p
           where p.account_id = p_account and p.mailbox_id = p_from and p.uid >= lower(r) and p.uid < upper(r)
             and p.removed_at is null order by p.uid offset 0) p
    ), made as (
      insert into placement (account_id, mailbox_id, uid, item, message_id, modseq, modseq_created, modseq_content,
                             flags, internal_date, save_date, size, born_by, extra)
        select p_account, p_to, target.uidnext + n - 1, target.uidnext + n - 1, message_id, clock_new + n,
               clock_new + n, clock_new + n,
               case when bits_from = bits_to then flags else flag_bits_1(flags, bits_from, bits_to) end,
               internal_date, now(), size, nullif(p_born, 0), extra
          from old order by n
    ), gone as (
      update placement p
         set modseq = clock + o.n, removed_at = now(), removed_how = 2, removed_protocol = p_protocol,
             removed_by = p_by, moved_to_mailbox = p_to, moved_to_item = target.uidnext + o.n - 1,
             changed_by = nullif(p_device, 0),
             modseq_before = case when p_device = 0 then null
                                  when o.changed_by = p_device then o.modseq_before else o.modseq end
        from old o
       where p_move and p.account_id = p_account and p.mailbox_id = p_from and p.uid = o.uid
    ), kept as (
      update message m set refs = m.refs + c.n
        from (select message_id, count(*)::int as n from old group by message_id) c
       where not p_move and m.account_id = p_account and m.message_id = c.message_id
    ), logged as (
      insert into change_log (account_id, mailbox_id, modseq, modseq_first, uids)
        select p_account, p_from, clock + k, clock + 1, range_agg(int8range(uid, uid, '[]')) from old having p_move
    )
    select o.uid, target.uidnext + o.n - 1, o_uidvalidity, o_clock from old o order by o.n;

  update account a
     set modseq = o_clock, used_bytes = a.used_bytes + case when p_move then 0 else octets end,
         used_count = a.used_count + case when p_move then 0 else k end
   where a.account_id = p_account;
  if p_move then
    update mailbox b
       set modseq_items = clock + k, total = b.total - k, unseen = b.unseen - unseen_count,
           deleted = b.deleted - deleted_count, bytes = b.bytes - octets
     where b.account_id = p_account and b.mailbox_id = p_from;
  end if;
  update mailbox b
     set uidnext = b.uidnext + k, modseq_items = o_clock, total = b.total + k, unseen = b.unseen + unseen_count,
         deleted = b.deleted + deleted_count, bytes = b.bytes + octets, keywords = target.keywords
   where b.account_id = p_account and b.mailbox_id = p_to;
end $$;
