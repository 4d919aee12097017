"""Who waits is told, by the same event: IDLE and Ping, on one node and between nodes. The recheck is switched off, so
that nothing but the event can have told them."""
import imaplib
import unittest

from eas_base import EasTest
from eas_client import Phone
from harness import PASSWORD, Server, message


def park(server, phone, *folders):
    """A Ping that waits in the server when this returns."""
    start = len(server.log.lines)
    pending = phone.ping(600, *folders)
    server.log.wait(r" eas_waiting ", start)
    return pending


class OneNode(EasTest):
    settings = {"log__level": "debug", "push__recheck_s": 0}

    def setUp(self):
        super().setUp()
        self.deliver("one", "two", "three")
        self.device, self.inbox = self.primed()
        self.archive = self.device.folder("Archive")
        self.device.sync_all(self.archive)
        self.desktop = self.server.raw_imap(self.user)
        self.desktop.ok("SELECT INBOX")
        self.writer = self.server.raw_imap(self.user)
        self.writer.ok("SELECT INBOX")

    def told(self, change, line, status="2", folders=None):
        """change() makes the desktop hear a line that matches, or nothing (None), and the phone be told."""
        self.desktop.idle()
        ping = park(self.server, self.device, self.inbox, self.archive)
        change()
        root = ping.answer().root
        self.assertEqual(root.get("Ping:Status"), status)
        if status == "2":
            self.assertEqual({n.text for n in root.find("Ping:Folders").children}, set(folders or (self.inbox,)))
        if line:
            self.desktop.idle_wait(line)
        self.desktop.done()
        self.device.sync_all(self.inbox)
        self.device.sync_all(self.archive)

    def test_delivery(self):
        self.told(lambda: self.deliver("four"), rb"^\* 4 EXISTS")

    def test_append(self):
        octets = message("appended", to=self.user)

        def append():
            self.writer.send(b"a APPEND Archive (\\Seen) {%d+}\r\n%s\r\n" % (len(octets), octets))
            self.writer.finish(b"a")
        self.told(append, None, folders=[self.archive])

    def test_flag_change(self):
        self.told(lambda: self.writer.ok("STORE 2 +FLAGS (\\Seen)"), rb"^\* 2 FETCH .*\\Seen")
        self.told(lambda: self.writer.ok("STORE 2 -FLAGS (\\Seen)"), rb"^\* 2 FETCH ")

    def test_expunge(self):
        def expunge():
            self.writer.ok("STORE 2 +FLAGS (\\Deleted)")
            self.writer.ok("EXPUNGE")
        self.told(expunge, rb"^\* 2 EXPUNGE")
        self.assertEqual(self.device.subjects(self.inbox), ["one", "three"])

    def test_move(self):
        self.told(lambda: self.writer.ok("MOVE 3 Archive"), rb"^\* 3 EXPUNGE", folders=[self.inbox, self.archive])
        self.assertEqual((self.device.subjects(self.inbox), self.device.subjects(self.archive)), (["one", "two"], ["three"]))

    def test_copy(self):
        self.told(lambda: self.writer.ok("COPY 1 Archive"), None, folders=[self.archive])

    def test_restore_by_command_line(self):
        self.writer.ok("STORE 1 +FLAGS (\\Deleted)")
        self.writer.ok("EXPUNGE")
        self.desktop.ok("NOOP")
        self.device.sync_all(self.inbox)
        (wanted,) = self.server.cli("deleted", "list", self.user, "--ids").out.split()
        self.told(lambda: self.server.cli("deleted", "restore", self.user, wanted), rb"^\* 3 EXISTS")
        self.assertEqual(self.device.subjects(self.inbox), ["one", "three", "two"])

    def test_folders(self):
        self.told(lambda: self.writer.ok("CREATE Fresh"), None, status="7")
        self.device.folder_sync()
        self.device.folder("Fresh")
        self.told(lambda: self.writer.ok("RENAME Fresh Other"), None, status="7")
        self.device.folder_sync()
        self.device.folder("Other")
        self.told(lambda: self.writer.ok("DELETE Other"), None, status="7")
        self.device.folder_sync()
        self.assertNotIn("Other", [name for name, _, _ in self.device.folders.values()])

    def test_a_folder_that_is_open_is_deleted(self):
        self.writer.ok("CREATE Brief")
        self.device.folder_sync()
        brief = self.device.folder("Brief")
        self.device.sync_all(brief)
        ping = park(self.server, self.device, brief)
        self.writer.ok("DELETE Brief")
        self.assertEqual(ping.answer().root.get("Ping:Status"), "7")

    def test_every_one_who_waits(self):
        desktops = [self.server.raw_imap(self.user) for _ in range(3)]
        phones = [Phone(self.server, self.user, PASSWORD, device=f"PHONE{i + 2}") for i in range(3)]
        waiting = []
        for desktop in desktops:
            desktop.ok("SELECT INBOX")
            desktop.idle()
        for phone in phones:
            inbox = phone.folder("Inbox")
            phone.sync_all(inbox)
            waiting.append(park(self.server, phone, inbox))
        self.deliver("for all")
        for desktop in desktops:
            desktop.idle_wait(rb"^\* 4 EXISTS")
        self.assertEqual([ping.answer().root.get("Ping:Status") for ping in waiting], ["2"] * 3)

    def test_nobody_else_is_told(self):
        EasTest.counter += 1
        other = f"user{EasTest.counter}@example.test"
        self.server.add_account(other)
        phone = Phone(self.server, other)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        ping = park(self.server, phone, inbox)
        self.told(lambda: self.deliver("not for the other"), rb"^\* 4 EXISTS")
        self.assertFalse(ping.has_answer())
        self.server.deliver(message("for the other", to=other), to=other)
        self.assertEqual(ping.answer().root.get("Ping:Status"), "2")


