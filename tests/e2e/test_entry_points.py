"""What every way into the store keeps to: line ends, any octets, real clients, and memory that does not grow with a mail."""
import os
import re
import secrets
import subprocess
import unittest

from eas_client import Phone
from harness import LIMIT_S, Server, ServerTest, message
from test_lmtp import Lmtp, without_prefix

ALICE = "alice@example.test"
HEAD = "From: alice@example.test\nTo: {to}\rSubject: ends\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
# What is sent behind a header block, and what is kept: only a CRLF ends a line, and only CRLF.CRLF ends a mail.
BODIES = [
    ("bare LF", "\none\ntwo\n", "\r\none\r\ntwo\r\n"),
    ("bare CR", "\rone\rtwo\r", "\r\none\r\ntwo\r\n"),
    ("all three", "\r\none\rtwo\nthree\r\n", "\r\none\r\ntwo\r\nthree\r\n"),
    ("LF CR is two ends", "\r\none\n\rtwo\r\n", "\r\none\r\n\r\ntwo\r\n"),
    ("CR CR LF is two ends", "\r\none\r\r\ntwo\r\n", "\r\none\r\n\r\ntwo\r\n"),
    ("a dot between LFs", "\r\none\n.\ntwo\r\n", "\r\none\r\n.\r\ntwo\r\n"),
    ("a dot between CRs", "\r\none\r.\rtwo\r\n", "\r\none\r\n.\r\ntwo\r\n"),
    ("a dot behind LF", "\r\none\n.\r\ntwo\r\n", "\r\none\r\n.\r\ntwo\r\n"),
]


