"""Plays the dialogues of tests/wire/PROTO/NAME.txt against the real server: each file with an account of its own.

A line of a transcript is one of these:
  # text                          a comment: which RFC says so
  given SETUP                     see Given; before the first line of the dialogue
  C: text                         the client sends a line. {lf} {cr} {nul} {xE9} are octets, {70000*x} repeats, {name} is
                                  what was captured; {user}, {password} and {plain} (SASL) are the account's
  C-: text                        the same without CR LF
  S: text                         the server sends this line. {any} is anything, {name} captures a word, and must be
                                  equal to it when it was captured before
  S~: text                        a run of such lines may come in any order
  C2: S2: C-2: S~2:               a second client of the same account
  tls, tls 2                      the TLS handshake
  closed, closed 2                the server ends the connection
After the last line each client that is still there leaves, and must not have been told anything more.
"""
import base64
import glob
import os
import re
import socket
import unittest

from harness import LIMIT_S, PASSWORD, ROOT, Server
from transcript import Names

WIRE = os.path.join(ROOT, "tests", "wire")
OCTET = re.compile(r"\{(?:(lf|cr|nul)|x([0-9A-F]{2})|(\d+)\*(.))\}")


class Mismatch(AssertionError):
    pass


def sample(number):
    """Message 1, 2 ... of `given MAILBOX has N messages`: always the same octets."""
    return (f"From: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: Message {number}\r\n"
            f"Date: Mon, 23 Nov 2026 10:0{number}:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n"
            f"\r\nText of message {number}.\r\n").encode()


class Given:
    """What a transcript asks for before its dialogue:
    given MAILBOX has N messages        see sample()
    given MAILBOX holds FILE            a file beside the transcript, with CR LF for its line ends
    given MAILBOX message N is FLAGS
    given mailbox NAME                  made, without messages
    given account NAME                  further account NAME@example.test, for LMTP
    given not logged in | nothing selected | INBOX is read-only | messages are recent
    given setting KEY = VALUE           of the server
    """

    def __init__(self, folder):
        self.folder, self.mailboxes, self.accounts, self.settings = folder, {}, [], {}
        self.login = self.select = True
        self.read_only = self.recent = False

    def take(self, text):
        words = text.split()
        plain = {"not logged in": ("login", False), "nothing selected": ("select", False),
                 "INBOX is read-only": ("read_only", True), "messages are recent": ("recent", True)}
        if text in plain:
            setattr(self, *plain[text])
        elif words[0] == "setting" and words[2] == "=":
            self.settings[words[1].replace(".", "__")] = words[3]
        elif words[0] == "mailbox":
            self.mailboxes.setdefault(text.split(" ", 1)[1].strip('"'), [])
        elif words[0] == "account":
            self.accounts.append(words[1])
        elif words[1] == "has":
            self.mailboxes.setdefault(words[0], []).extend([sample(n), []] for n in range(1, int(words[2]) + 1))
        elif words[1] == "holds":
            with open(os.path.join(self.folder, words[2]), "rb") as f:
                self.mailboxes.setdefault(words[0], []).append([f.read().replace(b"\n", b"\r\n"), []])
        elif words[1] == "message" and words[3] == "is":
            self.mailboxes[words[0]][int(words[2]) - 1][1] += words[4:]
        else:
            raise Mismatch(f"not understood: given {text}")

    def make(self, server, user):
        for name in self.accounts:
            if name not in server.further:
                server.add_account(name + "@example.test")
                server.further.add(name)
        if not self.mailboxes:
            return
        client = server.imap(user)
        client._encoding = "utf-8"  # names of mailboxes: the server takes UTF-8 for what is no modified UTF-7
        have = [line.decode().split(' "/" ')[1].strip('"') for line in client.list()[1]]
        for path, messages in self.mailboxes.items():
            if path not in have:
                client.create(f'"{path}"')
            for number, (octets, flags) in enumerate(messages, 1):
                code, data = client.append(f'"{path}"', f"({' '.join(flags)})", f'"23-Nov-2026 10:0{number}:00 +0000"', octets)
                if code != "OK":
                    raise Mismatch(f"APPEND to {path}: {data}")
            if not self.recent:
                client.select(f'"{path}"')  # takes \Recent away
        client.logout()


