"""One event, every client: IDLE, Ping and hanging Sync are told of the same changes, from this process and from others.
The recheck of the clocks is switched off (push.recheck_s=0), so that only events can tell."""
import os
import re
import subprocess
import unittest

from eas_base import EasTest
from eas_client import Node, Phone
from harness import Server, message

ALICE = "alice@example.test"


def waiting(server, phone, *folders):
    lines = len(server.log.lines)
    pending = phone.ping(600, *folders)
    server.log.wait(r" eas_waiting ", lines)
    return pending


class Push(EasTest):
    settings = {"log__level": "debug"}

    def test_every_change_is_told_to_ping_and_idle(self):
        self.deliver("one", "two")
        phone, inbox = self.primed()
        desktop, other = self.server.raw_imap(self.user), self.server.raw_imap(self.user)
        for client in (desktop, other):
            client.ok("SELECT INBOX")

        def restore():
            ids = self.server.cli("deleted", "list", self.user, "--ids").out.split()
            self.server.cli("deleted", "restore", self.user, ids[0])
        rows = (
            ("a delivery", lambda: self.deliver("three"), rb"^\* 3 EXISTS", "2"),
            ("a flag", lambda: other.ok("UID STORE 1 +FLAGS (\\Flagged)"), rb"^\* 1 FETCH .*\\Flagged", "2"),
            ("a keyword", lambda: other.ok("UID STORE 1 +FLAGS (Invoice)"), rb"^\* 1 FETCH .*Invoice", "2"),
            ("a removal", lambda: (other.ok("UID STORE 1 +FLAGS (\\Deleted)"), other.ok("EXPUNGE")), rb"^\* 1 EXPUNGE", "2"),
            ("a restore by another process", restore, rb"^\* 3 EXISTS", "2"),
            ("a move away", lambda: other.ok("UID MOVE 2 Archive"), rb"^\* 1 EXPUNGE", "2"),
            ("a copy in", lambda: other.ok("UID COPY 3 INBOX"), rb"^\* 3 EXISTS", "2"),
            ("an append", lambda: self.server.imap(self.user).append("INBOX", "", None, message("four")), rb"^\* 4 EXISTS", "2"),
            ("a new mailbox", lambda: other.ok("CREATE Fresh"), None, "7"),
            ("a renamed mailbox", lambda: other.ok("RENAME Fresh Older"), None, "7"),
            ("a deleted mailbox", lambda: other.ok("DELETE Older"), None, "7"),
        )
        for name, change, pattern, status in rows:
            with self.subTest(name):
                phone.sync_all(inbox)
                phone.folder_sync()
                pending = waiting(self.server, phone, inbox)
                desktop.idle()
                change()
                self.assertEqual(pending.answer().root.get("Ping:Status"), status)
                if pattern:
                    desktop.idle_wait(pattern)
                desktop.done()

    def test_hanging_sync_hears_the_same(self):
        self.deliver("one")
        phone, inbox = self.primed()
        other = self.imap()
        lines = len(self.server.log.lines)
        pending = phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=600))
        self.server.log.wait(r" eas_waiting ", lines)
        other.store("1", "+FLAGS", "(\\Seen)")
        phone.take(pending.answer().root)
        self.assertEqual(phone.items[inbox][phone.item(inbox, "one")].get("Email:Read"), "1")


