"""Logins: slowed after failures, by account and by address; what was verified counts no longer than it is true."""
import base64
import http.client
import re
import socket
import time
import unittest

from harness import LIMIT_S, PASSWORD, RawImap, Server, ServerTest

SLOW_S = 3  # long beside what a login takes on a busy machine


class From(RawImap):
    """A client with an address of its own: all of 127/8 is ours."""

    def __init__(self, server, address):
        self.sock = socket.create_connection(("127.0.0.1", server.ports["imap"]), LIMIT_S, (address, 0))
        self.file, self.tag = self.sock.makefile("rb"), 0
        self.greeting = self.line()


class Slowed(unittest.TestCase):
    def setUp(self):
        self.server = Server(accounts=("alice@example.test", "bob@example.test", "carol@example.test"),
                             auth__failures_max=3, auth__slow_ms=SLOW_S * 1000, auth__slow_max_ms=SLOW_S * 1000)
        self.addCleanup(self.server.close)

    def login(self, address, login, password):
        """(whether it was let in, seconds)"""
        client = From(self.server, address)
        start = time.monotonic()
        last = client.command(f'LOGIN "{login}" "{password}"')[1]
        took = time.monotonic() - start
        client.close()
        return b" OK" in last[:9], took

    def fail(self, address, login, count=3):
        for _ in range(count):
            self.assertFalse(self.login(address, login, "wrong")[0])

    def waits(self, address, login, password=PASSWORD):
        """A right password waits as long as a wrong one: else silence would tell a guesser that he was wrong."""
        good, took = self.login(address, login, password)
        self.assertEqual(good, password == PASSWORD)
        return took >= SLOW_S

    def test_by_account(self):
        for i in range(3):
            self.fail(f"127.0.1.{i + 1}", "alice@example.test", 1)
        self.assertTrue(self.waits("127.0.1.9", "alice@example.test", "wrong"), "from wherever it comes")
        self.assertTrue(self.waits("127.0.1.10", "alice@example.test"))
        self.assertFalse(self.waits("127.0.1.11", "bob@example.test"), "nobody else waits")
        self.assertFalse(self.waits("127.0.1.12", "alice@example.test"), "after a good login it starts over")

    def test_by_address(self):
        for name in ("alice", "bob", "nobody"):
            self.fail("127.0.2.1", f"{name}@example.test", 1)
        self.assertTrue(self.waits("127.0.2.1", "carol@example.test"))
        self.assertFalse(self.waits("127.0.2.2", "bob@example.test"), "other addresses do not wait")

    def test_by_unknown_account(self):
        for i in range(3):
            self.fail(f"127.0.3.{i + 1}", "nobody@example.test", 1)
        self.assertTrue(self.waits("127.0.3.9", "nobody@example.test", "wrong"), "as a known one does")

    def test_one_protocol_s_failures_count_for_the_other(self):
        self.fail("127.0.4.1", "alice@example.test")
        client = http.client.HTTPConnection("127.0.0.1", self.server.ports["http"], timeout=LIMIT_S)
        start = time.monotonic()
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync",
                       headers={"Authorization": self.server.basic("alice@example.test")})
        self.assertEqual(client.getresponse().status, 200)
        self.assertGreaterEqual(time.monotonic() - start, SLOW_S)
        client.close()

    def test_a_client_that_waits_can_go_on_or_away(self):
        self.fail("127.0.5.1", "alice@example.test")
        gone = From(self.server, "127.0.5.2")
        gone.send(b"a LOGIN alice@example.test demo\r\n")
        gone.close()
        stays = From(self.server, "127.0.5.3")
        stays.send(b"a LOGIN alice@example.test demo\r\nb NOOP\r\nc SELECT INBOX\r\n")
        answers = [stays.finish(tag)[1][:4] for tag in (b"a", b"b", b"c")]
        self.assertEqual(answers, [b"a OK", b"b OK", b"c OK"])
        plain = From(self.server, "127.0.5.1")  # this address still waits
        plain.send(b"a AUTHENTICATE PLAIN\r\n")
        self.assertTrue(plain.line().startswith(b"+"))
        plain.send(base64.b64encode(b"\0bob@example.test\0demo") + b"\r\nb NOOP\r\n")
        self.assertEqual([plain.finish(tag)[1][:4] for tag in (b"a", b"b")], [b"a OK", b"b OK"])
        stays.close()
        plain.close()


class Storm(unittest.TestCase):
    """Many logins at once, on few workers: they queue, and none is refused for that."""

    def test_everybody_gets_in(self):
        logins = [f"user{number}@example.test" for number in range(6)]
        with Server(accounts=logins, server__workers=2) as server:
            clients = [RawImap(server) for _ in range(36)]
            for number, client in enumerate(clients):
                client.send(f'a LOGIN "{logins[number % 6]}" "{PASSWORD}"\r\n')
            phones = [server.http() for _ in range(24)]
            for number, phone in enumerate(phones):
                phone.request("OPTIONS", "/Microsoft-Server-ActiveSync",
                              headers={"Authorization": server.basic(logins[number % 6])})
            self.assertEqual([client.finish(b"a")[1][:4] for client in clients], [b"a OK"] * 36)
            self.assertEqual([phone.getresponse().status for phone in phones], [200] * 24)
            for client in clients:
                client.close()


class Verified(ServerTest):
    settings = {"log__level": "debug"}

    def test_a_known_password_is_not_hashed_again(self):
        login = "cached@example.test"
        self.server.add_account(login)
        self.server.log.wait(r" hub\.listening ")  # which drops what was verified before it
        verified = r" login .*login=%s .*result=ok"
        self.server.imap(login)
        self.server.log.wait(verified % login)
        start = len(self.server.log.lines)
        self.server.imap(login)
        self.server.add_account("later@example.test")
        self.server.imap("later@example.test")
        self.server.log.wait(verified % "later@example.test", start)  # the log is read up to here
        self.assertEqual([line for line in self.server.log.lines[start:] if re.search(r" login .*login=cached@", line)], [],
                         "from the cache: nothing was verified")
        session = self.server.raw_imap(login)
        self.server.cli("account", "password", login, "--password-stdin", stdin="other\n")
        self.assertIn(b"BYE", session.line())  # the server has heard of it
        client = RawImap(self.server)
        self.assertIn(b" NO ", client.command(f'LOGIN "{login}" "{PASSWORD}"')[1])
        client.ok(f'LOGIN "{login}" other')
        client.close()

    def test_an_unknown_login_takes_as_long_as_a_known_one(self):
        def verified(login):
            start = len(self.server.log.lines)
            client = RawImap(self.server)
            self.assertIn(b"AUTHENTICATIONFAILED", client.command(f'LOGIN "{login}" wrong')[1])
            client.close()
            return float(self.server.log.wait(r" login .*result=denied.* ms=([\d.]+)", start).group(1))
        known = min(verified("alice@example.test") for _ in range(2))
        unknown = min(verified("nobody@example.test") for _ in range(2))
        self.assertGreater(unknown, known / 4, "the hash is what takes the time, and both have one")


if __name__ == "__main__":
    unittest.main()
