-- Flags with the keyword bits of one mailbox turned into those of another: bit p_from[i] becomes p_to[i].
create or replace function flag_bits_1(p_flags bigint, p_from bigint[], p_to bigint[]) returns bigint
language sql immutable as $$
  select (p_flags & 255)
         | coalesce((select bit_or(m.b) from unnest(p_from, p_to) m(a, b) where p_flags & m.a <> 0), 0)
$$;
