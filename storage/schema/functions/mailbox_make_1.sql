-- Makes one mailbox below a parent (0: top level) with the next id, clock and uidvalidity. Locks the account.
create or replace function mailbox_make_1(
  p_account bigint, p_parent bigint, p_name text, p_role int
) returns bigint language plpgsql volatile as $$
declare
  acc account%rowtype;
begin
  update account a
     set modseq = a.modseq + 1, next_mailbox = a.next_mailbox + 1,
         uidvalidity_last = greatest(extract(epoch from now())::bigint, a.uidvalidity_last + 1)
   where a.account_id = p_account
   returning * into acc;
  if not found then
    raise sqlstate 'GWNFD' using message = 'no such account';
  end if;
  if (select count(*) from mailbox b where b.account_id = p_account and b.deleted_at is null) >= 5000 then
    raise sqlstate 'GWLIM' using message = 'an account holds at most 5000 mailboxes';
  end if;
  insert into mailbox (account_id, mailbox_id, parent_id, name, role, uidvalidity, modseq_items, modseq_hierarchy,
                       modseq_born, logged_modseq)
    values (p_account, acc.next_mailbox - 1, p_parent, p_name, p_role, acc.uidvalidity_last, acc.modseq, acc.modseq,
            acc.modseq, acc.modseq);
  return acc.next_mailbox - 1;
end $$;