class Client:
    def __init__(self, server, proto, given, user):
        self.server, self.proto = server, proto
        self.sock = socket.create_connection(("127.0.0.1", server.ports[proto]), timeout=LIMIT_S)
        self.file = self.sock.makefile("rb")
        if proto == "imap" and not given.login or proto == "lmtp":
            return  # the greeting belongs to the dialogue
        self.line()
        self.must(f'LOGIN "{user}" "{PASSWORD}"')
        if given.select:
            self.must("EXAMINE INBOX" if given.read_only else "SELECT INBOX")

    def must(self, command):
        self.send(f"set {command}\r\n".encode())
        line = self.line()
        while not line.startswith("set "):
            line = self.line()
        if not line.startswith("set OK"):
            raise Mismatch(f"{command}: {line}")

    def send(self, octets):
        self.sock.sendall(octets)

    def line(self):
        """The next line; None at the end."""
        line = self.file.readline()
        if not line:
            return None
        if not line.endswith(b"\r\n"):
            raise Mismatch(f"a line without CR LF: {line!r}")
        return line[:-2].decode("utf-8", "backslashreplace")

    def tls(self):
        self.file.close()
        self.sock = self.server.tls_context().wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("rb")

    def leave(self):
        """Says goodbye; returns what came in front of the answer."""
        goodbye, answer = {"imap": (b"leave LOGOUT\r\n", "* BYE"), "lmtp": (b"QUIT\r\n", "221")}[self.proto]
        self.send(goodbye)
        line = self.line()
        return None if line is not None and line.startswith(answer) else line or "the end of the connection"

    def close(self):
        self.file.close()
        self.sock.close()


class Player:
    """One transcript."""

    def __init__(self, server, path, lines, proto, user):
        self.server, self.path, self.proto, self.user = server, path, proto, user
        self.lines = lines
        plain = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self.names = Names(user=user, password=PASSWORD, plain=plain)
        self.given, self.clients, self.free = Given(os.path.dirname(path)), {}, []
        self.made = False

    def wrong(self, number, expected, got):
        raise Mismatch(f"{os.path.relpath(self.path, ROOT)}:{number}\n  expected: {expected}\n  got:      {got}")

    def client(self, number):
        if not self.made:
            self.given.make(self.server, self.user)
            self.made = True
            self.client("1")  # the first is there before the second does anything
        if number not in self.clients:
            self.clients[number] = Client(self.server, self.proto, self.given, self.user)
        return self.clients[number]

    def octets(self, text):
        def one(found):
            word, code, times, char = found.groups()
            if word:
                return {"lf": "\n", "cr": "\r", "nul": "\0"}[word]
            return char * int(times) if times else bytes([int(code, 16)]).decode("utf-8", "surrogateescape")
        return OCTET.sub(one, self.names.fill(text)).encode("utf-8", "surrogateescape")

    def matches(self, text, line):
        return line is not None and self.names.match(text, line, r"[^\s()\[\]]+")

    def settle(self):
        """The lines whose order is free."""
        while self.free:
            number, who, _ = self.free[0]
            line = self.client(who).line()
            for row in self.free:
                if row[1] == who and self.matches(row[2], line):
                    self.free.remove(row)
                    break
            else:
                self.wrong(number, " | ".join(self.names.fill(row[2]) for row in self.free), line)

    def step(self, number, text):
        found = re.fullmatch(r"(C-?|S~?)(\d*):(?: (.*))?", text)
        if text.startswith("given "):
            if self.made:
                self.wrong(number, "the dialogue", text)
            self.given.take(text[6:])
            return
        if found and found.group(1) == "S~":
            self.free.append((number, found.group(2) or "1", found.group(3) or ""))
            return
        self.settle()
        words = text.split()
        if found:
            kind, who, said = found.group(1), found.group(2) or "1", found.group(3) or ""
            client = self.client(who)
            if kind == "S":
                line = client.line()
                if not self.matches(said, line):
                    self.wrong(number, self.names.fill(said), "the end of the connection" if line is None else line)
            else:
                client.send(self.octets(said) + (b"" if kind == "C-" else b"\r\n"))
        elif words[0] == "tls":
            self.client(words[1] if words[1:] else "1").tls()
        elif words[0] == "closed":
            who = words[1] if words[1:] else "1"
            line = self.client(who).line()
            if line is not None:
                self.wrong(number, "the end of the connection", line)
            self.clients.pop(who).close()
        else:
            self.wrong(number, "a line of a transcript", text)

    def play(self):
        number = 0
        try:
            for number, text in enumerate(self.lines, 1):
                if text and not text.startswith("#"):
                    self.step(number, text)
            self.settle()
            for client in self.clients.values():
                more = client.leave()
                if more is not None:
                    self.wrong(number, "nothing more", more)
        except (OSError, Mismatch) as error:
            if isinstance(error, Mismatch) and os.path.basename(self.path) in str(error):
                raise
            self.wrong(number, self.lines[number - 1], error)
        finally:
            for client in self.clients.values():
                client.close()


class Played(unittest.TestCase):
    servers, count = {}, 0  # one server for each set of settings

    @classmethod
    def server(cls, settings):
        key = tuple(sorted(settings.items()))
        if key not in cls.servers:
            cls.servers[key] = Server(accounts=(), **settings)
            cls.servers[key].further = set()
        return cls.servers[key]

    @classmethod
    def tearDownClass(cls):
        while cls.servers:
            cls.servers.popitem()[1].close()

    def play(self, path, lines, proto):
        given = Given(os.path.dirname(path))
        for text in lines:
            if text.startswith("given setting "):
                given.take(text[6:])
        server = self.server(given.settings)
        Played.count += 1
        user = f"w{Played.count:03}@example.test"
        server.add_account(user)
        Player(server, path, lines, proto, user).play()


