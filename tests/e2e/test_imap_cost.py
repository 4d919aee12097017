"""What IMAP commands cost: the statements that PostgreSQL sees, and the memory of a client that asks and does not read."""
import os
import re
import subprocess
import threading
import time
import unittest

from harness import Server, message, wait_for

ALICE = "alice@example.test"


class Statements:
    """What the server's connections ran, by PostgreSQL's own account: each statement moves its backend's query_start, at once.
    Looked at from another database, so that looking does not count."""

    def __init__(self, server):
        self.server = server

    def seen(self):
        done = subprocess.run(["psql", "-qXAt", "-F", "|", "-v", "ON_ERROR_STOP=1", "-d", os.environ["GODWIT_TEST_ADMIN_URL"], "-c",
                               "select pid, query_start, left(regexp_replace(query, '\\s+', ' ', 'g'), 100) from pg_stat_activity "
                               f"where datname = '{self.server.database}'"], check=True, capture_output=True)
        return set(done.stdout.decode().splitlines())

    def settle(self):
        """Waits until what earlier commands left to do (NOTIFY) is done: two looks in a row see the same."""
        looks = [None, self.seen()]

        def same():
            looks.append(self.seen())
            return looks[-1] == looks[-2]
        wait_for(same, "the server's connections to be idle")

    def of(self, run):
        """The last statements of the connections that ran any during run()."""
        self.settle()
        before = self.seen()
        run()
        return sorted(self.seen() - before)


class Cost(unittest.TestCase):
    def setUp(self):
        self.server = Server(store="url")
        self.addCleanup(self.server.close)
        self.statements = Statements(self.server)

    def fill(self, client, count):
        """INBOX gets so many messages; client has it selected. count: a power of two, more than there are."""
        have = int(re.search(rb"MESSAGES (\d+)", client.ok("STATUS INBOX (MESSAGES)")[-1]).group(1))
        if not have:
            self.server.deliver(message("one"), ALICE)
            have = 1
        while have < count:
            client.ok("NOOP")
            client.ok("COPY 1:* INBOX")
            have *= 2
        client.ok("NOOP")

    def test_warm_commands_ask_the_database_nothing(self):
        client = self.server.raw_imap()
        client.ok("SELECT INBOX")
        for count in (1, 1024):  # answered on the loop, and by a worker
            self.fill(client, count)
            client.ok("SELECT INBOX")  # takes \Recent
            client.ok("SELECT INBOX")  # and knows of it
            client.ok("FETCH 1:* (FLAGS UID)")  # a worker that never had a connection opens one
            for command, lines in (("SELECT INBOX", None), ("EXAMINE INBOX", None), ("FETCH 1:* (FLAGS UID)", count),
                                   ("UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)", count), ("SEARCH UNSEEN", 1), ("NOOP", 0)):
                with self.subTest(command, count=count):
                    told = []
                    self.assertEqual(self.statements.of(lambda: told.extend(client.ok(command))), [])
                    if lines is not None:
                        self.assertEqual(len(told), lines)

    def test_a_second_session_finds_the_mailbox_warm(self):
        first, second = self.server.raw_imap(), self.server.raw_imap()
        first.ok("SELECT INBOX")
        self.fill(first, 2)
        first.ok("SELECT INBOX")
        first.ok("SELECT INBOX")
        self.assertEqual(self.statements.of(lambda: second.ok("SELECT INBOX")), [])
        self.assertEqual(self.statements.of(lambda: second.ok("FETCH 1:* (FLAGS UID)")), [])

    def test_the_measure_sees_what_is_asked(self):
        """The same measure is not blind: commands that must ask are seen."""
        client = self.server.raw_imap()
        self.assertNotEqual(self.statements.of(lambda: client.ok("SELECT INBOX")), [], "a cold SELECT")
        self.fill(client, 1)
        self.assertNotEqual(self.statements.of(lambda: client.ok("SELECT INBOX")), [], "a SELECT that takes \\Recent")
        client.ok("SELECT INBOX")
        self.assertEqual(self.statements.of(lambda: client.ok("SELECT INBOX")), [])
        self.assertNotEqual(self.statements.of(lambda: client.ok("FETCH 1 (ENVELOPE)")), [], "an ENVELOPE")
        self.assertNotEqual(self.statements.of(lambda: client.ok("STORE 1 +FLAGS (\\Seen)")), [], "a STORE")
        self.assertNotEqual(self.statements.of(lambda: client.ok("STATUS Archive (MESSAGES)")), [], "STATUS")

    def peak_kb(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))

    def test_who_asks_and_does_not_read_is_waited_for(self):
        client, other = self.server.raw_imap(), self.server.raw_imap()
        client.ok("SELECT INBOX")
        rows, commands = 256, 6000
        self.fill(client, rows)
        client.ok("SELECT INBOX")
        before = self.peak_kb()
        # 6,000 x 256 rows: some 40 MB of replies, asked for in 140 KB.
        asked = "".join(f"p{n} FETCH 1:* FLAGS\r\n" for n in range(commands)) + "end LOGOUT\r\n"
        sender = threading.Thread(target=client.send, args=(asked,))
        sender.start()
        self.assertTrue(client.line().startswith(b"* 1 FETCH"))
        slowest = 0
        for _ in range(200):  # meanwhile others have their turn
            start = time.monotonic()
            other.ok("NOOP")
            slowest = max(slowest, time.monotonic() - start)
        self.assertLess(slowest, 2)
        self.assertLess(self.peak_kb() - before, 16 * 1024)
        told = client.file.read()
        sender.join()
        self.assertEqual(re.findall(rb"(?m)^p(\d+) OK", told), [b"%d" % n for n in range(commands)])
        self.assertEqual(told.count(b" FETCH (") + 1, rows * commands)
        self.assertTrue(told.endswith(b"end OK LOGOUT completed\r\n"))


if __name__ == "__main__":
    unittest.main()
