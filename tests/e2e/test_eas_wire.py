"""Plays the conversations of tests/wire/eas/VERSION-NAME.txt against the real server, with the client's own WBXML codec:
each file is a phone of an account of its own, at the protocol version of its name.

  # text                     a comment: which document says so, which client does it
  given SETTING = VALUE      of the server; only before the first step
  deliver NAME               LMTP: a file NAME beside the transcripts, or a plain message with that subject
  desktop COMMAND            an IMAP command of another client, in its INBOX or where its SELECT went
  admin WORDS                a command of godwit's command line; {user} is the account
  phone NAME                 what follows is said by another device of the account
  C: COMMAND [KEY=VALUE ...] a request, with more of the query string; C: OPTIONS for that method
  H: NAME: VALUE             a header of the request, or one that the answer must have
      element lines          the document, indented: Page:Name, Page:Name = text, Page:Name = #octets in hex. The page is left
                             out where it is that of the element around it
      | text                 or a body that is no WBXML, line by line
  waits                      until the server has parked the request
  S: 200                     the HTTP status of the answer; then its headers and its whole document, every element in its
                             order and nothing else. {any} is anything, {name} captures, and must be equal afterwards

`python3 test_eas_wire.py FILE ...` plays files and writes down what the server really says: to be read before it is kept.
"""
import glob
import http.client
import os
import re
import sys
import time
import unittest

from eas_base import EasTest
from eas_client import TOKENS, Node, Pending, Phone, decode, encode, multipart
from harness import LIMIT_S, PASSWORD, ROOT, Server, message
from transcript import Names

FOLDER = os.path.join(ROOT, "tests", "wire", "eas")
VERSIONS = ("12.0", "12.1", "14.0", "14.1", "16.0", "16.1")
# Commands that not every version has: MS-ASCMD 1.7 (Versioning and Capability Negotiation).
ONLY = {"GetAttachment": ("12.0", "12.1"), "GetHierarchy": ("12.0", "12.1"), "Find": ("16.1",)}
DATE = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# What keys are called when an answer is written down: inbox_1, inbox_2, tree_1 ...; a request may say {inbox} for the newest
# and {inbox_} for the one before it, which become these names.
FOLDERS = {"1": "inbox", "2": "drafts", "3": "sent", "4": "trash", "5": "junk", "6": "archive"}


class Mismatch(AssertionError):
    pass


# ---- documents as lines ----

def show_value(node):
    if isinstance(node.text, bytes):
        return " = #" + node.text.hex()
    if node.text in (None, ""):
        return ""
    return " = " + node.text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")


def show(node, around="", depth=1):
    """The lines of a document."""
    page, name = node.tag.split(":")
    lines = ["    " * depth + (name if page == around else node.tag) + show_value(node)]
    for child in node.children:
        lines += show(child, page, depth + 1)
    return lines


def take_value(text):
    if text.startswith("#"):
        return bytes.fromhex(text[1:])
    return re.sub(r"\\([rn\\])", lambda found: {"r": "\r", "n": "\n", "\\": "\\"}[found.group(1)], text)


def read(lines):
    """A document of lines as a Node."""
    root, stack = None, []
    for line in lines:
        depth = (len(line) - len(line.lstrip(" "))) // 4
        tag, _, value = line.strip().partition(" = ")
        del stack[depth - 1:]
        if ":" not in tag:
            tag = stack[-1].tag.split(":")[0] + ":" + tag
        if tag not in TOKENS:
            raise Mismatch(f"no element {tag}")
        node = Node(tag, take_value(value) if value else None)
        if stack:
            stack[-1].children.append(node)
        root = root or node
        stack.append(node)
    return root


class Step:
    """A line of a transcript that begins at its margin, with what is indented below it and its headers."""

    def __init__(self, number, text):
        self.number, self.text, self.body, self.headers = number, text, [], []

    def headers_as_said(self, answer):
        names = [line.split(": ", 1)[0] for line in self.headers]
        return [line if "{any}" in line else f"H: {name}: {answer.headers.get(name, '')}" for name, line in zip(names, (
            "H: " + line for line in self.headers))]


