-- Replaces a message under the same item: the old row becomes a tombstone `replaced`, a new row gets a new uid. The old
-- row shows its content no more, so the old message loses a reference. p_device was told the outcome (0: none).
-- Only drafts, which no device's filter hides, get a new date. Elsewhere an item keeps its date: with another one it could
-- cross the cut of a device, and which of the two a device knows cannot be told by its clock, since that passes the old row
-- while the new one moves on.
create or replace function replace_1(
  p_new bigint[], p_new_size bigint[], p_new_pieces int[], p_new_hash bytea[],
  p_piece_blob bigint[], p_piece_n int[], p_piece bytea[], p_touched bigint[],
  p_account bigint, p_mailbox bigint, p_uid bigint,
  p_blob bigint, p_prefix bytea, p_meta bytea, p_thread bigint, p_sent timestamptz, p_size bigint,
  p_internal timestamptz, p_flags bigint, p_names text, p_device bigint, p_protocol smallint, p_by text
) returns table (o_uid bigint, o_item bigint, o_modseq bigint, o_uidvalidity bigint)
language plpgsql volatile as $$
declare
  acc account%rowtype;
  box mailbox%rowtype;
  old placement%rowtype;
  octets bigint := p_size + length(p_prefix);
  bits bigint := p_flags;
  told boolean;
begin
  perform blob_put_1(p_new, p_new_size, p_new_pieces, p_new_hash, p_piece_blob, p_piece_n, p_piece, p_touched);
  select * into acc from account a where a.account_id = p_account for no key update;
  select * into box from mailbox b where b.account_id = p_account and b.mailbox_id = p_mailbox and b.deleted_at is null;
  select * into old from placement p
   where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid = p_uid and p.removed_at is null;
  if box.mailbox_id is null or old.uid is null then
    raise sqlstate 'GWNFD' using message = 'no such message';
  end if;
  if acc.quota_bytes > 0 and octets > old.size and acc.used_bytes + octets - old.size > acc.quota_bytes then
    raise sqlstate 'GWQUO' using message = 'over quota';
  end if;
  if p_names <> '' then
    select k.p_keywords, bits | k.o_bits into box.keywords, bits
      from keyword_bits_1(box.keywords, string_to_array(p_names, ' '), 'create') k;
  end if;
  told := p_device <> 0 and sync_told_1(p_account, p_device, p_mailbox, old);
  o_uid := box.uidnext;
  o_item := old.item;
  o_modseq := acc.modseq + 2;
  o_uidvalidity := box.uidvalidity;
  update placement p
     set modseq = acc.modseq + 1, removed_at = now(), removed_how = 3, removed_protocol = p_protocol, removed_by = p_by,
         changed_by = nullif(p_device, 0), modseq_before = case when p_device <> 0 then old.modseq end
   where p.account_id = p_account and p.mailbox_id = p_mailbox and p.uid = p_uid;
  update message m set refs = m.refs - 1 where m.account_id = p_account and m.message_id = old.message_id;
  insert into message (account_id, message_id, blob_id, thread, sent_at, size, refs, prefix, meta)
    values (p_account, acc.next_message, p_blob, p_thread, p_sent, octets, 1, p_prefix, p_meta);
  -- The device that made the row is still the one that knows its item.
  insert into placement (account_id, mailbox_id, uid, item, message_id, modseq, modseq_created, modseq_content, flags,
                         internal_date, save_date, size, born_by, changed_by, modseq_before, extra)
    values (p_account, p_mailbox, o_uid, o_item, acc.next_message, o_modseq, old.modseq_created, o_modseq, bits,
            case when box.role = 2 then p_internal else old.internal_date end, now(), octets, old.born_by, case when told then p_device end,
            case when not told then null
                 when old.changed_by = p_device then old.modseq_before
                 else old.modseq end,
            old.extra);
  insert into change_log (account_id, mailbox_id, modseq, modseq_first, uids)
    values (p_account, p_mailbox, o_modseq, acc.modseq + 1,
            int8multirange(int8range(p_uid, p_uid, '[]'), int8range(o_uid, o_uid, '[]')));
  update account a
     set modseq = o_modseq, next_message = a.next_message + 1, used_bytes = a.used_bytes + octets - old.size
   where a.account_id = p_account;
  update mailbox b
     set uidnext = b.uidnext + 1, modseq_items = o_modseq, bytes = b.bytes + octets - old.size,
         unseen = b.unseen + (old.flags & 1) - (bits & 1),
         deleted = b.deleted + ((bits >> 3) & 1) - ((old.flags >> 3) & 1), keywords = box.keywords
   where b.account_id = p_account and b.mailbox_id = p_mailbox;
  return next;
end $$;
