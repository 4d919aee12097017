"""Many sessions that idle on one mailbox: each change is asked of the store once, and told to all."""
import resource
import unittest

from eas_base import Sql
from harness import Server, message, wait_for

ALICE = "alice@example.test"
SESSIONS = 1000
CALLS = "select coalesce(sum(calls), 0) from pg_stat_user_functions where funcname = 'changes_1'"


class ManyIdle(unittest.TestCase):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.server = Server(store="url", imap__conns_per_address_max=2 * SESSIONS)
        self.addCleanup(self.server.close)

    def test_one_query_per_change(self):
        sql = Sql(self.server)
        sql(f"alter database {self.server.database} set track_functions = 'all'")
        self.server.stop()
        self.server.start()
        self.server.deliver(message("one"), ALICE)
        writer = self.server.raw_imap()
        writer.ok("SELECT INBOX")
        sessions = []
        for _ in range(SESSIONS):
            session = self.server.raw_imap()
            self.addCleanup(session.close)
            session.ok("SELECT INBOX")
            session.idle()
            sessions.append(session)

        def calls():
            """Once the server's connections said what they did: they do so when they have been idle for a while."""
            sql("select pg_stat_clear_snapshot()")
            return int(sql(CALLS)[0])

        def settled(least):
            seen = []

            def same():
                seen.append(calls())
                return seen[-1] >= least
            wait_for(same, f"{least} calls", limit=30)
            return seen[-1]
        changes = 0
        for number in range(2, 5):
            self.server.deliver(message(f"mail {number}"), ALICE)
            for session in sessions:
                session.idle_wait(rb"^\* %d EXISTS" % number)
            writer.ok("NOOP")
            writer.ok(f"STORE {number} +FLAGS (\\Flagged)")
            for session in sessions:
                session.idle_wait(rb"^\* %d FETCH .*Flagged" % number)
            changes += 2
        count = settled(changes)
        self.assertLessEqual(count, 2 * changes + 2, "each change was asked for once, not by each session")


if __name__ == "__main__":
    unittest.main()
