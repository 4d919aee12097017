-- Makes an account with its first mailboxes (p_names[i] gets role p_roles[i]). INBOX is the first: mailbox 1.
create or replace function account_create_1(
  p_login text, p_domain text, p_hash text, p_quota bigint, p_names text[], p_roles int[]
) returns bigint language plpgsql volatile as $$
declare
  id bigint;
begin
  insert into domain (domain) values (p_domain) on conflict do nothing;
  insert into directory (login, domain, password_hash) values (p_login, p_domain, p_hash)
    returning account_id into id;
  insert into account (account_id, quota_bytes) values (id, p_quota);
  for i in 1 .. cardinality(p_names) loop
    perform mailbox_make_1(id, 0, p_names[i], p_roles[i]);
  end loop;
  return id;
end $$;
