"""What tests/protocol/mime/messages_test.c holds the scanner to (tests/data/mime/NAME.txt), held against python's email
package: part tree, decoded bodies, file names, addresses, dates. Where python is wrong, or where both are right in their
own way, the message has a row in DIFFERS with the reason.
"""
import email
import email.header
import email.policy
import email.utils
import glob
import os
import re
import unittest
import zlib

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "mime")
PART = re.compile(r"part \[([0-9.]*)\] (\S+)/(\S+) header (\d+)\+(\d+) body (\d+)\+(\d+) lines (\d+) (\S+)"
                  r"( attachment)?( inline)? decoded (\d+) crc ([0-9a-f]{8})$")
PARTS_SHOWN = 40

NO_CHILDREN = {"tree": "a multipart that cannot be one is shown as its text (imap.md 9.3)"}
JUNK_TYPE = {"tree": "python gives the junk back; RFC 2045 5.2: text/plain, or what is surely meant"}
# What is not compared in a message, and why.
DIFFERS = {
    "addresses": {"addresses": "python takes the obsolete route for an address of its own"},
    "addresses-8bit": {"addresses": "python divides at the comma inside of an encoded word"},
    "addresses-broken": {"addresses": "python loses the local part before a second @"},
    "attached-message-base64": {"tree": "RFC 2046 5.2.1 forbids the encoding: a leaf, python reads the base64 as a message"},
    "boundary-empty": NO_CHILDREN,
    "boundary-missing": NO_CHILDREN,
    "boundary-never": NO_CHILDREN,
    "control-characters": {"subject": "control characters cannot be in XML"},
    "date-06": {"date": "python knows no RFC 3339"},
    "date-08": {"date": "python takes a 32nd day and a zone of 99 hours"},
    "date-09": {"date": "python knows no comments in front"},
    "date-11": {"date": "a leap second is counted with the second before it"},
    "deep": {"tree": "deeper than 32 is a leaf"},
    "deep-messages": {"tree": "deeper than 32 is a leaf"},
    "encoding-comment": {"bodies": "python does not take the comment off the encoding"},
    "encoding-junk": {"bodies": "python undoes uuencode, which MIME does not know"},
    "folding": {"addresses": "a blank before the colon (RFC 5322 4.5.8): python ends the header there", "bodies": "the same"},
    "never-closed": {"bodies": "python drops the last line break"},
    "no-separator": {"bodies": "python begins the body at a line that is no field; IMAP's header ends at a blank line only"},
    "nul": {"subject": "a NUL becomes a blank"},
    "parts-empty": {"tree": "python takes two boundaries in a row for one"},
    "quoted-printable": {"bodies": "RFC 2045 6.7 (3): blanks at a line's end go; python keeps them"},
    "raw-8bit": {"subject": "python does not guess the charset"},
    "type-junk-2": JUNK_TYPE,
    "type-junk-3": JUNK_TYPE,
    "type-junk-5": JUNK_TYPE,
    "type-junk-6": JUNK_TYPE,
    "type-junk-8": JUNK_TYPE,
    "words-broken": {"subject": "python refuses unknown charsets"},
}


def read(name):
    with open(os.path.join(FOLDER, name), "rb") as file:
        return file.read()


def described(name):
    """(lines by label, parts) of NAME.txt"""
    lines, parts = {}, []
    for line in read(name + ".txt").decode("utf-8").split("\n"):
        match = PART.match(line)
        if match:
            section, kind, subtype, *numbers = match.groups()
            parts.append({"section": section, "type": kind + "/" + subtype, "header": (int(numbers[0]), int(numbers[1])),
                          "body": (int(numbers[2]), int(numbers[3])), "lines": int(numbers[4]), "encoding": numbers[5],
                          "decoded": (int(numbers[8]), numbers[9])})
        elif line.startswith("  ") and parts:
            label, _, value = line.strip().partition(": ")
            parts[-1][label] = unescaped(value)
        elif ": " in line:
            label, _, value = line.partition(": ")
            lines[label] = unescaped(value)
    return lines, parts


def unescaped(value):
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), value)


class Messages(unittest.TestCase):
    maxDiff = None

    def compare(self, what, check):
        """check(raw, message, lines, parts) for every message that has no row against `what`; each is a subtest."""
        names = sorted(os.path.basename(path)[:-4] for path in glob.glob(os.path.join(FOLDER, "*.eml")))
        self.assertGreaterEqual(len(names), 60)
        self.assertEqual(set(DIFFERS) - set(names), set())
        for name in names:
            if what in DIFFERS.get(name, {}):
                continue
            with self.subTest(name):
                raw = read(name + ".eml")
                check(raw, email.message_from_bytes(raw, policy=email.policy.compat32), *described(name))

    def test_extents_and_lines(self):
        """No python needed for this one: the numbers against the octets."""
        def check(raw, message, lines, parts):
            self.assertEqual(int(lines["parts"].split()[0]) > PARTS_SHOWN, len(parts) == PARTS_SHOWN)
            for part in parts:
                at, size = part["body"]
                self.assertEqual(part["header"][0] + part["header"][1], at)
                self.assertLessEqual(at + size, len(raw))
                self.assertEqual(raw[at:at + size].count(b"\n"), part["lines"])
        self.compare("extents", check)

    def test_tree(self):
        def check(raw, message, lines, parts):
            theirs = [part.get_content_type() for part in message.walk()]
            self.assertEqual([part["type"] for part in parts], theirs[:PARTS_SHOWN])
        self.compare("tree", check)

    def test_bodies(self):
        def check(raw, message, lines, parts):
            for ours, theirs in zip(parts, message.walk()):
                if not theirs.is_multipart():
                    body = theirs.get_payload(decode=True) or b""
                    self.assertEqual(ours["decoded"], (len(body), "%08x" % zlib.crc32(body)), (ours["section"], body[:200]))
        self.compare("bodies", check)

    def test_names(self):
        def check(raw, message, lines, parts):
            for ours, theirs in zip(parts, message.walk()):
                self.assertEqual(ours.get("filename", ""), theirs.get_filename() or "", ours["section"])
        self.compare("names", check)

    def test_addresses(self):
        def check(raw, message, lines, parts):
            for field in ("From", "Sender", "Reply-To", "To", "Cc", "Bcc"):
                theirs = [spec for _, spec in email.utils.getaddresses([str(v) for v in message.get_all(field, [])]) if spec]
                ours = [spec for _, spec in email.utils.getaddresses([lines.get(field.lower(), "")]) if spec]
                self.assertEqual(ours, theirs, field)
        self.compare("addresses", check)

    def test_subject(self):
        def check(raw, message, lines, parts):
            theirs = email.header.make_header(email.header.decode_header(message.get("Subject", "")))
            self.assertEqual(lines.get("subject", ""), re.sub(r"\r?\n", "", str(theirs)).replace("\t", " ").strip())
        self.compare("subject", check)

    def test_dates(self):
        def check(raw, message, lines, parts):
            theirs = email.utils.parsedate_tz(message.get("Date", ""))
            want = f"{email.utils.mktime_tz(theirs)} zone {(theirs[9] or 0) // 60}" if theirs else None
            self.assertEqual(lines.get("date"), want)
        self.compare("date", check)


if __name__ == "__main__":
    unittest.main()
