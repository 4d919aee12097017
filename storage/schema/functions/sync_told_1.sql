-- Whether a device knows the state a row is in: only then may its own next change of that row go without an echo. While a
-- backlog is told in windows, S passes modseq_before although the row itself has moved on with the device's change: what
-- another client changed in between would never be told.
create or replace function sync_told_1(p_account bigint, p_device bigint, p_mailbox bigint, p placement) returns boolean
language plpgsql stable as $$
begin
  return p.changed_by is not distinct from p_device
      or (p.born_by is not distinct from p_device and p.modseq = p.modseq_created)
      or exists (select 1 from sync_state s
                  where s.account_id = p_account and s.device_id = p_device and s.mailbox_id = p_mailbox
                    and coalesce(case when s.used_key is not null then s.used_s end, s.given_s) >= p.modseq);
end $$;
