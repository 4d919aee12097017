-- Writes new octets (one zstd frame in equal inline pieces) and touches those that are stored already, before any row
-- of an account is locked. A blob that was collected meanwhile refuses the write: nothing may refer to it any more.
create or replace function blob_put_1(
  p_new bigint[], p_size bigint[], p_pieces int[], p_hash bytea[],
  p_piece_blob bigint[], p_piece_n int[], p_piece bytea[], p_touched bigint[]
) returns void language plpgsql volatile as $$
declare
  touched_count int;
begin
  if cardinality(p_new) > 0 then
    insert into blob (blob_id, size, pieces, chunked, hash)
      select id, size, pieces, false, hash from unnest(p_new, p_size, p_pieces, p_hash) n(id, size, pieces, hash);
    insert into chunk (blob_id, n, data) select b, n, d from unnest(p_piece_blob, p_piece_n, p_piece) c(b, n, d);
  end if;
  if cardinality(p_touched) > 0 then
    with held as materialized (
      select blob_id from blob where blob_id = any (p_touched) order by blob_id for no key update
    ), done as (
      update blob b set touched_at = now(), condemned_at = null from held where b.blob_id = held.blob_id returning 1
    ) select count(*) from done into touched_count;
    if touched_count <> (select count(distinct t) from unnest(p_touched) t) then
      raise sqlstate 'GWNFD' using message = 'octets were collected';
    end if;
  end if;
end $$;
