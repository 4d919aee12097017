"""The hard cases of mobile sync on the wire: sequences of events that would lose, double or hide mail, or make phones
loop. Each test is named after its case."""
import base64
import socket
import time

from eas_base import BOB, EasTest, wait_lines
from eas_client import Node, Phone
from harness import PASSWORD, message


def delete(item):
    return Node("AirSync:Delete", Node("AirSync:ServerId", item))


class HardCases(EasTest):
    settings = {"log__level": "debug"}

    def append(self, desktop, subject, date, folder="INBOX"):
        desktop.append(folder, None, date, message(subject, to=self.user))

    # ---- 5: what the device did itself is not echoed, and nothing else is hidden by that ----

    def test_hard_case_5a_the_copy_in_deleted_items_is_told_to_the_phone_that_deleted(self):
        self.deliver("gone")
        phone, inbox = self.primed()
        trash = phone.folder("Trash")
        phone.sync_all(trash)
        phone.command(inbox, delete(phone.item(inbox, "gone")))
        phone.sync(trash)
        self.assertEqual(phone.subjects(trash), ["gone"])
        self.assertIsNone(phone.sync(inbox), "its own Delete does not come back")

    def test_hard_case_5b_a_change_of_the_desktop_survives_one_of_the_phone_behind_it(self):
        self.deliver("both")
        phone, inbox = self.primed()
        self.imap().store("1", "+FLAGS", "(\\Flagged)")
        item = phone.item(inbox, "both")
        phone.command(inbox, phone.change(item, Node("Email:Read", "1")))
        phone.sync(inbox)
        self.assertEqual(phone.items[inbox][item].get("Email:Flag", "Email:Status"), "2", "the desktop's flag arrives")
        self.assertIsNone(phone.sync(inbox))

    def test_hard_case_5_a_lost_move_reply_is_healed_by_the_repeat(self):
        self.deliver("moved")
        phone, inbox = self.primed()
        junk = phone.folder("Junk")
        phone.sync_all(junk)
        item = phone.item(inbox, "moved")
        phone.move(item, inbox, junk)  # the reply is lost
        self.assertIsNone(phone.sync(inbox))
        response = phone.move(item, inbox, junk)
        self.assertEqual(response.get("Move:Status"), "3")
        phone.items[junk][response.get("Move:DstMsgId")] = phone.items[inbox].pop(item)
        self.imap("Junk").store("1", "+FLAGS", "(\\Seen)")
        phone.sync(junk)
        self.assertEqual(phone.items[junk][response.get("Move:DstMsgId")].get("Email:Read"), "1")

    # ---- 8: FilterType ----

    def test_hard_case_8a_many_mails_of_one_second_leave_the_window_one_by_one(self):
        desktop = self.imap()
        for i in range(12):
            self.append(desktop, f"old {i}", '"01-Jan-2020 10:00:00 +0000"')
        self.deliver("new")
        phone, inbox = self.primed()
        self.assertEqual(len(phone.items[inbox]), 13)
        rounds = phone.sync_all(inbox, Phone.options(3), window=5)
        self.assertEqual(phone.subjects(inbox), ["new"])
        self.assertGreaterEqual(rounds, 3)
        phone.sync_all(inbox, Phone.options(0), window=5)
        self.assertEqual(len(phone.items[inbox]), 13)

    def test_hard_case_8b_deleted_in_the_band_that_the_filter_leaves(self):
        desktop = self.imap()
        for i in range(6):
            self.append(desktop, f"old {i}", '"01-Jan-2020 10:00:00 +0000"')
        phone, inbox = self.primed()
        desktop.store("2:4", "+FLAGS", "(\\Deleted)")
        desktop.expunge()
        phone.sync_all(inbox, Phone.options(3), window=2)
        self.assertEqual(phone.items[inbox], {}, "no ghost stays")

    def test_hard_case_8c_ping_means_that_sync_sends_something(self):
        """An unfinished first fill, ageing and a filter that changed wake nobody."""
        desktop = self.imap()
        for i in range(5):
            self.append(desktop, f"old {i}", '"01-Jan-2020 10:00:00 +0000"')
        self.deliver("a", "b", "c")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.sync(inbox)
        phone.sync(inbox, Node("AirSync:WindowSize", 2), phone.options(0))
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1", "the fill is not news")
        phone.sync_all(inbox, Phone.options(0))
        phone.sync(inbox, Node("AirSync:GetChanges", "0"), Phone.options(3))
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1", "what will age out is not news")
        self.append(desktop, "old and new", '"01-Jan-2020 10:00:00 +0000"')
        for _ in range(10):
            if phone.ping(1, inbox).answer().root.get("Ping:Status") == "1":
                break
            self.assertIsNotNone(phone.sync(inbox), "Ping said 2, so Sync has something")
        else:
            self.fail("Ping says 2 without end")

    def test_hard_case_8c_ping_looks_from_the_state_that_the_phone_holds(self):
        """What a lost answer told is gone again when the phone repeats its Sync: nothing to tell, for Ping neither."""
        phone, inbox = self.primed()
        self.deliver("seen by nobody")
        phone.post("Sync", phone.sync_request(phone.collection(inbox)))  # the answer is lost
        desktop = self.imap()
        desktop.store("1", "+FLAGS", "(\\Deleted)")
        desktop.expunge()
        self.assertIsNone(phone.sync(inbox))
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1")

    def test_hard_case_8d_a_folder_of_which_only_the_first_key_is_known(self):
        self.deliver("before")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.sync(inbox)
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1")
        pending = self.waits(phone.ping, 600, inbox)
        self.deliver("after")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")

    # ---- 9: the hierarchy ----

    def test_hard_case_9a_mail_is_no_change_of_the_hierarchy(self):
        self.deliver("a")
        phone, inbox = self.primed()
        key = phone.hierarchy_key
        self.deliver("b", "c")
        desktop = self.imap()
        desktop.store("1", "+FLAGS", "(\\Seen)")
        self.assertEqual(phone.ping(600, inbox).answer().root.get("Ping:Status"), "2", "2, not 7")
        root = phone.folder_sync()
        self.assertEqual(root.get("FolderHierarchy:Changes", "FolderHierarchy:Count"), "0")
        self.assertEqual(phone.hierarchy_key, key)
        phone.sync_all(inbox)
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1")

    def test_hard_case_9b_a_folder_that_comes_back_is_an_add(self):
        desktop = self.imap()
        desktop.create("Project")
        self.append(desktop, "kept", None, "Project")
        phone, inbox = self.primed()
        phone.folder_sync()
        project = phone.folder("Project")
        phone.sync_all(project)
        desktop.delete("Project")
        phone.folder_sync()
        self.assertNotIn(project, phone.folders)
        pending = self.waits(phone.ping, 600, inbox)
        ids = self.server.cli("deleted", "list", self.user, "--ids").out.split()
        self.server.cli("deleted", "restore", self.user, *ids)
        self.assertEqual(pending.answer().root.get("Ping:Status"), "7")
        changes = phone.folder_sync().find("FolderHierarchy:Changes")
        self.assertEqual([c.tag for c in changes.children[1:]], ["FolderHierarchy:Add"])
        back = phone.folder("Project")
        phone.keys.pop(back, None)
        phone.items.pop(back, None)
        phone.sync_all(back)
        self.assertEqual(phone.subjects(back), ["kept"])

    def test_hard_case_9c_a_phone_is_not_told_of_its_own_folder(self):
        phone, inbox = self.primed()
        root = phone.call("FolderCreate", Node(
            "FolderHierarchy:FolderCreate", Node("FolderHierarchy:SyncKey", phone.hierarchy_key),
            Node("FolderHierarchy:ParentId", "0"), Node("FolderHierarchy:DisplayName", "Mine"),
            Node("FolderHierarchy:Type", "12")))
        phone.hierarchy_key = root.get("FolderHierarchy:SyncKey")
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1", "no 7 for what it did itself")

    # ---- 10: a draft that is saved again and again ----

    def draft(self, *content, text="words"):
        body = Node("AirSyncBase:Body", Node("AirSyncBase:Type", "1"), Node("AirSyncBase:Data", text))
        return Node("AirSync:ApplicationData", *content, body)

    def drafts(self, device="WRITER"):
        phone = self.phone(version="16.1", device=device)
        drafts = phone.folder("Drafts")
        phone.sync_all(drafts, Phone.options(0, (1, None)))
        return phone, drafts

    def add_draft(self, phone, drafts, client_id="d1", subject="Draft"):
        answer = phone.command(drafts, Node("AirSync:Add", Node("AirSync:ClientId", client_id), self.draft(
            Node("Email:To", BOB), Node("Email:Subject", subject))))
        return answer.get("AirSync:Responses", "AirSync:Add", "AirSync:ServerId")

    def test_hard_case_10_a_draft_keeps_its_id_and_other_phones_get_a_change(self):
        phone, drafts = self.drafts()
        reader, _ = self.drafts("READER")
        item = self.add_draft(phone, drafts)
        reader.sync(drafts)
        self.assertEqual(list(reader.items[drafts]), [item])
        uids = set()
        for i in range(3):
            answer = phone.command(drafts, Node("AirSync:Change", Node("AirSync:ServerId", item), self.draft(
                Node("Email:Subject", f"Draft {i}"), text=f"words {i}")))
            self.assertIsNone(answer.find("AirSync:Responses"), "a success is silent")
            uids.add(self.imap("Drafts").uid("SEARCH", "ALL")[1][0])
            commands = reader.sync(drafts).find("AirSync:Commands")
            self.assertEqual(commands.names(), ["AirSync:Change"], "no Delete and Add")
            self.assertEqual(reader.items[drafts][item].get("Email:Subject"), f"Draft {i}")
            self.assertEqual(reader.items[drafts][item].get("AirSyncBase:Body", "AirSyncBase:Data").strip(), f"words {i}")
        self.assertEqual(len(uids), 3, "IMAP sees a new message each time")
        self.assertIsNone(phone.sync(drafts), "the writer is not told of its own")

    # ---- 11: replay and parallel requests ----

    def test_hard_case_11a_a_client_id_of_a_later_key_is_a_new_draft(self):
        phone, drafts = self.drafts()
        first, second = self.add_draft(phone, drafts, "1", "one"), self.add_draft(phone, drafts, "1", "two")
        self.assertNotEqual(first, second)
        self.assertEqual(len(self.imap("Drafts").search(None, "ALL")[1][0].split()), 2)

    def test_hard_case_11b_a_draft_whose_send_is_repeated_goes_out_once(self):
        phone, drafts = self.drafts()
        subject = f"sent draft {EasTest.counter}"
        item = self.add_draft(phone, drafts, "1", subject)
        request = phone.sync_request(phone.collection(drafts, Node("AirSync:Commands", Node(
            "AirSync:Change", Node("AirSync:ServerId", item), Node("Email2:Send"), self.draft(
                Node("Email:Subject", subject))))))
        for _ in range(2):  # the first reply is lost
            root = phone.call("Sync", request)
            collection = root.find("AirSync:Collections", "AirSync:Collection")
            self.assertEqual(collection.get("AirSync:Status"), "1")
            self.assertIsNone(collection.find("AirSync:Responses"), "no 8: the phone would send again")
        bob = self.server.imap(BOB, PASSWORD, select="INBOX")
        self.assertEqual(len(bob.search(None, "SUBJECT", f'"{subject}"')[1][0].split()), 1)

    def test_hard_case_11c_two_syncs_with_one_key_at_once(self):
        self.deliver(*[f"m{i}" for i in range(20)])
        phone, inbox = self.primed()
        for turn in range(5):
            self.deliver(f"turn {turn}")
            request = phone.sync_request(phone.collection(inbox))
            pending = [phone.start("Sync", request) for _ in range(3)]
            answers = [p.answer() for p in pending]
            good = [a for a in answers if a.status == 200]
            self.assertTrue(good, "the newest request is answered")
            self.assertTrue(all(a.status in (200, 503) for a in answers))
            keys = []
            for answer in good:
                collection = answer.root.find("AirSync:Collections", "AirSync:Collection")
                self.assertEqual(collection.get("AirSync:Status"), "1", "no false 3")
                keys.append(collection.get("AirSync:SyncKey"))
            # Whichever the phone heard of last, at least the newest state's key is good.
            working = [key for key in keys if phone.call("Sync", phone.sync_request(phone.collection(
                inbox, Node("AirSync:Commands", Node("AirSync:Fetch", Node("AirSync:ServerId", f"{inbox}:1"))), key=key))).get(
                    "AirSync:Collections", "AirSync:Collection", "AirSync:Status") == "1"]
            self.assertTrue(working)
            phone.keys[inbox], phone.items[inbox] = "0", {}
            phone.sync(inbox)
            phone.sync_all(inbox)
            self.assertEqual(len(phone.items[inbox]), 21 + turn)

    def test_hard_case_11d_a_repeated_move_answers_the_same(self):
        self.deliver("m")
        phone, inbox = self.primed()
        junk, item = phone.folder("Junk"), phone.item(inbox, "m")
        answers = [phone.move(item, inbox, junk) for _ in range(3)]
        self.assertEqual({a.get("Move:Status") for a in answers}, {"3"})
        self.assertEqual(len({a.get("Move:DstMsgId") for a in answers}), 1)
        self.assertEqual(self.imap("Junk").search(None, "ALL")[1][0], b"1")

    # ---- 28: the order of checks ----

    def test_hard_case_28_nobody_uploads_before_the_login(self):
        """The refusal comes while the body is still announced only."""
        for login, status in ((self.user + ":wrong", b"401"), ("nobody@example.test:x", b"401")):
            sock = socket.create_connection(("127.0.0.1", self.server.ports["http"]), timeout=60)
            self.server.opened.append(sock.close)
            sock.sendall(b"POST /Microsoft-Server-ActiveSync?Cmd=SendMail&DeviceId=D&DeviceType=T HTTP/1.1\r\nHost: h\r\n"
                         b"MS-ASProtocolVersion: 14.1\r\nContent-Length: 60000000\r\nAuthorization: Basic "
                         + base64.b64encode(login.encode()) + b"\r\n\r\n")
            self.assertEqual(sock.makefile("rb").readline().split()[1], status)

    # ---- 33: big answers ----

    def test_hard_case_33_a_window_is_cut_at_a_megabyte(self):
        for i in range(6):
            self.deliver(f"big {i}", text="0123456789abcdef" * 25000 + "\r\n")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.sync(inbox)
        sizes = []
        for _ in range(10):
            answer = phone.post("Sync", phone.sync_request(phone.collection(
                inbox, Node("AirSync:GetChanges"), Node("AirSync:WindowSize", 100), Phone.options(0, (1, None)))))
            self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
            sizes.append(len(answer.body))
            if phone.take(answer.root)[inbox].find("AirSync:MoreAvailable") is None:
                break
        self.assertEqual(len(phone.items[inbox]), 6)
        self.assertGreaterEqual(len(sizes), 2)
        self.assertLess(max(sizes), (1 << 20) + 500000)