class EntryPoints(ServerTest):
    def setUp(self):
        self.login = f"u{secrets.token_hex(6)}@example.test"
        self.server.add_account(self.login)

    def only(self, mailbox="INBOX"):
        """The one message of a mailbox; it is taken away."""
        client = self.server.imap(self.login)
        self.assertEqual(client.select(mailbox)[1], [b"1"])
        mail = client.fetch("1", "(BODY.PEEK[] RFC822.SIZE)")[1][0]
        self.assertIn(b"RFC822.SIZE %d" % len(mail[1]), mail[0] + b" " + client.fetch("1", "(RFC822.SIZE)")[1][0])
        client.store("1", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.shutdown()
        return mail[1]

    def head(self):
        """A header block with bare line ends, as it is sent and as it is kept."""
        sent = HEAD.format(to=self.login)
        return sent, re.sub(r"\r\n|\r|\n", "\r\n", sent)

    def test_line_ends_by_lmtp(self):
        sent, kept = self.head()
        for name, body, want in BODIES:
            with self.subTest(name):
                client = Lmtp(self.server)
                client.open_mail(self.login)
                self.assertEqual([r[:3] for r in client.data((sent + body).encode().replace(b"\r\n.", b"\r\n..")
                                                             + (b"" if body.endswith("\r\n") else b"\r\n"))], ["250"])
                self.assertTrue(client.ask("NOOP").startswith("250"))
                client.close()
                mail = without_prefix(self.only()).decode()
                # The CRLF in front of the final dot ends one more line if there was only a bare end.
                self.assertEqual(mail, kept + want + ("" if body.endswith("\r\n") else "\r\n"))

    def test_line_ends_by_append(self):
        sent, kept = self.head()
        for name, body, want in BODIES:
            with self.subTest(name):
                client = self.server.raw_imap(self.login)
                octets = (sent + body).encode()
                client.send(b"a APPEND INBOX {%d+}\r\n%s\r\n" % (len(octets), octets))
                self.assertIn(b"a OK", client.finish(b"a")[1])
                client.close()
                self.assertEqual(self.only().decode(), kept + want)

    def test_line_ends_by_phone(self):
        sent, kept = self.head()
        sent = sent.replace("alice@example.test", self.login)
        phone = Phone(self.server, self.login)
        for number, (name, body, want) in enumerate(BODIES):
            with self.subTest(name):
                self.assertEqual(phone.send(sent + body, f"client{number}", save=True).status, 200)
                for mailbox in ("INBOX", "Sent"):
                    mail = self.only(mailbox).decode()
                    self.assertTrue(mail.endswith(want), mail)
                    self.assertNotRegex(mail, r"\r(?!\n)|(?<!\r)\n")
                    self.assertIn("\r\nSubject: ends\r\n", mail)
        self.assertIn("\r\nSubject: ends\r\n", kept)

    def test_addresses_in_utf8(self):
        client = Lmtp(self.server)
        self.assertTrue(client.ask("MAIL FROM:<jörg@bücher.example> SMTPUTF8").startswith("250"))
        self.assertTrue(client.ask(f"RCPT TO:<{self.login.replace('@', '+größe@')}>").startswith("250"))
        octets = "Subject: Grüße\r\nFrom: Jörg <jörg@bücher.example>\r\n\r\nx\r\n".encode()
        self.assertTrue(client.data(octets)[0].startswith("250"))
        client.close()
        mail = self.only()
        self.assertEqual(without_prefix(mail), octets)
        self.assertTrue(mail.startswith("Return-Path: <jörg@bücher.example>\r\nDelivered-To: ".encode()), mail[:200])
        self.assertRegex(mail, rb" with UTF8LMTP ")  # RFC 6531 4.3

    def test_swaks(self):
        for more, kind in (([], b"LMTP"), (["--tls"], b"LMTPS"), (["--pipeline"], b"LMTP")):
            with self.subTest(more):
                done = subprocess.run(["swaks", "--protocol", "LMTP", "--server", "127.0.0.1", "--port",
                                       str(self.server.ports["lmtp"]), "--to", self.login, "--from", "swaks@example.org",
                                       "--h-Subject", "by swaks", "--body", "one\n.\ntwo", "--timeout", str(int(LIMIT_S))]
                                      + more, capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                mail = self.only()
                self.assertIn(b"\r\nSubject: by swaks\r\n", mail)
                self.assertIn(b"one\r\n.\r\ntwo\r\n", mail)
                self.assertIn(b" with %s " % kind, mail)

    def test_nothing_in_a_mail_fails_its_delivery(self):
        deep = "".join(f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n" for i in range(400))
        rows = [
            ("no colon anywhere", b"just words\r\nmore words\r\n"),
            ("only a header", b"Subject: x\r\n"),
            ("header never ends", b"Subject: x\r\n" + b" folded\r\n" * 30000),
            ("a name of 100 KB", b"x" * 100000 + b": y\r\n\r\nz\r\n"),
            ("NULs", b"Sub\0ject: a\0b\r\n\r\n\0\0\0\r\n"),
            ("every octet", b"Subject: " + bytes(range(14, 256)) + b"\r\n\r\n" + bytes(b for b in range(256) if b not in (10, 13)) + b"\r\n"),
            ("nested 400 deep", deep.encode()),
            ("boundary never comes", b"Content-Type: multipart/mixed; boundary=never\r\n\r\nx\r\n"),
            ("no boundary", b"Content-Type: multipart/mixed\r\n\r\nx\r\n"),
            ("5,000 parts", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 5000),
            ("broken encoded words", b"Subject: =?utf-8?q?=C3?= =?x?b?!!!?= =?utf-8?b?\r\nFrom: <<<@,;:\"\r\nTo: \"\r\n\r\nx\r\n"),
            ("broken base64", b"Content-Transfer-Encoding: base64\r\nContent-Type: text/plain; charset=none\r\n\r\n=$%&=\r\n"),
            ("message in message", b"Content-Type: message/rfc822\r\n\r\n" * 200 + b"x\r\n"),
            ("20,000 addresses", b"To: " + b",\r\n ".join(b"a%d@b.example" % i for i in range(20000)) + b"\r\n\r\nx\r\n"),
            ("a date of nonsense", b"Date: Foo, 99 Bar 99999999999 77:88:99 +9999\r\n\r\nx\r\n"),
        ]
        phone = Phone(self.server, self.login)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox, Phone.options(0, (1, 500)))
        for number, (name, octets) in enumerate(rows):
            with self.subTest(name):
                client = Lmtp(self.server)
                client.open_mail(self.login)
                self.assertEqual([r[:3] for r in client.data(octets.replace(b"\r\n.", b"\r\n.."))], ["250"])
                client.close()
                imap = self.server.imap(self.login, select="INBOX")
                parts = imap.fetch("1", "(ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
                self.assertEqual(parts[0], "OK")
                imap.shutdown()
                phone.sync_all(inbox, Phone.options(0, (1, 500)))
                self.assertEqual(len(phone.items[inbox]), 1, number)
                self.assertEqual(without_prefix(self.only()), octets)
                phone.sync_all(inbox)


class Memory(unittest.TestCase):
    BOUND = 32 << 20

    def anonymous(self, pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return int(re.search(r"RssAnon:\s+(\d+) kB", f.read()).group(1)) << 10

    def test_a_mail_of_50_mb_is_streamed(self):
        server = Server(start=False)
        self.addCleanup(server.close)
        # A sanitizer keeps what was freed, up to 256 MB by default: that is not the server's memory.
        plain = server.environment
        server.environment = lambda: dict(plain(), ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "")
                                          + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64")
        server.start()
        server.add_account(ALICE)
        server.deliver(message("first"), ALICE)  # what is made once is there
        before = peak = self.anonymous(server.process.pid)
        block = b"".join(secrets.token_hex(36).encode() + b"\r\n" for _ in range(1 << 14))
        octets = 0
        client = Lmtp(server)
        self.addCleanup(client.close)
        client.open_mail(ALICE)
        client.send("DATA\r\n")
        client.reply()
        client.send(b"Subject: big\r\n\r\n")
        while octets < 50 << 20:
            client.send(block)
            octets += len(block)
            peak = max(peak, self.anonymous(server.process.pid))
        client.send(b".\r\n")
        client.sock.settimeout(0.002)  # look at the memory while it describes and stores
        answer = b""
        for _ in range(int(LIMIT_S / 0.002)):
            peak = max(peak, self.anonymous(server.process.pid))
            try:
                answer += client.sock.recv(1000)
                break
            except TimeoutError:
                continue
        self.assertTrue(answer.startswith(b"250"), answer)
        self.assertLess(peak - before, self.BOUND, "memory grows with the message")

        # And out again, in pieces, while the client takes its time.
        client.sock.settimeout(LIMIT_S)
        reader = server.raw_imap(ALICE)
        reader.ok("SELECT INBOX")
        before = peak = self.anonymous(server.process.pid)
        reader.send(b"f UID FETCH 2 (BODY.PEEK[])\r\n")
        head = reader.file.readline()
        left = size = int(re.search(rb"\{(\d+)\}", head).group(1))
        self.assertGreater(size, octets)
        while left:
            left -= len(reader.file.read(min(left, 1 << 20)))
            peak = max(peak, self.anonymous(server.process.pid))
        reader.finish(b"f")
        self.assertLess(peak - before, self.BOUND, "memory grows with the message")


if __name__ == "__main__":
    unittest.main()