def steps_of(lines):
    steps = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("H: "):
            steps[-1].headers.append(line[3:])
        elif line.startswith(" "):
            steps[-1].body.append((number, line))
        else:
            steps.append(Step(number, line))
    return steps


class Player:
    def __init__(self, server, path, lines, user, record=False):
        self.server, self.path, self.lines, self.user, self.record = server, path, lines, user, record
        self.names = Names(user=user, password=PASSWORD)
        self.version = os.path.basename(path).split("-")[0]
        self.phones, self.desk, self.pending, self.heard = {}, None, None, 0
        self.said = {}  # number of an S: line -> what the server said
        self.phone("PHONE1")

    def phone(self, device):
        if device not in self.phones:
            self.phones[device] = Phone(self.server, self.user, PASSWORD, device, self.version)
        self.now = self.phones[device]

    def wrong(self, number, expected, got):
        raise Mismatch(f"{os.path.relpath(self.path, ROOT)}:{number}\n  expected: {expected}\n  got:      {got}")

    def matches(self, text, got):
        return self.names.match(text, got, ".+?", re.S)

    # ---- steps ----

    def deliver(self, name):
        path = os.path.join(FOLDER, name)
        if os.path.exists(path):
            with open(path, "rb") as f:
                octets = f.read().replace(b"\n", b"\r\n")
        else:
            octets = message(name, to="alice@example.test", message_id=f"<{name.replace(' ', '-')}@example.org>")
        self.server.deliver(octets, to=self.user)

    def desktop(self, command):
        if not self.desk:
            self.desk = self.server.raw_imap(self.user)
            self.desk.ok("SELECT INBOX")
        self.desk.ok(command)

    def request(self, step):
        """Sends it; the answer is read by S:."""
        if self.record:
            self.pin(step)
        words = self.names.fill(step.text[3:]).split()
        query = dict(word.split("=", 1) for word in words[1:])
        headers = dict(self.names.fill(line).split(": ", 1) for line in step.headers)
        body = b""
        if step.body and step.body[0][1].strip().startswith("|"):
            body = "".join(re.sub(r"^ *\| ?", "", self.names.fill(line)) + "\r\n" for _, line in step.body).encode()
        elif step.body:
            body = encode(read([self.names.fill(line) for _, line in step.body]))
        self.heard = len(self.server.log.lines)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.ports["http"], timeout=LIMIT_S)
        all_headers = self.now.headers(**{name.replace("-", "_"): value for name, value in headers.items()})
        all_headers = {name: value for name, value in all_headers.items() if value != "none"}
        if words[0] == "OPTIONS":
            connection.request("OPTIONS", "/Microsoft-Server-ActiveSync", headers={"Authorization": all_headers["Authorization"]})
        else:
            connection.request("POST", self.now.path(words[0], **query), body, all_headers)
        self.pending = Pending(connection)

    def answer_lines(self, answer):
        """The body of an answer as lines."""
        if answer.root is not None:
            return show(answer.root)
        if answer.headers.get("Content-Type", "").startswith("application/vnd.ms-sync.multipart"):
            parts = multipart(answer.body)
            return show(decode(parts[0])) + [f"    | {part.decode('utf-8', 'backslashreplace')}" for part in parts[1:]]
        lines = answer.body.decode("utf-8", "backslashreplace").replace("\r\n", "\n").split("\n")
        return ["    | " + line if line else "    |" for line in (lines[:-1] if lines[-1] == "" else lines)]

    def answer(self, step):
        if not self.pending:
            self.wrong(step.number, "a request before its answer", step.text)
        answer, self.pending = self.pending.answer(), None
        lines = self.answer_lines(answer)
        if self.record:
            self.note(step, answer, lines)
            return
        if str(answer.status) != step.text[3:]:
            self.wrong(step.number, step.text[3:], f"{answer.status} " + "\n".join(lines))
        for line in step.headers:
            name, value = line.split(": ", 1)
            if not self.matches(value, answer.headers.get(name, "")):
                self.wrong(step.number, line, f"{name}: {answer.headers.get(name)}")
        for place, (number, line) in enumerate(step.body):
            got = lines[place] if place < len(lines) else "the end of the document"
            if not self.matches(line, got):
                self.wrong(number, self.names.fill(line).strip(), got.strip())
        if len(lines) > len(step.body):
            self.wrong(step.body[-1][0] if step.body else step.number, "the end of the document", lines[len(step.body)].strip())

    # ---- writing down what the server says ----

    def call(self, label, value):
        """A name for a value that differs in every run."""
        if value not in self.names.values():
            count = sum(bool(re.fullmatch(label + r"_\d+", name)) for name in self.names)
            self.names[f"{label}_{count + 1}"] = value

    def newest(self, text):
        """A request with {inbox} and {inbox_} as the names that they stand for."""
        def one(found):
            label, before = found.group(1), found.group(2)
            count = sum(bool(re.fullmatch(label + r"_\d+", name)) for name in self.names)
            return "{%s_%d}" % (label, count - len(before)) if count else found.group(0)
        return re.sub(r"\{([a-z]+)(_*)\}", one, text)

    def pin(self, step):
        """The names of the newest keys, in the step and in the file."""
        step.text, step.headers = self.newest(step.text), [self.newest(line) for line in step.headers]
        step.body = [(number, self.newest(line)) for number, line in step.body]
        rows = [step.text] + ["H: " + line for line in step.headers] + [line for _, line in step.body]
        self.lines[step.number - 1:step.number - 1 + len(rows)] = rows

    def note(self, step, answer, lines):
        for line, after in zip(lines, lines[1:] + [""]):
            tag, _, value = line.strip().partition(" = ")
            if tag == "SyncKey" and len(value) > 8:
                folder = re.match(r" *CollectionId = (.*)", after)
                self.call(FOLDERS.get(folder.group(1), "box" + folder.group(1)) if folder else "tree", value)
            elif tag == "PolicyKey":
                self.call("policy", value)
            elif tag.endswith("LongId"):
                self.call("long", value)
            elif tag.endswith("FileReference"):
                self.call("file", value)
            elif DATE.fullmatch(value) and value.startswith(time.strftime("%Y-%m-%d", time.gmtime())) and not value.endswith("0.000Z"):
                self.call("date", value)
        known = sorted(((value, name) for name, value in self.names.items() if len(value) > 4), key=lambda row: -len(row[0]))
        text = [f"S: {answer.status}"] + step.headers_as_said(answer) + lines
        for value, name in known:
            text = [line.replace(value, "{" + name + "}") for line in text]
        self.said[step.number] = (len(step.body) + len(step.headers), text)

    def written(self):
        out, skip = [], 0
        for number, line in enumerate(self.lines, 1):
            if number in self.said:
                skip, new = self.said[number]
                out += new
            elif skip and (line.startswith(" ") or line.startswith("H: ")):
                skip -= 1
            else:
                out.append(line)
        return out

    # ---- all of it ----

    def step(self, step):
        word, _, rest = step.text.partition(" ")
        if word == "C:":
            if self.pending:
                self.wrong(step.number, "an answer to the request before", step.text)
            self.request(step)
        elif word == "S:":
            self.answer(step)
        elif word == "waits":
            self.server.log.wait(" eas_waiting ", self.heard)
        elif word == "deliver":
            self.deliver(rest)
        elif word == "desktop":
            self.desktop(self.names.fill(rest))
        elif word == "admin":
            self.server.cli(*self.names.fill(rest).split())
        elif word == "phone":
            self.phone(rest)
        elif word != "given":
            self.wrong(step.number, "a line of a transcript", step.text)

    def play(self):
        try:
            for step in steps_of(self.lines):
                self.step(step)
            if self.pending:
                self.wrong(len(self.lines), "an answer", "the end of the transcript")
        finally:
            if self.pending:
                self.pending.connection.close()
            if self.desk:
                self.desk.close()


