-- One window of a mailbox for a device, in the order New, Changes, Ageing, First fill (one snapshot: the caller's
-- statement). The last row has o_step 0 and the position behind all: o_modseq s, o_item a, o_uid b, o_internal and
-- o_message the cut, o_op 1 when a step was cut short, o_flags the clock, o_size rows read that led to nothing.
create or replace function sync_look_1(
  p_account bigint, p_device bigint, p_mailbox bigint, p_s bigint, p_a bigint, p_b bigint,
  p_date timestamptz, p_item bigint, p_target_date timestamptz, p_target_item bigint, p_window int
) returns table (o_step int, o_op int, o_full boolean, o_item bigint, o_uid bigint, o_size bigint, o_flags bigint,
                 o_modseq bigint, o_internal timestamptz, o_message bigint, o_extra jsonb)
language plpgsql stable as $$
declare
  clock bigint;
  box mailbox%rowtype;
  rows_read bigint := 0;
  sent int := 0;
  rest int;
  s bigint := p_s;
  a bigint := p_a;
  b bigint := p_b;
  cut_date timestamptz := coalesce(p_date, '-infinity');
  cut_item bigint := p_item;
  target_date timestamptz := coalesce(p_target_date, '-infinity');
  more boolean := false;
  done boolean;
  p record;
begin
  select c.modseq into clock from account c where c.account_id = p_account;
  select * into box from mailbox m
   where m.account_id = p_account and m.mailbox_id = p_mailbox and m.deleted_at is null;
  if box.mailbox_id is null then
    raise sqlstate 'GWNFD' using message = 'no such mailbox';
  end if;
  if p_s < box.purged_modseq then
    raise sqlstate 'GWCON' using message = 'the tombstones it needs are gone';
  end if;

  -- New: along the key, so that a window reads what it sends, whatever the backlog; replaced rows are few
  for p in select x.* from (
              (select y.*, sync_new_1(y, p_device, cut_date, cut_item) as op from placement y
                where y.account_id = p_account and y.mailbox_id = p_mailbox and y.uid > p_a and y.item = y.uid
                  and y.removed_how is distinct from 3 and sync_new_1(y, p_device, cut_date, cut_item) is not null
                order by y.uid limit p_window + 1)
              union all
              select y.*, sync_new_1(y, p_device, cut_date, cut_item) as op from placement y
               where y.account_id = p_account and y.mailbox_id = p_mailbox and y.item <> y.uid and y.item > p_a
                 and y.removed_how is distinct from 3 and sync_new_1(y, p_device, cut_date, cut_item) is not null) x
            order by x.item loop
    if sent = p_window then
      more := true;
      exit;
    end if;
    sent := sent + 1;
    a := p.item;
    o_step := 1; o_op := p.op; o_full := true; o_item := p.item; o_uid := p.uid; o_size := p.size; o_flags := p.flags;
    o_modseq := p.modseq; o_internal := p.internal_date; o_message := p.message_id; o_extra := p.extra;
    return next;
  end loop;
  if not more then
    a := box.uidnext - 1;
    rows_read := a - p_a - sent; -- what led to nothing, nearly: uids may have gaps
  end if;

  -- Changes; none when the mailbox stands where the device left it
  done := true;
  if box.modseq_items > p_s then
    for p in select x.*, sync_change_1(x, p_device, p_s, cut_date, cut_item) as op
               from sync_rows_1(p_account, p_mailbox, p_s) x
              where x.item > p_b and x.item <= p_a order by x.modseq loop
      if p.op is null then
        rows_read := rows_read + 1;
        continue;
      end if;
      if sent = p_window then
        done := false;
        exit;
      end if;
      sent := sent + 1;
      s := p.modseq;
      -- Only a replaced draft has other content, and a mail that was answered or forwarded has its last verb, which no
      -- lesser Change tells. Not by modseq_content: S may pass it while the row itself has moved on.
      o_step := 2; o_op := p.op; o_full := p.item <> p.uid or coalesce(p.extra ? 'verb', false);
      o_item := p.item; o_uid := p.uid; o_size := p.size; o_flags := p.flags;
      o_modseq := p.modseq; o_internal := p.internal_date; o_message := p.message_id; o_extra := p.extra;
      return next;
    end loop;
  end if;
  if done then
    s := clock;
  end if;

  -- Ageing, when all up to the clock is told
  if done and not more and (target_date, p_target_item) > (cut_date, cut_item) then
    for p in select x.* from placement x
              where x.account_id = p_account and x.mailbox_id = p_mailbox and x.item > b and x.item <= a
                and x.removed_at is null and (x.internal_date, x.item) >= (cut_date, cut_item)
                and (x.internal_date, x.item) < (target_date, p_target_item)
              order by x.internal_date, x.item limit p_window - sent + 1 loop
      if sent = p_window then
        more := true;
        exit;
      end if;
      sent := sent + 1;
      cut_date := p.internal_date;
      cut_item := p.item + 1;
      o_step := 3; o_op := 3; o_full := false; o_item := p.item; o_uid := p.uid; o_size := p.size; o_flags := p.flags;
      o_modseq := p.modseq; o_internal := p.internal_date; o_message := p.message_id; o_extra := null;
      return next;
    end loop;
  elsif done and not more and (target_date, p_target_item) < (cut_date, cut_item) then
    for p in select x.* from placement x
              where x.account_id = p_account and x.mailbox_id = p_mailbox and x.item > b and x.item <= a
                and x.removed_at is null and (x.internal_date, x.item) < (cut_date, cut_item)
                and (x.internal_date, x.item) >= (target_date, p_target_item)
              order by x.internal_date desc, x.item desc limit p_window - sent + 1 loop
      if sent = p_window then
        more := true;
        exit;
      end if;
      sent := sent + 1;
      cut_date := p.internal_date;
      cut_item := p.item;
      o_step := 4; o_op := 0; o_full := true; o_item := p.item; o_uid := p.uid; o_size := p.size; o_flags := p.flags;
      o_modseq := p.modseq; o_internal := p.internal_date; o_message := p.message_id; o_extra := p.extra;
      return next;
    end loop;
  end if;
  if done and not more then
    cut_date := target_date;
    cut_item := p_target_item;
  end if;

  -- First fill: newest first
  if done and not more and b > 0 then
    for p in select x.* from (
                (select y.* from placement y
                  where y.account_id = p_account and y.mailbox_id = p_mailbox and y.uid <= b and y.item = y.uid
                    and y.removed_at is null and (y.internal_date, y.item) >= (cut_date, cut_item)
                  order by y.uid desc limit p_window - sent + 1)
                union all
                select y.* from placement y
                 where y.account_id = p_account and y.mailbox_id = p_mailbox and y.item <> y.uid and y.item <= b
                   and y.removed_at is null and (y.internal_date, y.item) >= (cut_date, cut_item)) x
              order by x.item desc loop
      if sent = p_window then
        more := true;
        exit;
      end if;
      sent := sent + 1;
      b := p.item - 1;
      o_step := 5; o_op := 0; o_full := true; o_item := p.item; o_uid := p.uid; o_size := p.size; o_flags := p.flags;
      o_modseq := p.modseq; o_internal := p.internal_date; o_message := p.message_id; o_extra := p.extra;
      return next;
    end loop;
    if not more then
      b := 0;
    end if;
  end if;

  o_step := 0; o_op := (more or not done)::int; o_full := false; o_item := a; o_uid := b; o_size := rows_read;
  o_flags := clock; o_modseq := s; o_internal := nullif(cut_date, '-infinity'); o_message := cut_item; o_extra := null;
  return next;
end $$;
