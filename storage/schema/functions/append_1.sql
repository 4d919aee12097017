-- Appends messages to a mailbox, all or none. p_names: keyword names of each, separated by blanks.
create or replace function append_1(
  p_new bigint[], p_new_size bigint[], p_new_pieces int[], p_new_hash bytea[],
  p_piece_blob bigint[], p_piece_n int[], p_piece bytea[], p_touched bigint[],
  p_account bigint, p_mailbox bigint,
  p_blob bigint[], p_prefix bytea[], p_meta bytea[], p_thread bigint[], p_sent timestamptz[], p_size bigint[],
  p_internal timestamptz[], p_flags bigint[], p_names text[], p_born bigint[]
) returns table (o_nth int, o_uid bigint, o_modseq bigint, o_uidvalidity bigint)
language plpgsql volatile as $$
declare
  acc account%rowtype;
  box mailbox%rowtype;
  t record;
  octets bigint;
  bits bigint;
  total_octets bigint := 0;
begin
  perform blob_put_1(p_new, p_new_size, p_new_pieces, p_new_hash, p_piece_blob, p_piece_n, p_piece, p_touched);
  select * into acc from account a where a.account_id = p_account for no key update;
  select * into box from mailbox b where b.account_id = p_account and b.mailbox_id = p_mailbox and b.deleted_at is null;
  if box.mailbox_id is null then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  for t in select u.* from unnest(p_blob, p_prefix, p_meta, p_thread, p_sent, p_size, p_internal, p_flags, p_names, p_born)
      with ordinality u(blob, prefix, meta, thread, sent, size, internal, flags, names, born, nth) loop
    o_nth := t.nth;
    o_uid := box.uidnext;
    o_modseq := acc.modseq + 1;
    o_uidvalidity := box.uidvalidity;
    octets := t.size + length(t.prefix);
    bits := t.flags;
    if t.names <> '' then
      select k.p_keywords, t.flags | k.o_bits into box.keywords, bits
        from keyword_bits_1(box.keywords, string_to_array(t.names, ' '), 'create') k;
    end if;
    insert into message (account_id, message_id, blob_id, thread, sent_at, size, refs, prefix, meta)
      values (p_account, acc.next_message, t.blob, t.thread, t.sent, octets, 1, t.prefix, t.meta);
    insert into placement (account_id, mailbox_id, uid, item, message_id, modseq, modseq_created, modseq_content, flags,
                           internal_date, save_date, size, born_by)
      values (p_account, p_mailbox, o_uid, o_uid, acc.next_message, o_modseq, o_modseq, o_modseq, bits,
              t.internal, now(), octets, nullif(t.born, 0));
    box.uidnext := box.uidnext + 1;
    box.total := box.total + 1;
    box.unseen := box.unseen + 1 - (bits & 1);
    box.deleted := box.deleted + ((bits >> 3) & 1);
    acc.modseq := o_modseq;
    acc.next_message := acc.next_message + 1;
    total_octets := total_octets + octets;
    return next;
  end loop;
  if acc.quota_bytes > 0 and acc.used_bytes + total_octets > acc.quota_bytes then
    raise sqlstate 'GWQUO' using message = 'over quota';
  end if;
  update account a
     set modseq = acc.modseq, next_message = acc.next_message, used_bytes = a.used_bytes + total_octets,
         used_count = a.used_count + cardinality(p_blob)
   where a.account_id = p_account;
  update mailbox b
     set uidnext = box.uidnext, modseq_items = acc.modseq, total = box.total, unseen = box.unseen,
         deleted = box.deleted, bytes = b.bytes + total_octets, keywords = box.keywords
   where b.account_id = p_account and b.mailbox_id = p_mailbox;
end $$;
