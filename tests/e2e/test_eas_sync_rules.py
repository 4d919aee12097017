"""Sync, GetItemEstimate and the hierarchy: what is refused with which Status, and what an answer's limits do."""
import gzip

from eas_base import VERSIONS, EasTest
from eas_client import Node, Phone, decode


def options(*content):
    return Node("AirSync:Options", *content)


class Refusals(EasTest):
    def collection_status(self, phone, inbox, *content):
        root = phone.call("Sync", phone.sync_request(phone.collection(inbox, *content)))
        return root.get("AirSync:Status") or root.get("AirSync:Collections", "AirSync:Collection", "AirSync:Status")

    def test_classes(self):
        """Digest 7.1, 7.6: SMS may stand beside the default class; nothing else, and no class twice."""
        phone, inbox = self.primed()
        sms, email, calendar = (Node("AirSync:Class", name) for name in ("SMS", "Email", "Calendar"))
        rows = (
            ("the class of a calendar", [options(calendar)], "4"),
            ("the default class twice", [options(Node("AirSync:FilterType", 1)), options(email)], "4"),
            ("SMS twice", [options(sms), options(sms)], "4"),
            ("a filter of tasks", [options(Node("AirSync:FilterType", 8))], "4"),
            ("SMS and the default", [options(sms, Node("AirSync:FilterType", 1)), options(email)], "1"),
        )
        for name, content, status in rows:
            with self.subTest(name):
                self.assertEqual(self.collection_status(phone, inbox, Node("AirSync:WindowSize", 5), *content,
                                                        Node("AirSync:Commands", Node("AirSync:Fetch", Node(
                                                            "AirSync:ServerId", f"{inbox}:77")))), status)
        old = self.phone(version="12.1", device="OLD")
        root = old.call("Sync", old.sync_request(Node("AirSync:Collection", Node("AirSync:Class", "Calendar"), Node(
            "AirSync:SyncKey", "0"), Node("AirSync:CollectionId", inbox))))
        self.assertEqual(root.get("AirSync:Collections", "AirSync:Collection", "AirSync:Status"), "4")

    def test_sms_is_refused_item_by_item(self):
        phone, inbox = self.primed()
        sms = Node("AirSync:Add", Node("AirSync:Class", "SMS"), Node("AirSync:ClientId", "s1"), Node(
            "AirSync:ApplicationData", Node("Email:From", "+49123"), Node("Email:Read", "1")))
        answer = phone.command(inbox, sms)
        self.assertEqual(answer.get("AirSync:Status"), "1")
        add = answer.find("AirSync:Responses", "AirSync:Add")
        self.assertEqual((add.get("AirSync:ClientId"), add.get("AirSync:Status"), add.find("AirSync:ServerId")), ("s1", "6", None))

    def test_a_fetch_of_nothing_is_passed_over(self):
        """Digest 24.4: BlackBerry 10 sends empty ServerIds."""
        self.deliver("x")
        phone, inbox = self.primed()
        answer = phone.command(inbox, Node("AirSync:Fetch", Node("AirSync:ServerId")), Node(
            "AirSync:Fetch", Node("AirSync:ServerId", phone.item(inbox, "x"))))
        self.assertEqual([f.get("AirSync:Status") for f in answer.find("AirSync:Responses").children], ["1"])

    def test_estimate_by_filter(self):
        """Digest 9: a filter of another class is 110, one that does not exist 103; 6 and 7 are honoured, as in Sync."""
        self.deliver("x")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.sync(inbox)
        for value, expected in ((7, "1"), (6, "1"), (8, "110"), (9, "103"), ("x", "103")):
            root = phone.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node("GetItemEstimate:Collections", Node(
                "GetItemEstimate:Collection", Node("AirSync:SyncKey", phone.keys[inbox]), Node(
                    "GetItemEstimate:CollectionId", inbox), options(Node("AirSync:FilterType", value))))))
            status = root.get("GetItemEstimate:Status") or root.get("GetItemEstimate:Response", "GetItemEstimate:Status")
            self.assertEqual(status, expected, value)

    def test_who_starts_over_is_told_the_offer_again(self):
        """Digest 2.2."""
        phone, inbox = self.primed()
        for command, root in (("Sync", phone.sync_request(phone.collection(inbox, key="nope"))),
                              ("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "nope")))):
            answer = phone.post(command, root)
            self.assertEqual(answer.headers.get_all("MS-ASProtocolVersions"), ["12.0,12.1,14.0,14.1,16.0,16.1"], command)
        self.assertIsNone(phone.post("Sync", phone.sync_request(phone.collection(inbox))).headers["MS-ASProtocolVersions"])

    def test_the_recipient_cache_is_not_there(self):
        """Digest 6.3: what is about RI is 3."""
        phone = self.phone()
        phone.folder_sync()

        def status(command, *content):
            return phone.call(command, Node(f"FolderHierarchy:{command}", Node("FolderHierarchy:SyncKey", phone.hierarchy_key),
                                            *content)).get("FolderHierarchy:Status")

        def create(parent, kind):
            return status("FolderCreate", Node("FolderHierarchy:ParentId", parent), Node("FolderHierarchy:DisplayName", "N"),
                          Node("FolderHierarchy:Type", kind))
        self.assertEqual([create("RI", 12), create("0", 19), create("0", 8), create("0", 20), create("0", "x")],
                         ["3", "3", "10", "10", "10"])
        self.assertEqual(status("FolderUpdate", Node("FolderHierarchy:ServerId", "RI"), Node("FolderHierarchy:ParentId", "0"),
                                Node("FolderHierarchy:DisplayName", "N")), "3")
        self.assertEqual(status("FolderDelete", Node("FolderHierarchy:ServerId", "RI")), "3")


class Folders(EasTest):
    def post(self, phone, command, *content):
        root = phone.call(command, Node(f"FolderHierarchy:{command}", Node("FolderHierarchy:SyncKey", phone.hierarchy_key),
                                        *content))
        phone.hierarchy_key = root.get("FolderHierarchy:SyncKey") or phone.hierarchy_key
        return root

    def create(self, phone, name, parent="0"):
        root = self.post(phone, "FolderCreate", Node("FolderHierarchy:ParentId", parent), Node(
            "FolderHierarchy:DisplayName", name), Node("FolderHierarchy:Type", "12"))
        return root.get("FolderHierarchy:Status"), root.get("FolderHierarchy:ServerId")

    def test_own_folders_are_not_told_beside_those_of_others(self):
        phone, inbox = self.primed()
        self.imap().create("Theirs")
        _, mine = self.create(phone, "Mine")
        self.assertEqual(phone.ping(60, inbox).answer().root.get("Ping:Status"), "7", "of Theirs")
        changes = phone.folder_sync().find("FolderHierarchy:Changes")
        self.assertEqual([c.get("FolderHierarchy:DisplayName") for c in changes.all("FolderHierarchy:Add")], ["Theirs"])
        self.assertEqual(changes.get("FolderHierarchy:Count"), "1")
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1")
        phone.sync_all(mine)
        self.assertEqual(phone.sync_all(mine), 1)

    def test_names_depth_and_trees(self):
        """Blanks at the ends go, names are compared without case, MAILBOX_DEPTH_MAX is 32 levels; a tree goes as a whole."""
        phone, desktop = self.phone(), self.imap()
        phone.folder_sync()
        status, top = self.create(phone, "  Top ")
        self.assertEqual(status, "1")
        self.assertIn(b"Top", b" ".join(desktop.list('""', '"Top"')[1]))
        for name, expected in (("TOP", "2"), ("Outbox", "2"), ("INBOX", "2"), ("", "10"), ("a/b", "10"), ("a\x01b", "10")):
            self.assertEqual(self.create(phone, name)[0], expected, name)
        parent = top
        for level in range(2, 33):
            status, parent = self.create(phone, f"L{level}", parent)
            self.assertEqual(status, "1", level)
            second = parent if level == 2 else second
        self.assertEqual(self.create(phone, "L33", parent)[0], "10")
        self.assertEqual(self.create(phone, "X", "99999")[0], "5")
        self.assertEqual(self.post(phone, "FolderUpdate", Node("FolderHierarchy:ServerId", top), Node(
            "FolderHierarchy:ParentId", second), Node("FolderHierarchy:DisplayName", "Top")).get("FolderHierarchy:Status"), "2")
        self.assertEqual(self.post(phone, "FolderDelete", Node("FolderHierarchy:ServerId", top)).get("FolderHierarchy:Status"), "1")
        self.assertEqual(desktop.list('""', '"Top*"')[1], [None])
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Changes", "FolderHierarchy:Count"), "0", "it did all of that itself")
        self.assertEqual(self.post(phone, "FolderDelete", Node("FolderHierarchy:ServerId", top)).get("FolderHierarchy:Status"), "4",
                         "Windows Phone deletes twice")


class Contents(EasTest):
    def test_every_part_of_a_follow_up_is_kept(self):
        self.deliver("task")
        phone, inbox = self.primed()
        other, _ = self.primed(device="OTHER")
        day, later = "2026-11-23T10:00:00.000Z", "2026-11-25T09:30:00.000Z"
        parts = [("Email:Status", "2"), ("Email:FlagType", "Nachfassen"), ("Tasks:StartDate", day), ("Tasks:UtcStartDate", day),
                 ("Tasks:DueDate", later), ("Tasks:UtcDueDate", later), ("Tasks:ReminderSet", "1"), ("Tasks:ReminderTime", day),
                 ("Tasks:Subject", "call them"), ("Tasks:OrdinalDate", day), ("Tasks:SubOrdinalDate", "5555555")]
        phone.command(inbox, phone.change(phone.item(inbox, "task"), Node("Email:Flag", *[Node(*part) for part in parts])))
        flag = other.sync(inbox).find("AirSync:Commands", "AirSync:Change", "AirSync:ApplicationData", "Email:Flag")
        self.assertEqual(sorted((child.tag, child.text) for child in flag.children), sorted(parts))
        third, _ = self.primed(device="THIRD")
        flag = third.items[inbox][third.item(inbox, "task")].find("Email:Flag")
        self.assertEqual(sorted((child.tag, child.text) for child in flag.children), sorted(parts), "in an Add too")

    def test_conversation_mode_changes_nothing_else(self):
        """Accepted and kept, but never a reason to forget the other options (hard case 8)."""
        self.deliver("x")
        phone, inbox = self.primed(Phone.options(0, (2, None)))
        phone.sync(inbox, Node("AirSync:ConversationMode", "1"))
        self.deliver("y")
        phone.sync(inbox)
        body = phone.items[inbox][phone.item(inbox, "y")].find("AirSyncBase:Body")
        self.assertEqual(body.get("AirSyncBase:Type"), "2")


class Packed(EasTest):
    def test_answers_are_packed_for_phones_that_ask(self):
        """Digest 2.11: above EAS_GZIP_MIN octets, and only when asked."""
        self.deliver("long", text="the same words\r\n" * 1000)
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.sync(inbox)
        request = phone.sync_request(phone.collection(inbox, Phone.options(0, (1, None))))
        plain = phone.post("Sync", request)
        self.assertIsNone(plain.headers["Content-Encoding"])
        self.assertGreater(len(plain.body), 16000)
        packed = phone.post("Sync", request, Accept_Encoding="deflate, gzip")
        self.assertEqual((packed.headers["Content-Encoding"], packed.headers["Vary"]), ("gzip", "Accept-Encoding"))
        self.assertEqual(int(packed.headers["Content-Length"]), len(packed.body))
        self.assertLess(len(packed.body), 2000)
        root = decode(gzip.decompress(packed.body))
        shape = root.find("AirSync:Collections", "AirSync:Collection", "AirSync:Commands")
        self.assertEqual(repr(shape), repr(plain.root.find("AirSync:Collections", "AirSync:Collection", "AirSync:Commands")))
        phone.take(root)
        for root, encoding in ((phone.ping_request(1, inbox), "gzip"), (request, "gzip;q=0")):
            answer = phone.post("Ping" if encoding == "gzip" else "Sync", root, Accept_Encoding=encoding)
            self.assertIsNone(answer.headers["Content-Encoding"])


class Unpacked(EasTest):
    settings = {"eas__gzip": "false"}

    def test_unless_it_is_switched_off(self):
        self.deliver("long", text="the same words\r\n" * 1000)
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.sync(inbox)
        answer = phone.post("Sync", phone.sync_request(phone.collection(inbox, Phone.options(0, (1, None)))), Accept_Encoding="gzip")
        self.assertIsNone(answer.headers["Content-Encoding"])
        self.assertGreater(len(answer.body), 16000)


class CutByTime(EasTest):
    settings = {"eas__sync_answer_ms": "1"}

    def test_hard_case_33_a_window_is_cut_by_time_and_goes_on(self):
        """Whatever fits into the time is told; the rest comes with the next request, and nothing twice (take() checks it)."""
        self.deliver(*[f"m{i}" for i in range(12)], text="word " * 20000)
        phone = self.phone()
        inbox = phone.folder("Inbox")
        answers = phone.sync_all(inbox, Phone.options(0, (2, None)), window=512)
        self.assertEqual(phone.subjects(inbox), sorted(f"m{i}" for i in range(12)))
        self.assertGreater(answers, 1, "one answer held everything")
        self.assertIsNone(phone.sync(inbox))

    def test_a_collection_that_comes_too_late_keeps_its_key(self):
        self.deliver(*[f"m{i}" for i in range(3)], text="word " * 20000)
        phone = self.phone()
        inbox, junk = phone.folder("Inbox"), phone.folder("Junk")
        self.imap("Junk").append("Junk", None, None, b"Subject: j\r\n\r\nx\r\n")
        for folder in (inbox, junk):
            phone.sync(folder)
        key = phone.keys[junk]
        root = phone.call("Sync", phone.sync_request(phone.collection(inbox), phone.collection(junk)))
        late = phone.take(root)[junk]
        self.assertIsNotNone(late.find("AirSync:MoreAvailable"))
        self.assertTrue(late.find("AirSync:Commands") is None or late.get("AirSync:SyncKey") != key)
        phone.sync_all(inbox)
        phone.sync_all(junk)
        self.assertEqual((len(phone.items[inbox]), phone.subjects(junk)), (3, ["j"]))


class EmptyFolders(EasTest):
    settings = {"eas__empty_folders": "true"}

    def test_calendar_and_contacts_are_there_and_empty(self):
        for version in VERSIONS:
            with self.subTest(version):
                phone = self.phone(version=version, device="E" + version.replace(".", ""))
                for name, kind, data in (("Calendar", "8", "Email:Subject"), ("Contacts", "9", "Email:Subject")):
                    folder = phone.folder(name)
                    self.assertEqual(phone.folders[folder], (name, kind, "0"))

                    def sync(*content):
                        nodes = [Node("AirSync:SyncKey", phone.keys.get(folder, "0")), Node("AirSync:CollectionId", folder)]
                        if version < "14":
                            nodes.insert(0, Node("AirSync:Class", name))
                        answer = phone.post("Sync", phone.sync_request(Node("AirSync:Collection", *nodes, *content)))
                        return phone.take(answer.root)[folder] if answer.body else None
                    first = sync(Node("AirSync:Supported"))
                    self.assertEqual(first.get("AirSync:Status"), "1")
                    self.assertEqual(first.get("AirSync:Class"), name if version < "14" else None)
                    nothing = sync()
                    if version == "12.0":
                        self.assertEqual(nothing.names(), ["AirSync:Class", "AirSync:SyncKey", "AirSync:CollectionId",
                                                           "AirSync:Status"])
                    else:
                        self.assertIsNone(nothing)
                    key = phone.keys[folder]
                    answer = sync(Node("AirSync:Commands", Node("AirSync:Add", Node("AirSync:ClientId", "c"), Node(
                        "AirSync:ApplicationData", Node(data, "x"))), phone.change(f"{folder}:1", Node(data, "x")), Node(
                            "AirSync:Delete", Node("AirSync:ServerId", f"{folder}:1")), Node(
                                "AirSync:Fetch", Node("AirSync:ServerId", f"{folder}:1"))))
                    self.assertEqual([(r.tag, r.get("AirSync:Status")) for r in answer.find("AirSync:Responses").children],
                                     [("AirSync:Add", "6"), ("AirSync:Change", "8"), ("AirSync:Fetch", "8")])
                    self.assertNotEqual(phone.keys[folder], key, "an answer to commands brings a new key")
                    if version >= "14":
                        self.assertIsNone(sync())
                    root = phone.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node(
                        "GetItemEstimate:Collections", Node("GetItemEstimate:Collection", Node(
                            "AirSync:SyncKey", phone.keys[folder]), Node("GetItemEstimate:CollectionId", folder)))))
                    collection = root.find("GetItemEstimate:Response", "GetItemEstimate:Collection")
                    self.assertEqual((collection.get("GetItemEstimate:Estimate"), collection.get("GetItemEstimate:Class")),
                                     ("0", name if version < "14" else None))

    def test_only_mail_has_conversations(self):
        phone = self.phone()
        folder, mode = phone.folder("Calendar"), Node("AirSync:ConversationMode", 1)
        self.assertEqual(phone.sync(folder, mode).get("AirSync:Status"), "4")
        root = phone.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node("GetItemEstimate:Collections", Node(
            "GetItemEstimate:Collection", Node("AirSync:SyncKey", "1"), Node("GetItemEstimate:CollectionId", folder), mode))))
        self.assertEqual(root.get("GetItemEstimate:Status"), "103")

    def test_they_may_be_watched_beside_mail(self):
        phone, inbox = self.primed()
        pending = phone.ping(60, inbox, phone.folder("Calendar"), phone.folder("Contacts"))
        self.deliver("x")
        self.assertEqual([f.text for f in pending.answer().root.find("Ping:Folders").children], [inbox])

    def test_they_stay_what_they_are(self):
        phone = self.phone()
        phone.folder_sync()

        def status(command, *content):
            return phone.call(command, Node(f"FolderHierarchy:{command}", Node("FolderHierarchy:SyncKey", phone.hierarchy_key),
                                            *content)).get("FolderHierarchy:Status")
        self.assertEqual(status("FolderDelete", Node("FolderHierarchy:ServerId", "calendar")), "3")
        self.assertEqual(status("FolderUpdate", Node("FolderHierarchy:ServerId", "contacts"), Node("FolderHierarchy:ParentId", "0"),
                                Node("FolderHierarchy:DisplayName", "N")), "2")
        self.assertEqual(status("FolderCreate", Node("FolderHierarchy:ParentId", "0"), Node(
            "FolderHierarchy:DisplayName", "calendar"), Node("FolderHierarchy:Type", "12")), "2")


class NoEmptyFolders(EasTest):
    def test_they_are_not_shown_unless_asked_for(self):
        phone = self.phone()
        phone.folder_sync()
        self.assertEqual({kind for _, kind, _ in phone.folders.values()} & {"8", "9"}, set())
        self.assertEqual(phone.sync("calendar").get("AirSync:Status"), "1", "a phone that knows it from before is not in a loop")