def settings_of(lines):
    """given SETTING = VALUE."""
    words = [line.split() for line in lines if line.startswith("given ")]
    return {word[1].replace(".", "__"): word[3] for word in words}


class Played(unittest.TestCase):
    servers, count = {}, 0  # one server for each set of settings

    @classmethod
    def server(cls, settings):
        key = tuple(sorted(settings.items()))
        if key not in cls.servers:
            cls.servers[key] = Server(accounts=(), **{"log__level": "debug", **settings})
            cls.servers[key].add_account("bob@example.test")
        return cls.servers[key]

    @classmethod
    def tearDownClass(cls):
        while cls.servers:
            cls.servers.popitem()[1].close()

    @classmethod
    def player(cls, path, lines, record=False):
        server = cls.server(settings_of(lines))
        Played.count += 1
        user = f"e{Played.count:03}@example.test"
        server.add_account(user)
        return Player(server, path, lines, user, record)


class Conversations(Played):
    """A case for each transcript, made below."""


def add_case(path):
    def case(self):
        with open(path, encoding="utf-8") as f:
            self.player(path, f.read().split("\n")).play()
    setattr(Conversations, "test_" + re.sub(r"\W", "_", os.path.basename(path)[:-4]), case)


for found_path in sorted(glob.glob(os.path.join(FOLDER, "*.txt"))):
    add_case(found_path)