class Logins(EasTest):
    settings = {"auth__failures_max": 1000, "log__level": "debug"}

    def denied(self, octets):
        client = self.server.http()
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync",
                       headers={"Authorization": "Basic " + base64.b64encode(octets).decode()})
        response = client.getresponse()
        response.read()
        return response.status

    def test_hard_case_34_a_wrong_password_is_hashed_once(self):
        """One failure a request, whatever the encoding: a second decoding is tried only if the bytes are no UTF-8."""
        for password in (b"wrong", "fälsch".encode(), "fälsch".encode("latin-1")):
            lines = len(self.server.log.lines)
            self.assertEqual(self.denied(self.user.encode() + b":" + password), 401)
            wait_lines(self.server.log, " login ", 1, lines)
            self.assertEqual(sum(" login " in line for line in self.server.log.lines[lines:]), 1, password)


class Proxied(EasTest):
    """Hard case 25: a proxy in front on loopback."""
    settings = {"http__trusted_proxies": "127.0.0.1", "auth__failures_max": 2, "auth__slow_ms": 3000,
                "auth__slow_max_ms": 3000}

    def ask(self, password=PASSWORD, user=None, path="/Microsoft-Server-ActiveSync", **headers):
        client = self.server.http()
        credentials = base64.b64encode(f"{user or self.user}:{password}".encode()).decode()
        started = time.monotonic()
        client.request("OPTIONS", path, headers={"Authorization": "Basic " + credentials,
                                                 **{k.replace("_", "-"): v for k, v in headers.items()}})
        response = client.getresponse()
        response.read()
        return response.status, time.monotonic() - started

    def test_hard_case_25_a_forwarded_request_needs_tls_at_the_proxy(self):
        self.assertEqual(self.ask(X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="https")[0], 200)
        self.assertEqual(self.ask(X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="http")[0], 403)
        self.assertEqual(self.ask(X_Forwarded_For="192.0.2.7")[0], 403)

    def test_hard_case_25_one_attacker_behind_the_proxy_locks_out_nobody_else(self):
        for i in range(4):
            self.ask(password="wrong", user=f"nobody{i}@example.test", X_Forwarded_For="192.0.2.66", X_Forwarded_Proto="https")
        slow = self.ask(X_Forwarded_For="192.0.2.66", X_Forwarded_Proto="https")[1]
        status, quick = self.ask(X_Forwarded_For="192.0.2.8", X_Forwarded_Proto="https")
        self.assertEqual(status, 200)
        self.assertGreater(slow, 2.5, "the attacker's address is slowed")
        self.assertLess(quick, slow)

    def test_hard_case_25_the_admin_api_is_not_where_phones_are(self):
        self.assertEqual(self.ask(path="/api/v1/health", X_Forwarded_For="192.0.2.8", X_Forwarded_Proto="https")[0], 404)


