"""What the players of transcripts share: {name} stands for what was captured under that name before, or captures it; {any} is
whatever comes."""
import re

NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class Names(dict):
    """Captured texts by name."""

    def fill(self, text):
        return NAME.sub(lambda found: self.get(found.group(1), found.group(0)), text)

    def match(self, text, got, capture, flags=0):
        """Whether `got` is what the transcript says; then its captures count. capture: the pattern of a new name's text."""
        pattern, at, fresh = "", 0, []
        for token in NAME.finditer(text):
            pattern += re.escape(text[at:token.start()])
            name, at = token.group(1), token.end()
            if name == "any":
                pattern += ".*"
            elif name in self:
                pattern += re.escape(self[name])
            elif name in fresh:
                pattern += f"(?P={name})"
            else:
                pattern += f"(?P<{name}>{capture})"
                fresh.append(name)
        found = re.fullmatch(pattern + re.escape(text[at:]), got, flags)
        if found:
            self.update(found.groupdict())
        return bool(found)
