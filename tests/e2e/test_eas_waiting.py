"""ActiveSync requests that wait: Ping and hanging Sync."""
from eas_base import EasTest
from eas_client import Node


class Waiting(EasTest):
    settings = {"log__level": "debug"}

    def test_ping_is_told_of_a_delivery(self):
        phone, inbox = self.primed()
        pending = self.waits(phone.ping, 600, inbox)
        self.deliver("wake up")
        root = pending.answer().root
        self.assertEqual(root.get("Ping:Status"), "2")
        self.assertEqual([n.text for n in root.find("Ping:Folders").children], [inbox])
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["wake up"])

    def test_ping_sees_what_came_before_it(self):
        phone, inbox = self.primed()
        self.deliver("early")
        self.assertEqual(phone.ping(600, inbox).answer().root.get("Ping:Status"), "2")

    def test_ping_ends_with_its_heartbeat(self):
        phone, inbox = self.primed()
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1")

    def test_ping_repeats_what_was_kept(self):
        phone, inbox = self.primed()
        self.assertEqual(phone.post("Ping").root.get("Ping:Status"), "3")
        phone.ping(1, inbox).answer()
        self.assertEqual(phone.post("Ping").root.get("Ping:Status"), "1")
        self.deliver("news")
        self.assertEqual(phone.post("Ping").root.get("Ping:Status"), "2")

    def test_ping_is_told_of_flags_deletions_moves_and_folders(self):
        self.deliver("a", "b")
        phone, inbox = self.primed()
        desktop = self.imap()

        def told(change, status="2"):
            pending = phone.ping(600, inbox)
            change()
            self.assertEqual(pending.answer().root.get("Ping:Status"), status)
            phone.sync_all(inbox)
        told(lambda: desktop.store("1", "+FLAGS", "(\\Seen)"))
        told(lambda: (desktop.store("1", "+FLAGS", "(\\Deleted)"), desktop.expunge()))
        told(lambda: desktop.uid("MOVE", "1:*", "Junk"))
        told(lambda: desktop.create("Fresh"), "7")
        phone.folder_sync()
        pending = phone.ping(600, inbox)
        self.deliver("c")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")

    def test_ping_does_not_hear_its_own_echo(self):
        self.deliver("a")
        phone, inbox = self.primed()
        phone.command(inbox, phone.change(phone.item(inbox, "a"), Node("Email:Read", "1")))
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1")

    def test_newer_ping_ends_the_older(self):
        phone, inbox = self.primed()
        older = self.waits(phone.ping, 600, inbox)
        newer = phone.ping(600, inbox)
        self.assertEqual(older.answer().root.get("Ping:Status"), "1")
        self.deliver("x")
        self.assertEqual(newer.answer().root.get("Ping:Status"), "2")

    def test_ping_refusals(self):
        phone, inbox = self.primed()
        root = phone.ping(4000, inbox).answer().root
        self.assertEqual((root.get("Ping:Status"), root.get("Ping:HeartbeatInterval")), ("5", "3540"))
        root = phone.ping(0, inbox).answer().root
        self.assertEqual((root.get("Ping:Status"), root.get("Ping:HeartbeatInterval")), ("5", "1"))
        root = phone.ping(60, *[str(100000 + i) for i in range(201)]).answer().root
        self.assertEqual((root.get("Ping:Status"), root.get("Ping:MaxFolders")), ("6", "200"))
        self.assertEqual(phone.post("Ping", Node("Ping:Ping")).root.get("Ping:Status"), "4")
        self.assertEqual(phone.ping(60, inbox, inbox).answer().root.get("Ping:Status"), "4")
        self.assertEqual(phone.ping(60, "987654").answer().root.get("Ping:Status"), "7")

    def test_ping_of_a_folder_never_synced(self):
        """iOS does that: only what comes from now on is news."""
        self.deliver("before")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1")
        pending = self.waits(phone.ping, 600, inbox)
        self.deliver("after")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")

    def test_hanging_sync(self):
        phone, inbox = self.primed()
        pending = phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=600))
        self.deliver("wake up")
        phone.take(pending.answer().root)
        self.assertEqual(phone.subjects(inbox), ["wake up"])
        answer = phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=1)).answer()
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_hanging_sync_answers_at_once_when_there_is_news(self):
        phone, inbox = self.primed()
        self.deliver("already here")
        phone.take(phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=600)).answer().root)
        self.assertEqual(phone.subjects(inbox), ["already here"])

    def test_hanging_sync_limits(self):
        phone, inbox = self.primed()
        for more, limit in ((dict(wait=60), "59"), (dict(wait=0), "1"), (dict(heartbeat=3541), "3540")):
            root = phone.call("Sync", phone.sync_request(phone.collection(inbox), **more))
            self.assertEqual((root.get("AirSync:Status"), root.get("AirSync:Limit")), ("14", limit))
        root = phone.call("Sync", phone.sync_request(phone.collection(inbox), wait=1, heartbeat=60))
        self.assertEqual(root.get("AirSync:Status"), "4")

    def test_a_hanging_sync_that_wants_no_changes_is_not_woken_by_them(self):
        """It would send nothing, wait, and be woken again at full speed."""
        phone, inbox = self.primed()
        self.deliver("before")
        lines = len(self.server.log.lines)
        pending = phone.start("Sync", phone.sync_request(phone.collection(inbox, Node("AirSync:GetChanges", 0)), heartbeat=1))
        self.assertEqual(pending.answer().body, b"")
        self.assertEqual(sum(" eas_waiting " in line for line in self.server.log.lines[lines:]), 1)
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["before"])

    def test_newer_sync_ends_the_hanging_one(self):
        phone, inbox = self.primed()
        older = self.waits(phone.start, "Sync", phone.sync_request(phone.collection(inbox), heartbeat=600))
        self.assertIsNone(phone.sync(inbox))
        self.assertEqual(older.answer().body, b"")

    def test_hanging_sync_and_new_folders(self):
        phone, inbox = self.primed()
        pending = phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=600))
        self.imap().create("Fresh")
        self.assertEqual(pending.answer().root.get("AirSync:Status"), "12")

    def test_a_client_that_vanishes(self):
        phone, inbox = self.primed()
        for _ in range(3):
            pending = self.waits(phone.ping, 600, inbox)
            pending.connection.close()
        pending = phone.ping(600, inbox)
        self.deliver("x")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")


class Quiet(EasTest):
    settings = {"push__quiet_s": 3600}

    def test_changes_wake_once_new_mail_always(self):
        self.deliver("a", "b", "c")
        phone, inbox = self.primed()
        desktop = self.imap()
        pending = phone.ping(600, inbox)
        desktop.store("1", "+FLAGS", "(\\Seen)")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2", "the first is told at once")
        phone.sync_all(inbox)
        pending = phone.ping(2, inbox)
        desktop.store("2", "+FLAGS", "(\\Seen)")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1", "the second waits for the quiet time")
        pending = phone.ping(600, inbox)
        self.deliver("new")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2", "new mail does not")
