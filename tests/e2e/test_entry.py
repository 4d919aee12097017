"""The doors of the store: what every way in makes of a message, who may log in how, and what a big message costs."""
import imaplib
import os
import re
import secrets
import subprocess
import sys
import time
import unittest

from eas_base import EasTest
from harness import LIMIT_S, PASSWORD, Server, ServerTest
from test_lmtp import Lmtp

ALICE = "alice@example.test"

ROWS = ( # name, as it is sent, as it is kept (RFC 5322 2.3: CR and LF only together)
    ("bare LF", b"Subject: s\n\none\ntwo\n", b"Subject: s\r\n\r\none\r\ntwo\r\n"),
    ("bare CR", b"Subject: s\r\n\r\none\rtwo\r\n", b"Subject: s\r\n\r\none\r\ntwo\r\n"),
    ("a dot alone between bare line ends", b"Subject: s\r\n\r\none\n.\ntwo\r\n", b"Subject: s\r\n\r\none\r\n.\r\ntwo\r\n"),
    ("CR at the very end", b"Subject: s\r\n\r\none\r", b"Subject: s\r\n\r\none\r\n"),
    ("8 bits stay", b"Subject: s\r\n\r\n\xff\xfe\r\n", b"Subject: s\r\n\r\n\xff\xfe\r\n"),
)


class LineEnds(EasTest):
    def test_append(self):
        for name, sent, kept in ROWS:
            with self.subTest(name):
                client = self.server.raw_imap(self.user)
                client.ok("CREATE " + secrets.token_hex(4))
                client.send(b"a APPEND INBOX {%d}\r\n" % len(sent))
                self.assertTrue(client.line().startswith(b"+"))
                client.send(sent + b"\r\n")
                self.assertIn(b"a OK", client.line())
                desktop = self.imap()
                self.assertEqual(desktop.fetch("*", "(BODY.PEEK[])")[1][0][1], kept)
                desktop.shutdown()

    def test_send_mail(self):
        """A phone's message goes to its recipient and to Sent: the same octets, whole lines only."""
        phone = self.phone()
        phone.folder_sync()
        head = f"From: {self.user}\nTo: {self.user}\r".encode()
        for name, sent, kept in ROWS[:4]:
            with self.subTest(name):
                subject = secrets.token_hex(6).encode()
                mime = head + sent.replace(b"Subject: s", b"Subject: " + subject)
                self.assertEqual(phone.send(mime, secrets.token_hex(8)).status, 200)
                for box in ("INBOX", "Sent"):
                    desktop = self.imap(box)
                    found = desktop.search(None, "SUBJECT", subject.decode())[1][0].split()
                    self.assertEqual(len(found), 1, box)
                    octets = desktop.fetch(found[0], "(BODY.PEEK[])")[1][0][1]
                    self.assertNotRegex(octets, rb"(?<!\r)\n|\r(?!\n)")
                    self.assertTrue(octets.endswith(kept[kept.index(b"\r\n\r\n"):]), octets)
                    desktop.shutdown()


class Swaks(ServerTest):
    def test_a_real_sender(self):
        """swaks speaks LMTP over STARTTLS, pipelined, to two recipients with a subaddress."""
        done = subprocess.run(["swaks", "--protocol", "LMTP", "--server", "127.0.0.1", "--port", str(self.server.ports["lmtp"]),
                               "--tls", "--pipeline", "--from", "swaks@example.org", "--to", f"{ALICE},bob+tag@example.test",
                               "--helo", "swaks.example.org", "--header", "Subject: by swaks", "--body", "hello", "--timeout", "30"],
                              capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for login in (ALICE, "bob@example.test"):
            client = self.server.imap(login, select="INBOX")
            self.assertIn(b"by swaks", client.fetch("1", "(BODY.PEEK[HEADER])")[1][0][1])


class Memory(unittest.TestCase):
    def test_big_messages_take_bounded_memory(self):
        """Twelve messages of 16 MB on their way at once are 192 MB; the server holds a part of that."""
        with Server(store="url", lmtp__size_max="64M") as server:
            def resident():
                with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
                    return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) << 10
            before = resident()
            clients = [Lmtp(server) for _ in range(12)]
            for client in clients:
                client.open_mail(ALICE)
                client.ask("DATA")
            block = (b"x" * 76 + b"\r\n") * 1024
            for _ in range(210):
                for client in clients:
                    client.send(block)
            while_reading = resident()
            for client in clients:
                client.send(b".\r\n")
            for client in clients:
                self.assertTrue(client.reply().startswith("250"))
                client.close()
            self.assertLess(while_reading - before, 48 << 20)


class Slowed(unittest.TestCase):
    """auth.failures_max failures are answered at once, later ones after auth.slow_ms: counted by account and by address."""
    SLOW_S = 1.5

    def setUp(self):
        self.server = Server(auth__failures_max=2, auth__slow_ms=int(self.SLOW_S * 1000), auth__slow_max_ms=int(self.SLOW_S * 1000))
        self.addCleanup(self.server.close)

    def attempt(self, login, password):
        """Seconds that one login takes on a connection of its own, and whether it went well."""
        client = self.server.imap(login=None)
        start = time.monotonic()
        try:
            client.login(login, password)
            good = True
        except imaplib.IMAP4.error:
            good = False
        took = time.monotonic() - start
        client.shutdown()
        return took, good

    def test_failures_are_slowed_and_the_right_password_is_not_locked_out(self):
        for _ in range(2):
            self.assertFalse(self.attempt(ALICE, "wrong")[1])
        for login in (ALICE, "bob@example.test", "nobody@example.test"):
            took, good = self.attempt(login, "wrong")  # the address has failed often enough, whatever the account
            self.assertFalse(good)
            self.assertGreaterEqual(took, self.SLOW_S)
        self.assertTrue(self.attempt(ALICE, PASSWORD)[1])

    def test_phones_are_slowed_the_same(self):
        def post(password):
            client = self.server.http()
            start = time.monotonic()
            client.request("OPTIONS", "/Microsoft-Server-ActiveSync", headers={"Authorization": self.server.basic(password=password)})
            return client.getresponse().status, time.monotonic() - start
        for _ in range(2):
            self.assertEqual(post("wrong")[0], 401)
        status, took = post("wrong")
        self.assertEqual(status, 401)
        self.assertGreaterEqual(took, self.SLOW_S)
        self.assertEqual(post(PASSWORD)[0], 200)


class Elsewhere(unittest.TestCase):
    def test_clients_that_are_not_on_loopback(self):
        """A network namespace of its own, where server and clients have an address that is not 127.0.0.1."""
        enter = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Un", "--map-current-user", "--keep-caps"]
        done = subprocess.run([*enter, sys.executable, "-W", "ignore::ResourceWarning", "-m", "unittest", "-v", "elsewhere_cases"],
                              cwd=os.path.dirname(os.path.abspath(__file__)), capture_output=True, text=True, timeout=4 * LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stderr, r"Ran [1-9]\d* tests")


if __name__ == "__main__":
    unittest.main()
