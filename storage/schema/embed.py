"""Writes the migrations and functions as C tables: embed.py OUT MIGRATION... -- FUNCTION..."""
import os
import sys


def rows(name, files):
    lines = [f"static const struct schema_file {name}[] = {{"]
    for path in files:
        with open(path, encoding="utf-8") as f:
            octets = f.read().encode()
        text = ", ".join(str(b) for b in octets)
        lines.append(f'    {{ "{os.path.basename(path)}", (const char[]){{ {text}, 0 }} }},')
    lines.append("    { NULL, NULL },\n};")
    return "\n".join(lines)


out, rest = sys.argv[1], sys.argv[2:]
cut = rest.index("--")
with open(out, "w", encoding="utf-8") as f:
    f.write(rows("schema_migrations", rest[:cut]) + "\n" + rows("schema_functions", rest[cut + 1:]) + "\n")
