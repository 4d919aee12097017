-- Sends a message of an account, all in one: local recipients get it, the rest waits in the outbox, a copy goes into Sent,
-- the message it answers is marked, the draft it was is taken away, and the ClientId is remembered. Local recipients
-- (p_to, p_prefix, p_delivery, p_address) are in account order; one that is gone or over quota waits in the outbox, unless
-- nobody else got it.
-- Rows: o_what 0 a delivery (o_nth of p_to), 1 the copy in Sent, 2 the source, 3 the draft.
create or replace function send_1(
  p_new bigint[], p_new_size bigint[], p_new_pieces int[], p_new_hash bytea[],
  p_piece_blob bigint[], p_piece_n int[], p_piece bytea[], p_touched bigint[],
  p_account bigint, p_device bigint, p_client_id text,
  p_blob bigint, p_size int, p_meta bytea, p_thread bigint, p_sent timestamptz, p_internal timestamptz,
  p_to bigint[], p_prefix bytea[], p_delivery bigint[], p_address text[],
  p_outbox bigint, p_sender text, p_far text[],
  p_copy_blob bigint, p_copy_size bigint, p_copy_meta bytea,
  p_source_mailbox bigint, p_source_item bigint, p_source_flags bigint, p_source_keyword text, p_source_extra jsonb,
  p_draft_mailbox bigint, p_draft_item bigint, p_protocol smallint, p_by text
) returns table (o_what int, o_nth int, o_result int, o_mailbox bigint, o_uid bigint, o_modseq bigint, o_auto_reply boolean)
language plpgsql volatile as $$
declare
  k int := coalesce(cardinality(p_to), 0);
  taken int := 0;
  far text[] := p_far;
  t record;
  box mailbox%rowtype;
  old placement%rowtype;
  bits bigint := p_source_flags;
begin
  perform blob_put_1(p_new, p_new_size, p_new_pieces, p_new_hash, p_piece_blob, p_piece_n, p_piece, p_touched);
  perform 1 from account a where a.account_id = any (p_to || p_account) order by a.account_id for no key update;
  if p_client_id <> '' then
    insert into sent_client_id as s (account_id, device_id, client_id) values (p_account, p_device, p_client_id)
      on conflict (account_id, device_id, client_id) do update set at = now() where s.at < now() - interval '7 days';
    if not found then
      raise sqlstate 'GWEXS' using message = 'sent before';
    end if;
  end if;

  if p_draft_item <> 0 then
    select d.o_clock into o_modseq
      from sync_delete_1(p_account, 0, p_draft_mailbox, array[p_draft_item], false, p_protocol, p_by) d;
    if o_modseq is null then
      raise sqlstate 'GWNFD' using message = 'no such draft';
    end if;
    o_what := 3;
    o_mailbox := p_draft_mailbox;
    return next;
  end if;

  o_what := 0;
  if k > 0 then
    for t in select d.* from deliver_2('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
        array[p_blob], array[p_size], array[p_meta], array[p_thread], array[p_sent], array[p_internal], array[0::bigint],
        array_fill(1, array[k]), p_to, array_fill(1::bigint, array[k]), p_prefix, p_delivery) d loop
      o_nth := t.o_nth;
      o_result := t.o_result;
      o_mailbox := t.o_mailbox;
      o_uid := t.o_uid;
      o_modseq := t.o_modseq;
      o_auto_reply := t.o_auto_reply;
      if t.o_result = 0 then
        taken := taken + 1;
      else
        far := far || p_address[t.o_nth];
      end if;
      return next;
    end loop;
  end if;
  if taken = 0 and cardinality(p_far) = 0 then
    raise sqlstate 'GWCON' using message = 'no recipient takes it';
  end if;
  if cardinality(far) > 0 then
    insert into outbox (outbox_id, account_id, sender, recipients, blob_id)
      values (p_outbox, p_account, p_sender, far, p_blob);
  end if;

  if p_copy_blob <> 0 then
    select * into box from mailbox b
     where b.account_id = p_account and b.role = 3 and b.deleted_at is null order by b.mailbox_id limit 1;
    if found then
      o_what := 1;
      o_mailbox := box.mailbox_id;
      select c.o_uid, c.o_modseq into o_uid, o_modseq
        from append_1('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', p_account, box.mailbox_id, array[p_copy_blob],
                      array[''::bytea], array[p_copy_meta], array[p_thread], array[p_sent], array[p_copy_size],
                      array[p_internal], array[1::bigint], array[''], array[0::bigint]) c;
      return next;
    end if;
  end if;

  if p_source_item <> 0 then
    select * into box from mailbox b
     where b.account_id = p_account and b.mailbox_id = p_source_mailbox and b.deleted_at is null;
    select * into old from placement p
     where p.account_id = p_account and p.mailbox_id = p_source_mailbox and p.removed_at is null
       and ((p.uid = p_source_item and p.item = p.uid) or (p.item <> p.uid and p.item = p_source_item));
  end if;
  if box.mailbox_id = p_source_mailbox and old.uid is not null then -- it may have gone since it was read
    if p_source_keyword <> '' then
      select q.p_keywords, bits | q.o_bits into box.keywords, bits
        from keyword_bits_1(box.keywords, array[p_source_keyword], 'drop') q;
    end if;
    update account a set modseq = a.modseq + 1 where a.account_id = p_account returning a.modseq into o_modseq;
    update placement p
       set flags = p.flags | bits, extra = coalesce(p.extra, '{}'::jsonb) || p_source_extra, modseq = o_modseq,
           changed_by = null, modseq_before = null
     where p.account_id = p_account and p.mailbox_id = p_source_mailbox and p.uid = old.uid;
    update mailbox b set modseq_items = o_modseq, keywords = box.keywords
     where b.account_id = p_account and b.mailbox_id = p_source_mailbox;
    insert into change_log (account_id, mailbox_id, modseq, modseq_first, uids)
      values (p_account, p_source_mailbox, o_modseq, o_modseq, int8multirange(int8range(old.uid, old.uid, '[]')));
    o_what := 2;
    o_mailbox := p_source_mailbox;
    return next;
  end if;
end $$;
