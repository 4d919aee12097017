-- The live mailbox at a path, or null; missing levels are made when p_make. Names are composed (NFC), as they are kept.
-- p_not_below: a mailbox that may not lie on the path (0: none).
create or replace function mailbox_walk_1(
  p_account bigint, p_names text[], p_make boolean, p_not_below bigint
) returns bigint language plpgsql volatile as $$
declare
  here bigint := 0;
  below bigint;
  name_now text;
begin
  foreach name_now in array p_names loop
    name_now := normalize(name_now, nfc);
    select b.mailbox_id into below from mailbox b
     where b.account_id = p_account and b.parent_id = here and b.name = name_now and b.deleted_at is null;
    if below is null then
      if not p_make then
        return null;
      end if;
      below := mailbox_make_1(p_account, here, name_now, 0);
    end if;
    here := below;
    if here = p_not_below then
      raise sqlstate 'GWSTA' using message = 'a mailbox cannot lie below itself';
    end if;
  end loop;
  return here;
end $$;