class Untrusted(EasTest):
    def test_hard_case_25_without_a_trusted_proxy_a_forwarded_request_is_not_local(self):
        client = self.server.http()
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync", headers={
            "Authorization": self.server.basic(self.user), "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"})
        self.assertEqual(client.getresponse().status, 403)


class Quiet(EasTest):
    settings = {"log__level": "debug", "push__quiet_s": 3600}

    def test_hard_case_30_reading_a_hundred_mails_is_one_wake_up(self):
        self.deliver(*[f"m{i}" for i in range(6)])
        phone, inbox = self.primed()
        desktop = self.imap()
        pending = self.waits(phone.ping, 600, inbox)
        desktop.store("1", "+FLAGS", "(\\Seen)")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2", "the leading edge")
        phone.sync_all(inbox)
        lines = len(self.server.log.lines)
        pending = self.waits(phone.start, "Sync", phone.sync_request(phone.collection(inbox), heartbeat=600))
        for n in range(2, 6):
            desktop.store(str(n), "+FLAGS", "(\\Seen)")
        desktop.store("6", "+FLAGS", "(\\Deleted)")
        desktop.expunge()
        self.assertFalse(pending.has_answer())
        self.deliver("new")
        phone.take(pending.answer().root)
        self.assertEqual(sum(" eas_waiting " in line for line in self.server.log.lines[lines:]), 1)
        self.assertIn("new", phone.subjects(inbox))
        phone.sync_all(inbox)
        self.assertEqual(len(phone.items[inbox]), 6, "and with it all that had been held back")
        self.assertEqual({d.get("Email:Read") for d in phone.items[inbox].values() if d.get("Email:Subject") != "new"}, {"1"})

    def test_hard_case_30_new_folders_are_told_at_once(self):
        phone, inbox = self.primed()
        for name in ("One", "Two"):
            pending = self.waits(phone.ping, 600, inbox)
            self.imap().create(name)
            self.assertEqual(pending.answer().root.get("Ping:Status"), "7")
            phone.folder_sync()


class QuietEnds(EasTest):
    settings = {"log__level": "debug", "push__quiet_s": 2}

    def test_hard_case_30_the_rest_is_told_when_the_quiet_time_ends(self):
        self.deliver("a", "b")
        phone, inbox = self.primed()
        desktop = self.imap()
        pending = self.waits(phone.ping, 600, inbox)
        desktop.store("1", "+FLAGS", "(\\Seen)")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")
        phone.sync_all(inbox)
        pending = self.waits(phone.ping, 600, inbox)
        desktop.store("2", "+FLAGS", "(\\Seen)")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")