class Silence(unittest.TestCase):
    def test_waiting_clients_run_no_statement(self):
        """From the moment that they are parked until the heartbeat's end the database is asked nothing."""
        with Server(store="url", log__level="debug") as server:
            def statements():
                return subprocess.run(["psql", "-qXAt", "-d", os.environ["GODWIT_TEST_ADMIN_URL"], "-c",
                                       "select pid, query_start, state from pg_stat_activity where datname = "
                                       f"'{server.database}' order by pid"],
                                      capture_output=True, text=True, check=True).stdout
            phones = [Phone(server, login=ALICE, device=f"PHONE{number}") for number in range(5)]
            inbox = phones[0].folder("Inbox")
            for phone in phones:
                phone.sync_all(inbox)
            desktop = server.raw_imap(ALICE)
            desktop.ok("SELECT INBOX")
            desktop.idle()
            pending = [waiting(server, phone, inbox) for phone in phones[1:]]
            lines = len(server.log.lines)
            last = phones[0].ping(2, inbox)
            server.log.wait(r" eas_waiting ", lines)
            before = statements()
            self.assertIn("idle", before)
            self.assertEqual(last.answer().root.get("Ping:Status"), "1")
            self.assertEqual(statements(), before)
            server.deliver(message("news"), to=ALICE)
            for ping in pending:
                self.assertEqual(ping.answer().root.get("Ping:Status"), "2")
            desktop.idle_wait(rb"^\* 1 EXISTS")
            self.assertNotEqual(statements(), before)


class TwoNodes(unittest.TestCase):
    """Two servers share one store: what one commits the other's clients hear of."""

    def setUp(self):
        self.first = Server(store="url", log__level="debug")
        self.addCleanup(self.first.close)
        url = self.first.settings["database.url"]
        self.second = Server(start=False, store="embedded", log__level="debug", database__url=url)
        self.second.settings.pop("database.unsafe_no_fsync", None)
        self.addCleanup(self.second.close)
        self.second.start()

    def test_clients_of_the_other_node_are_told(self):
        phone = Phone(self.second, login=ALICE)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        desktop = self.second.raw_imap(ALICE)
        desktop.ok("SELECT INBOX")
        pending = waiting(self.second, phone, inbox)
        desktop.idle()
        self.first.deliver(message("from the other node"), to=ALICE)
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")
        desktop.idle_wait(rb"^\* 1 EXISTS")
        desktop.done()
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["from the other node"])

    def test_a_phone_may_change_nodes_between_any_two_requests(self):
        phone = Phone(self.first, login=ALICE)
        inbox = phone.folder("Inbox")
        for number in range(6):
            self.first.deliver(message(f"mail {number}"), to=ALICE)
        phone.sync(inbox)
        while True:
            phone.server = self.second if phone.server is self.first else self.first
            collection = phone.sync(inbox, Node("AirSync:GetChanges"), Node("AirSync:WindowSize", "1"))
            if collection is None or collection.find("AirSync:MoreAvailable") is None:
                break
        self.assertEqual(phone.subjects(inbox), [f"mail {number}" for number in range(6)])

    def test_a_changed_password_ends_sessions_on_both(self):
        sessions = [server.raw_imap(ALICE) for server in (self.first, self.second)]
        for session in sessions:
            session.ok("SELECT INBOX")
            session.idle()
        phone = Phone(self.second, login=ALICE)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        pending = waiting(self.second, phone, inbox)
        self.first.cli("account", "password", ALICE, "--password-stdin", stdin="other\n")
        for session in sessions:
            self.assertTrue(session.idle_wait(rb"^\* BYE"))
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1")
        self.assertEqual(phone.post("FolderSync").status, 401)
        for server in (self.first, self.second):
            server.raw_imap(ALICE, "other")

    def test_a_mailbox_kept_in_memory_follows_the_other_node(self):
        """The second node's snapshot of a mailbox that nobody watches there is brought forward before it answers."""
        desktop = self.second.raw_imap(ALICE)
        desktop.ok("SELECT INBOX")
        for number in range(1, 4):
            self.first.deliver(message(f"mail {number}"), to=ALICE)
            lines = self.settled(desktop, number)
            self.assertIn(b"* %d EXISTS" % number, lines)

    def settled(self, desktop, number):
        desktop.idle()
        lines = [desktop.idle_wait(rb"^\* %d EXISTS" % number)]
        desktop.done()
        again = self.second.raw_imap(ALICE)
        lines += again.ok("SELECT INBOX")
        again.close()
        return lines if any(re.match(rb"\* %d EXISTS" % number, line) for line in lines[1:]) else []


if __name__ == "__main__":
    unittest.main()
