-- Appends one message to a mailbox in the place of one of another mailbox, both or nothing: only the difference counts for
-- the quota.
create or replace function replace_into_1(
  p_new bigint[], p_new_size bigint[], p_new_pieces int[], p_new_hash bytea[],
  p_piece_blob bigint[], p_piece_n int[], p_piece bytea[], p_touched bigint[],
  p_account bigint, p_mailbox bigint,
  p_blob bigint[], p_prefix bytea[], p_meta bytea[], p_thread bigint[], p_sent timestamptz[], p_size bigint[],
  p_internal timestamptz[], p_flags bigint[], p_names text[], p_born bigint[],
  p_from bigint, p_uid bigint, p_protocol smallint, p_by text
) returns table (o_nth int, o_uid bigint, o_modseq bigint, o_uidvalidity bigint)
language plpgsql volatile as $$
begin
  perform 1 from expunge_1(p_account, p_from, int8multirange(int8range(p_uid, p_uid, '[]')), false, p_protocol, p_by, 0);
  if not found then
    raise sqlstate 'GWNFD' using message = 'no such message';
  end if;
  return query
    select a.o_nth, a.o_uid, a.o_modseq, a.o_uidvalidity
      from append_1(p_new, p_new_size, p_new_pieces, p_new_hash, p_piece_blob, p_piece_n, p_piece, p_touched, p_account,
                    p_mailbox, p_blob, p_prefix, p_meta, p_thread, p_sent, p_size, p_internal, p_flags, p_names, p_born) a;
end $$;
