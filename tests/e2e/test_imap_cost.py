"""What IMAP commands cost: the statements that PostgreSQL sees, and what a client can ask for that does not read."""
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
        self.server = Server(store="url", search__quiet_ms="3600000")  # nothing is packed behind the commands
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

    def test_who_asks_and_does_not_read_is_waited_for(self):
        client, other = self.server.raw_imap(), self.server.raw_imap()
        client.ok("SELECT INBOX")
        rows, commands = 256, 800
        self.fill(client, rows)
        client.ok("STORE 1:* +FLAGS.SILENT (%s)" % " ".join(f"k{n}" + "x" * 100 for n in range(2)))
        client.ok("SELECT INBOX")
        other.ok("SELECT INBOX")
        # 800 x 256 rows with long keywords: 50 MB of replies, far more than the sockets hold, in pieces that the out-buffer takes.
        asked = "".join(f"p{n} FETCH 1:* FLAGS\r\n" for n in range(commands)) + "set STORE 1 +FLAGS (\\Flagged)\r\nend LOGOUT\r\n"
        sender = threading.Thread(target=client.send, args=(asked,))
        sender.start()
        self.assertTrue(client.line().startswith(b"* 1 FETCH"))
        other.ok("NOOP")  # tells of the keywords
        # Others have their turn, and the command at the end is not reached: what stands before it would be in memory.
        end, slowest, rounds = time.monotonic() + 3, 0, 0
        while time.monotonic() < end:
            start = time.monotonic()
            self.assertEqual(other.ok("NOOP"), [])
            slowest, rounds = max(slowest, time.monotonic() - start), rounds + 1
        self.assertLess(slowest, 1.5)
        self.assertGreater(rounds, 2)
        told = client.file.read()
        sender.join()
        self.assertEqual(re.findall(rb"(?m)^p(\d+) OK", told), [b"%d" % n for n in range(commands)])
        self.assertEqual(told.count(b" FETCH (") + 1, rows * commands + 1)
        self.assertTrue(told.endswith(b"end OK LOGOUT completed\r\n"))
        self.assertIn(b"\\Flagged", other.ok("NOOP")[0])


if __name__ == "__main__":
    unittest.main()
