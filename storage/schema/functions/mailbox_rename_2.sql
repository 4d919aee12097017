-- Renames and moves within the tree; missing parents are made, children follow. INBOX stays: its messages move into a
-- new mailbox of that name (o_new, else 0). What lies below what is moved counts against the 32 levels, too: a path
-- with more of them could be named by nobody.
create or replace function mailbox_rename_2(
  p_account bigint, p_id bigint, p_names text[], p_protocol smallint, p_by text
) returns table (o_new bigint, o_clock bigint)
language plpgsql volatile as $$
declare
  box mailbox%rowtype;
  parent bigint;
  leaf text;
begin
  perform 1 from account a where a.account_id = p_account for no key update;
  select * into box from mailbox b where b.account_id = p_account and b.mailbox_id = p_id and b.deleted_at is null;
  if box.mailbox_id is null then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  if mailbox_walk_1(p_account, p_names, false, 0) is not null then
    raise sqlstate 'GWEXS' using message = 'the name is taken';
  end if;
  leaf := normalize(p_names[cardinality(p_names)], nfc);
  parent := mailbox_walk_1(p_account, p_names[: cardinality(p_names) - 1], true,
                           case when box.role = 1 then 0 else p_id end);
  if box.role <> 1 and cardinality(p_names) + (
       with recursive below (id, level) as (
         select p_id, 0 union all
         select b.mailbox_id, below.level + 1 from below
           join mailbox b on b.account_id = p_account and b.parent_id = below.id and b.deleted_at is null)
       select max(below.level) from below) > 32 then
    raise sqlstate 'GWLIM' using message = 'a tree has at most 32 levels';
  end if;
  o_new := 0;
  if box.role = 1 then
    o_new := mailbox_make_1(p_account, parent, leaf, 0);
    perform copy_1(p_account, p_id, int8multirange(int8range(1, 4294967296)), o_new, true, p_protocol, p_by, 0, 0);
  else
    update account a set modseq = a.modseq + 1 where a.account_id = p_account returning a.modseq into o_clock;
    update mailbox b set parent_id = parent, name = leaf, modseq_hierarchy = o_clock
     where b.account_id = p_account and b.mailbox_id = p_id;
  end if;
  select a.modseq into o_clock from account a where a.account_id = p_account;
  return next;
end $$;
