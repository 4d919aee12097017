-- The flag bits of keyword names in a mailbox, whatever their case. Unknown names, by p_unknown: 'create' takes a free
-- bit (refused when all 56 are taken), 'drop' does so while there is one, 'ignore' leaves them out.
create or replace function keyword_bits_1(
  inout p_keywords text[], p_names text[], p_unknown text, out o_bits bigint
) language plpgsql immutable as $$
declare
  wanted text;
  place int;
begin
  o_bits := 0;
  foreach wanted in array p_names loop
    select k.n into place from unnest(p_keywords) with ordinality k(name, n) where lower(k.name) = lower(wanted) limit 1;
    if place is null then
      continue when p_unknown = 'ignore';
      if cardinality(p_keywords) >= 56 then
        continue when p_unknown = 'drop';
        raise sqlstate 'GWLIM' using message = 'a mailbox holds at most 56 keywords';
      end if;
      p_keywords := p_keywords || wanted;
      place := cardinality(p_keywords);
    end if;
    o_bits := o_bits | (1::bigint << (place + 7));
  end loop;
end $$;