class ThePlayer(Played):
    """A wrong transcript fails, and says where."""
    ASKED = ["C: FolderSync", "    FolderHierarchy:FolderSync", "        SyncKey = wrong"]

    def test_wrong_transcripts(self):
        told = ["S: 200", "    FolderHierarchy:FolderSync", "        Status = 9"]
        rows = [
            ("another HTTP status", ["S: 400"], ":4\n  expected: 400\n  got:      200"),
            ("another value", [*told[:2], "        Status = 1"], ":6\n  expected: Status = 1\n  got:      Status = 9"),
            ("an element that is not there", [*told, "        SyncKey = 1"], ":7\n  expected: SyncKey = 1\n  got:      the end"),
            ("an element not spoken of", told[:2], ":5\n  expected: the end of the document\n  got:      Status = 9"),
            ("an empty answer", told[:1], ":4\n  expected: the end of the document\n  got:      FolderHierarchy:FolderSync"),
            ("another header", ["S: 200", "H: Cache-Control: no", *told[1:]], ":4\n  expected: Cache-Control: no"),
            ("a name with two values", ["S: 200", *told[1:2], "        Status = {user}"], ":6\n"),
            ("no answer read", [], ":3\n  expected: an answer"),
            ("two requests at once", ["C: Ping"], ":4\n  expected: an answer to the request before"),
            ("an answer to nothing", [*told, *told], ":7\n  expected: a request"),
            ("no line at all", [*told, "X: y"], ":7\n  expected: a line of a transcript"),
        ]
        for name, lines, part in rows:
            with self.subTest(name):
                with self.assertRaises(Mismatch) as caught:
                    self.player(os.path.join(FOLDER, "14.1-wrong.txt"), self.ASKED + lines).play()
                self.assertIn("tests/wire/eas/14.1-wrong.txt" + part, str(caught.exception))
        self.player(os.path.join(FOLDER, "14.1-right.txt"), self.ASKED + told).play()


class EveryCommand(EasTest):
    def test_every_command_at_every_version(self):
        """What OPTIONS lists is there, as a request, in a transcript of each version that it offers."""
        connection = self.server.http()
        connection.request("OPTIONS", "/Microsoft-Server-ActiveSync", headers={"Authorization": self.server.basic(self.user)})
        headers = connection.getresponse().headers
        versions, commands = (headers[f"MS-ASProtocol{name}"].split(",") for name in ("Versions", "Commands"))
        self.assertGreater(len(commands), 14)
        for version in versions:
            said = ""
            for path in glob.glob(os.path.join(FOLDER, f"{version}-*.txt")):
                with open(path, encoding="utf-8") as f:
                    said += f.read()
            for command in commands:
                if version in ONLY.get(command, versions):
                    with self.subTest(f"{command} at {version}"):
                        self.assertRegex(said, rf"(?m)^C: {command}\b")


def record(paths):
    """Writes into each file what the server says; what differs between two runs is {any}."""
    for path in paths:
        written = []
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        for turn in range(2):
            time.sleep(1.1 * turn)  # another second, for what is made of the time
            player = Played.player(path, list(lines), record=True)
            player.play()
            written.append(player.written())
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(one if one == two else one.split(" = ")[0] + " = {any}" for one, two in zip(*written)))
    Played.tearDownClass()


if __name__ == "__main__":
    if any(word.endswith(".txt") for word in sys.argv[1:]):
        record(sys.argv[1:])
    else:
        unittest.main()