class Wire(Played):
    """A case for each transcript, made below."""


def add_case(path):
    proto, name = os.path.basename(os.path.dirname(path)), os.path.basename(path)[:-4]

    def case(self):
        with open(path, encoding="utf-8") as f:
            self.play(path, f.read().split("\n"), proto)
    setattr(Wire, f"test_{proto}_{name.replace('-', '_')}", case)


for spoken in ("imap", "lmtp"):  # those of ActiveSync have a player of their own
    for found_path in sorted(glob.glob(os.path.join(WIRE, spoken, "*.txt"))):
        add_case(found_path)


class ThePlayer(Played):
    """A wrong transcript fails, and says where."""

    def refused(self, lines, *parts, proto="imap"):
        with self.assertRaises(Mismatch) as caught:
            self.play(os.path.join(WIRE, proto, "wrong.txt"), lines, proto)
        for part in (f"tests/wire/{proto}/wrong.txt:", *parts):
            self.assertIn(part, str(caught.exception))

    def test_wrong_transcripts(self):
        rows = [
            ("another reply", ["# x", "C: a NOOP", "S: a NO{any}"], (":3\n", "expected: a NO{any}", "got:      a OK")),
            ("a line too many", ["C: a NOOP", "S: * 1 EXISTS", "S: a OK{any}"], (":2\n", "got:      a OK")),
            ("a line not spoken of", ["given INBOX has 1 messages", "C: a FETCH 1 UID", "S: a OK{any}"], (":3\n", "got:      * 1 FETCH (UID 1)")),
            ("told more at the end", ["given INBOX has 1 messages", "C: a FETCH 1 UID", "S: * 1 FETCH (UID 1)"], ("nothing more", "got:      a OK")),
            ("a name with two values", ["given INBOX has 2 messages", "C: a FETCH 1:2 UID", "S: * {n} FETCH (UID {n})", "S: * {n} FETCH (UID {n})"],
             (":4\n", "expected: * 1 FETCH (UID 1)", "got:      * 2 FETCH (UID 2)")),
            ("an order that is not free", ["given INBOX has 2 messages", "C: a FETCH 1:2 UID", "S: * 2 FETCH (UID 2)"], (":3\n",)),
            ("a free order without the line", ["C: a NOOP", "S~: * 1 EXISTS", "S~: * 1 RECENT", "S: a OK{any}"], (":2\n", "got:      a OK")),
            ("not closed", ["C: a NOOP", "closed"], (":2\n", "the end of the connection")),
            ("closed", ["C: a LOGOUT", "S: * BYE{any}", "S: a OK{any}", "S: more"], (":4\n", "got:      the end of the connection")),
            ("no line at all", ["X: y"], (":1\n", "a line of a transcript")),
            ("an unknown given", ["given pigs fly"], (":1\n",)),
        ]
        for name, lines, parts in rows:
            with self.subTest(name):
                self.refused(lines, *parts)
        self.refused(["S: 220{any}", "C: NOOP", "S: 500{any}"], ":3\n", "got:      250", proto="lmtp")

    def test_right_transcripts(self):
        self.play(os.path.join(WIRE, "imap", "right.txt"),
                  ["given INBOX has 2 messages", "C: a FETCH 1:2 UID", "S~: * {b} FETCH (UID {b})", "S~: * {c} FETCH (UID {c})", "S: a OK{any}",
                   "C2: b FETCH {c} UID", "S2: * {c} FETCH (UID {c})", "S2: b OK {any}"], "imap")


class EveryCommand(unittest.TestCase):
    """Each command of the tables has its transcript, and each of these is sent there; further files are about more than one."""

    def names(self, pattern, *path):
        with open(os.path.join(ROOT, *path), encoding="ascii") as f:
            names = re.findall(pattern, f.read(), re.M)
        self.assertGreater(len(names), 5)
        return [name.lower() for name in names]

    def check(self, proto, names, sends):
        for name in names:
            with self.subTest(name):
                path = os.path.join(WIRE, proto, name + ".txt")
                self.assertTrue(os.path.exists(path), f"write {os.path.relpath(path, ROOT)}")
                with open(path, encoding="utf-8") as f:
                    self.assertRegex(f.read(), sends % name.upper())

    def test_imap(self):
        self.check("imap", self.names(r"^ +X\((\w+)\)", "server", "imap", "commands.h"), r"(?im)^C\d*: \S+ (UID )?%s\b")

    def test_lmtp(self):
        names = [name for name in self.names(r"^ +SMTP_(\w+),", "protocol", "smtp", "command.h") if name != "unknown"]
        self.check("lmtp", names, r"(?im)^C\d*: %s\b")


if __name__ == "__main__":
    unittest.main()
