-- Writes a pack of search whose upto was p_was (0: there was none). False, and nothing done, when it is not so any more or
-- when a message in it is gone: what is purged must not come back. The account's lock keeps a purge out meanwhile.
create or replace function search_pack_put_1(p_account bigint, p_pack bigint, p_was bigint, p_upto bigint, p_ids bigint[],
                                             p_lines bytea, p_signatures bytea) returns boolean
language plpgsql volatile as $$
begin
  perform 1 from account a where a.account_id = p_account for no key update;
  if coalesce((select s.upto from search_pack s where s.account_id = p_account and s.pack = p_pack), 0) <> p_was
     or (select count(*) from message m where m.account_id = p_account and m.message_id = any (p_ids)) <> cardinality(p_ids) then
    return false;
  end if;
  insert into search_pack (account_id, pack, upto, lines, signatures)
    values (p_account, p_pack, p_upto, p_lines, p_signatures)
    on conflict (account_id, pack) do update set upto = p_upto, lines = p_lines, signatures = p_signatures;
  delete from search_stale s where s.account_id = p_account and s.pack = p_pack;
  return true;
end $$;
