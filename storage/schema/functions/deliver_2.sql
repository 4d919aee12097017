-- Delivers messages to recipients, one element of the last five arrays each, in account order. A recipient that is gone
-- or over quota is a result, not an error: 0 stored, 1 gone, 2 over quota.
-- o_auto_reply: the account may want to answer.
create or replace function deliver_2(
  p_new bigint[], p_new_size bigint[], p_new_pieces int[], p_new_hash bytea[],
  p_piece_blob bigint[], p_piece_n int[], p_piece bytea[], p_touched bigint[],
  p_blob bigint[], p_size int[], p_meta bytea[], p_thread bigint[], p_sent timestamptz[],
  p_internal timestamptz[], p_flags bigint[],
  p_of int[], p_account bigint[], p_mailbox bigint[], p_prefix bytea[], p_delivery bigint[]
) returns table (o_nth int, o_result int, o_mailbox bigint, o_uid bigint, o_modseq bigint,
  o_auto_reply boolean)
language plpgsql volatile as $$
declare
  t record;
  octets int;
  flags_now bigint;
  message_now bigint;
begin
  perform blob_put_1(p_new, p_new_size, p_new_pieces, p_new_hash, p_piece_blob, p_piece_n, p_piece, p_touched);
  for t in select u.* from unnest(p_of, p_account, p_mailbox, p_prefix, p_delivery)
             with ordinality u(o, account, mailbox, prefix, delivery, nth) loop
    o_nth := t.nth;
    o_mailbox := t.mailbox;
    octets := p_size[t.o] + length(t.prefix);
    flags_now := p_flags[t.o];
    update account a
       set modseq = a.modseq + 1, next_message = a.next_message + 1,
           used_bytes = a.used_bytes + octets, used_count = a.used_count + 1
     where a.account_id = t.account and (a.quota_bytes = 0 or a.used_bytes + octets <= a.quota_bytes)
     returning a.modseq, a.next_message - 1, a.auto_reply into o_modseq, message_now, o_auto_reply;
    if not found then
      o_auto_reply := false;
      o_result := case when exists (select 1 from account a where a.account_id = t.account) then 2 else 1 end;
      o_uid := 0;
      o_modseq := 0;
      return next;
      continue;
    end if;
    update mailbox b
       set uidnext = b.uidnext + 1, modseq_items = o_modseq, total = b.total + 1, bytes = b.bytes + octets,
           unseen = b.unseen + 1 - (flags_now & 1), deleted = b.deleted + ((flags_now >> 3) & 1)
     where b.account_id = t.account and b.mailbox_id = t.mailbox and b.deleted_at is null
     returning b.uidnext - 1 into o_uid;
    if not found then
      -- Nobody has seen the counters yet: the account is still locked.
      update account a
         set modseq = a.modseq - 1, next_message = a.next_message - 1,
             used_bytes = a.used_bytes - octets, used_count = a.used_count - 1
       where a.account_id = t.account;
      o_result := 1;
      o_uid := 0;
      o_modseq := 0;
      return next;
      continue;
    end if;
    insert into message (account_id, message_id, blob_id, thread, delivery_id, sent_at, size, refs, prefix, meta)
      values (t.account, message_now, p_blob[t.o], p_thread[t.o], t.delivery, p_sent[t.o], octets, 1, t.prefix,
              p_meta[t.o]);
    insert into placement (account_id, mailbox_id, uid, item, message_id, modseq, modseq_created, modseq_content, flags,
                           internal_date, save_date, size)
      values (t.account, t.mailbox, o_uid, o_uid, message_now, o_modseq, o_modseq, o_modseq, flags_now,
              p_internal[t.o], now(), octets);
    o_result := 0;
    return next;
  end loop;
end $$;