class TwoNodes(unittest.TestCase):
    """Two servers on one database: what happens on one is told by the other."""
    user = "alice@example.test"

    @classmethod
    def setUpClass(cls):
        cls.near = Server(store="url", log__level="debug", push__recheck_s=0)
        try:
            cls.far = Server(start=False, store="embedded", log__level="debug", push__recheck_s=0)
            del cls.far.settings["database.unsafe_no_fsync"]
            cls.far.settings["database.url"] = cls.near.settings["database.url"]
            cls.far.start()
        except BaseException:
            cls.near.close()
            raise

    @classmethod
    def tearDownClass(cls):
        try:
            cls.far.close()
        finally:
            cls.near.close()

    def account(self, login):
        self.near.add_account(login)
        return login

    def waiting(self, server, login):
        """One IDLE and one Ping that wait on the server."""
        phone, desktop = Phone(server, login), server.raw_imap(login)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        desktop.ok("SELECT INBOX")
        desktop.idle()
        return phone, inbox, desktop, park(server, phone, inbox)

    def test_news_of_the_other_node(self):
        for number, (here, there) in enumerate(((self.near, self.far), (self.far, self.near))):
            with self.subTest(number):
                login = self.account(f"news{number}@example.test")
                phone, inbox, desktop, ping = self.waiting(there, login)
                here.deliver(message("from the other node", to=login), to=login)
                desktop.idle_wait(rb"^\* 1 EXISTS")
                self.assertEqual(ping.answer().root.get("Ping:Status"), "2")
                phone.sync(inbox)
                self.assertEqual(phone.subjects(inbox), ["from the other node"])

                ping = park(there, phone, inbox)
                writer = here.raw_imap(login)
                writer.ok("SELECT INBOX")
                writer.ok("STORE 1 +FLAGS (\\Seen)")
                desktop.idle_wait(rb"^\* 1 FETCH .*\\Seen")
                self.assertEqual(ping.answer().root.get("Ping:Status"), "2")
                phone.sync(inbox)

                ping = park(there, phone, inbox)
                writer.ok("STORE 1 +FLAGS (\\Deleted)")
                writer.ok("EXPUNGE")
                desktop.idle_wait(rb"^\* 1 EXPUNGE")
                self.assertEqual(ping.answer().root.get("Ping:Status"), "2")
                phone.sync(inbox)
                self.assertEqual(phone.subjects(inbox), [])

                ping = park(there, phone, inbox)
                writer.ok("CREATE Elsewhere")
                self.assertEqual(ping.answer().root.get("Ping:Status"), "7")

    def test_one_device_on_both_nodes(self):
        """State is in the store: any node answers any request."""
        login = self.account("roaming@example.test")
        phone = Phone(self.near, login)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        for number, server in enumerate((self.far, self.near, self.far)):
            self.near.deliver(message(f"mail {number}", to=login), to=login)
            phone.server = server
            phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["mail 0", "mail 1", "mail 2"])
        self.assertIsNone(phone.sync(inbox))

    def test_a_changed_password_ends_sessions_on_both(self):
        login = self.account("moved@example.test")
        parts = [(server, *self.waiting(server, login)[2:]) for server in (self.near, self.far)]
        self.near.cli("account", "password", login, "--password-stdin", stdin="other\n")
        for server, desktop, ping in parts:
            with self.assertRaises((EOFError, ConnectionError)):
                desktop.idle_wait(rb"never matches")
            self.assertEqual(ping.answer().root.get("Ping:Status"), "1", "ended: its repetition must log in")
            with self.assertRaises(imaplib.IMAP4.error):
                server.imap(login, PASSWORD)
            phone = Phone(server, login)
            self.assertEqual(phone.post("FolderSync", body=b"").status, 401)
            server.imap(login, "other")


if __name__ == "__main__":
    unittest.main()
