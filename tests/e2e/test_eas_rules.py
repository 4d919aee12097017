"""Rules that real phones depend on, at every protocol version served: what is answered where, in which form."""
import re

from eas_base import RICH, SIGNED, VERSIONS, EasTest, Sql
from eas_client import Node, Phone, base64_query
from harness import message


class EveryVersion(EasTest):
    """The whole way of a phone, from OPTIONS on, in each version."""

    def test_a_phone_of_each_version(self):
        self.server.deliver(RICH, to=self.user)
        for version in VERSIONS:
            with self.subTest(version=version):
                phone = self.phone(version=version, device="V" + version.replace(".", ""))
                phone.provision()
                root = phone.folder_sync()
                self.assertEqual(root.names(), ["FolderHierarchy:Status", "FolderHierarchy:SyncKey", "FolderHierarchy:Changes"])
                inbox = phone.folder("Inbox")
                first = phone.sync(inbox)
                head = ["AirSync:Class"] if version < "14" else []  # trap 49
                self.assertEqual(first.names(), head + ["AirSync:SyncKey", "AirSync:CollectionId", "AirSync:Status"])
                collection = phone.sync(inbox, phone.options(0, (2, None)))
                self.assertEqual(collection.names(), head + ["AirSync:SyncKey", "AirSync:CollectionId", "AirSync:Status",
                                                             "AirSync:Commands"])
                data = phone.items[inbox][phone.item(inbox, "Rich")]
                self.assertIn("Rich words", data.get("AirSyncBase:Body", "AirSyncBase:Data"))
                self.assertEqual(data.find("Email2:ConversationId") is not None, version >= "14")
                self.assertEqual(data.find("Email:Categories") is not None, version >= "14")
                self.assertLess(data.names().index("Email:Subject"), data.names().index("Email:DateReceived"))
                self.assertLess(data.names().index("AirSyncBase:Body"), data.names().index("Email:Flag"))
                item = phone.item(inbox, "Rich")
                phone.command(inbox, phone.change(item, Node("Email:Read", "1")))
                self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1")
                junk = phone.folder("Junk")
                moved = phone.move(item, inbox, junk)
                self.assertEqual(moved.names(), ["Move:SrcMsgId", "Move:Status", "Move:DstMsgId"])
                phone.move(moved.get("Move:DstMsgId"), junk, inbox)
                phone.sync_all(inbox)
                if version == "12.0":  # has no hanging Sync
                    self.deliver(f"for {version}")
                    phone.sync(inbox)
                else:
                    pending = phone.start("Sync", phone.sync_request(phone.collection(inbox), wait=1))
                    self.deliver(f"for {version}")
                    answer = pending.answer()
                    phone.take((answer if answer.body else phone.post("Sync")).root)
                self.assertIn(f"for {version}", phone.subjects(inbox))
                fetched = phone.fetch(Node("AirSync:CollectionId", inbox), Node("AirSync:ServerId", phone.item(
                    inbox, f"for {version}"))).root.find("ItemOperations:Response", "ItemOperations:Fetch")
                self.assertEqual((fetched.get("ItemOperations:Status"), fetched.get("AirSync:Class")), ("1", "Email"))

    def test_base64_query_in_each_version(self):
        self.server.deliver(RICH, to=self.user)
        for number in (120, 121, 140, 141, 160, 161):
            with self.subTest(version=number):
                phone = self.phone(version="")
                root = phone.call("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0")),
                                  path=base64_query(number, 9, b"B64", "T"), MS_ASProtocolVersion=None)
                self.assertEqual(root.get("FolderHierarchy:Status"), "1")

    def test_the_version_of_each_request_governs(self):
        phone = self.phone(version="14.1")
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        self.deliver("after the update")
        phone.version = "16.1"
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["after the update"], "the key of 14.1 counts at 16.1")

    def test_general_errors_by_version(self):
        """Trap 26: HTTP codes at 12.x, a Status under the command's own root from 14.0 on."""
        for command, root, tag in (("Sync", "AirSync:Sync", "AirSync:Status"), ("Ping", "Ping:Ping", "Ping:Status"),
                                   ("FolderSync", "FolderHierarchy:FolderSync", "FolderHierarchy:Status"),
                                   ("MoveItems", "Move:MoveItems", "Move:Status"),
                                   ("Settings", "Settings:Settings", "Settings:Status"),
                                   ("GetItemEstimate", "GetItemEstimate:GetItemEstimate", "GetItemEstimate:Status"),
                                   ("ItemOperations", "ItemOperations:ItemOperations", "ItemOperations:Status")):
            for version in VERSIONS[:2]:
                answer = self.phone(version=version).post(command, body=b"\x03\x01\x6a\x00\x45")
                self.assertEqual((answer.status, answer.body), (400, b""))
            for version in VERSIONS[2:]:
                answer = self.phone(version=version).post(command, body=b"\x03\x01\x6a\x00\x45")
                self.assertEqual((answer.status, answer.root.tag, answer.root.names(), answer.root.get(tag)),
                                 (200, root, [tag], "102"))

    def test_what_a_version_does_not_have(self):
        """Digest 1: no empty request, Partial, waiting or empty answer at 12.0; no HeartbeatInterval before 14.0; no
        GetAttachment and GetHierarchy from 14.0 on."""
        old, inbox = self.primed(version="12.0")
        self.assertEqual(old.post("Sync").status, 400)
        for content in ((Node("AirSync:Partial"), Node("AirSync:WindowSize", 5)),
                        (Node("AirSync:Wait", 1), Node("AirSync:Collections", old.collection(inbox)))):
            self.assertEqual(old.call("Sync", Node("AirSync:Sync", *content)).get("AirSync:Status"), "4")
        key = old.keys[inbox]
        nothing = old.sync(inbox)
        self.assertEqual((nothing.names(), nothing.get("AirSync:SyncKey")), (
            ["AirSync:Class", "AirSync:SyncKey", "AirSync:CollectionId", "AirSync:Status"], key))
        old.sync("outbox")
        self.assertEqual(old.sync("outbox").get("AirSync:SyncKey"), "1")
        for version, waits in (("12.0", "4"), ("12.1", "4"), ("14.0", None)):
            phone = self.phone(version=version, device="H" + version[:2] + version[3])
            phone.sync(phone.folder("Inbox"))
            answer = phone.post("Sync", phone.sync_request(phone.collection(phone.folder("Inbox")), heartbeat=60))
            self.assertEqual(answer.root.get("AirSync:Status"), waits, version)
        for version, status in (("12.0", 404), ("12.1", 404), ("14.0", 501), ("16.1", 501)):
            answer = self.phone(version=version).post("GetAttachment", query={"AttachmentName": "9:9:9"})
            self.assertEqual(answer.status, status, version)
            answer = self.phone(version=version).post("GetHierarchy")
            self.assertEqual(answer.status, 200 if version < "14" else 501, version)

    def test_a_device_id_is_one_whatever_its_case(self):
        """Trap 53."""
        phone, inbox = self.primed(device="AbCdEf")
        self.deliver("x")
        phone.device = "aBcDeF"
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["x"], "the key of the same phone")
        listed = self.server.cli("device", "list", self.user).out
        self.assertEqual(len(re.findall(r"(?i)abcdef", listed)), 1)

    def test_first_folder_sync_repeats_the_offer(self):
        answer = self.phone().post("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0")))
        self.assertEqual(answer.headers["MS-ASProtocolVersions"], "12.0,12.1,14.0,14.1,16.0,16.1")
        self.assertIn("FolderSync", answer.headers["MS-ASProtocolCommands"].split(","))
        self.assertIn("Content-Length", answer.headers)


class Hierarchy(EasTest):
    def test_mail_moves_no_hierarchy_key_and_a_lost_reply_is_repeated(self):
        """Traps 31 and 1."""
        phone, inbox = self.primed()
        old = phone.hierarchy_key
        self.deliver("x")
        phone.sync(inbox)
        phone.folder_sync()
        self.assertEqual(phone.hierarchy_key, old)
        self.imap().create("New")
        request = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", old))
        shapes = [[repr(c) for c in phone.call("FolderSync", request).find("FolderHierarchy:Changes").children] for _ in range(2)]
        self.assertEqual(shapes[0], shapes[1])
        self.assertEqual(len(shapes[0]), 2)

    def test_key_0_leaves_the_item_states(self):
        phone, inbox = self.primed()
        phone.hierarchy_key, phone.folders = "0", {}
        phone.folder_sync()
        self.deliver("x")
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["x"])

    def test_the_outbox_stays_what_it_is(self):
        phone = self.phone()
        outbox = phone.folder("Outbox")
        root = phone.call("FolderDelete", Node(
            "FolderHierarchy:FolderDelete", Node("FolderHierarchy:SyncKey", phone.hierarchy_key), Node("FolderHierarchy:ServerId", outbox)))
        self.assertEqual((root.get("FolderHierarchy:Status"), root.find("FolderHierarchy:SyncKey")), ("3", None))
        root = phone.call("FolderUpdate", Node(
            "FolderHierarchy:FolderUpdate", Node("FolderHierarchy:SyncKey", phone.hierarchy_key), Node("FolderHierarchy:ServerId", outbox),
            Node("FolderHierarchy:ParentId", "0"), Node("FolderHierarchy:DisplayName", "X")))
        self.assertEqual(root.get("FolderHierarchy:Status"), "2")

    def test_update_refusals(self):
        phone, desktop = self.phone(), self.imap()
        desktop.create("A")
        desktop.create("A/B")
        desktop.create("C")
        phone.folder_sync()

        def update(folder, parent, name, key=None):
            return phone.call("FolderUpdate", Node(
                "FolderHierarchy:FolderUpdate", Node("FolderHierarchy:SyncKey", key or phone.hierarchy_key),
                Node("FolderHierarchy:ServerId", folder), Node("FolderHierarchy:ParentId", parent),
                Node("FolderHierarchy:DisplayName", name))).get("FolderHierarchy:Status")
        a, b, inbox = phone.folder("A"), phone.folder("B"), phone.folder("Inbox")
        self.assertEqual(update(a, "0", "C"), "2")
        self.assertEqual(update(inbox, "0", "X"), "2")
        self.assertEqual(update("987654", "0", "X"), "4")
        self.assertEqual(update(a, "987654", "A"), "5")
        self.assertIn(update(a, b, "A"), ("2", "5"), "not below itself")
        self.assertEqual(update(a, "0", "X", key="bad"), "9")
        self.assertEqual(update(a, "0", ""), "10")

    def test_a_foreign_change_is_not_swallowed_by_an_own_one(self):
        phone, desktop = self.phone(), self.imap()
        phone.folder_sync()
        desktop.create("Theirs")
        root = phone.call("FolderCreate", Node(
            "FolderHierarchy:FolderCreate", Node("FolderHierarchy:SyncKey", phone.hierarchy_key),
            Node("FolderHierarchy:ParentId", "0"), Node("FolderHierarchy:DisplayName", "Mine"), Node("FolderHierarchy:Type", "12")))
        self.assertEqual(root.get("FolderHierarchy:Status"), "1")
        phone.hierarchy_key = root.get("FolderHierarchy:SyncKey")
        phone.folder_sync()
        self.assertIn("Theirs", [name for name, _, _ in phone.folders.values()])


class Bodies(EasTest):
    def data(self, phone, inbox, *options, subject="Rich", **more):
        answer = phone.sync(inbox, Phone.options(0, *options, **more) if options else Node("AirSync:Options"),
                            Node("AirSync:Commands", Node("AirSync:Fetch", Node("AirSync:ServerId", phone.item(inbox, subject)))))
        return answer.find("AirSync:Responses", "AirSync:Fetch", "AirSync:ApplicationData")

    def test_no_preference(self):
        self.server.deliver(RICH, to=self.user)
        phone, inbox = self.primed()
        body = self.data(phone, inbox).find("AirSyncBase:Body")
        self.assertEqual((body.get("AirSyncBase:Type"), body.get("AirSyncBase:Truncated"), body.find("AirSyncBase:Data")), ("2", "1", None))
        old, _ = self.primed(version="12.1", device="OLD")
        body = self.data(old, inbox).find("AirSyncBase:Body")
        self.assertEqual(body.get("AirSyncBase:Type"), "1")
        self.assertEqual(body.get("AirSyncBase:Data").strip(), "Plain words")

    def test_options_are_sticky(self):
        """Trap 38."""
        self.server.deliver(RICH, to=self.user)
        phone, inbox = self.primed(Phone.options(0, (2, 30)))
        self.assertEqual(phone.items[inbox][phone.item(inbox, "Rich")].get("AirSyncBase:Body", "AirSyncBase:Type"), "2")
        self.server.deliver(RICH.replace("Subject: Rich", "Subject: Second"), to=self.user)
        phone.sync(inbox)
        body = phone.items[inbox][phone.item(inbox, "Second")].find("AirSyncBase:Body")
        self.assertEqual((body.get("AirSyncBase:Type"), body.get("AirSyncBase:Truncated")), ("2", "1"))
        phone.take(phone.post("Sync", phone.sync_request(phone.collection(inbox, Node("AirSync:Options"), Node(
            "AirSync:Commands", Node("AirSync:Fetch", Node("AirSync:ServerId", phone.item(inbox, "Rich"))))))).root)
        self.server.deliver(RICH.replace("Subject: Rich", "Subject: Third"), to=self.user)
        phone.sync(inbox)
        body = phone.items[inbox][phone.item(inbox, "Third")].find("AirSyncBase:Body")
        self.assertIsNone(body.find("AirSyncBase:Data"), "empty Options set back to the defaults")

    def test_type_4_needs_mime_support(self):
        self.server.deliver(RICH, to=self.user)
        self.server.deliver(SIGNED.format(subject="Signed"), to=self.user)
        phone, inbox = self.primed(Phone.options(0, (1, None)))

        def kind(subject, mime, *options):
            return self.data(phone, inbox, *options, subject=subject, mime=mime).get("AirSyncBase:Body", "AirSyncBase:Type")
        self.assertEqual(kind("Rich", 2, (4, None), (2, None)), "4")
        self.assertEqual(kind("Rich", 1, (4, None), (2, None)), "2", "only for signed mail")
        self.assertEqual(kind("Rich", 0, (4, None), (2, None)), "2")
        self.assertEqual(kind("Signed", 1, (4, None), (1, None)), "4")
        self.assertEqual(kind("Signed", 0, (4, None), (1, None)), "1")
        data = self.data(phone, inbox, (4, None), subject="Signed", mime=2)
        self.assertEqual(data.get("Email:MessageClass"), "IPM.Note.SMIME.MultipartSigned")
        self.assertIn("Signed  words \r\n", data.get("AirSyncBase:Body", "AirSyncBase:Data"), "what is signed stays to the octet")

    def test_truncation(self):
        """Traps 16 and 17: the size of the whole; never inside a character."""
        text = "äöü€" * 100
        self.deliver("Long", text=text + "\r\n")
        phone, inbox = self.primed()
        for size in range(1, 40):
            body = self.data(phone, inbox, (1, size), subject="Long").find("AirSyncBase:Body")
            cut = body.get("AirSyncBase:Data") or ""
            self.assertLessEqual(len(cut.encode()), size)
            self.assertTrue(text.startswith(cut))
            self.assertGreaterEqual(int(body.get("AirSyncBase:EstimatedDataSize")), len(text.encode()))
            self.assertEqual(body.get("AirSyncBase:Truncated"), "1")
        whole = self.data(phone, inbox, (1, 100000), subject="Long").find("AirSyncBase:Body")
        self.assertIn(whole.get("AirSyncBase:Truncated"), (None, "0"))
        self.assertEqual(whole.get("AirSyncBase:Data").strip(), text)

    def test_preview(self):
        self.deliver("P", text="One two\r\n  three\r\n")
        phone, inbox = self.primed()
        body = self.data(phone, inbox, (1, 4, 12), subject="P").find("AirSyncBase:Body")
        self.assertEqual(body.get("AirSyncBase:Preview"), "One two thre")
        self.assertEqual(body.names()[-1], "AirSyncBase:Preview")
        old, _ = self.primed(version="12.1", device="OLD")
        self.assertIsNone(self.data(old, inbox, (1, None, 12), subject="P").find("AirSyncBase:Body", "AirSyncBase:Preview"))

    def test_characters_that_xml_forbids_never_reach_a_phone(self):
        """Trap 13: one of them makes phones drop the whole answer and ask again."""
        bad = "a\x01b\x0bc\ufffed\x1be"
        self.server.deliver(message("sub\x02ject", bad + "\r\n", to=self.user), to=self.user)
        phone, inbox = self.primed(Phone.options(0, (1, None, 50)))
        data = next(iter(phone.items[inbox].values()))
        for text in (data.get("Email:Subject"), data.get("AirSyncBase:Body", "AirSyncBase:Data"), data.get("AirSyncBase:Body", "AirSyncBase:Preview")):
            self.assertNotRegex(text, "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
        self.assertEqual(data.get("Email:Subject").replace(" ", ""), "subject")

    def test_date_received_is_the_delivery(self):
        """Trap 18."""
        self.server.deliver(message("D", to=self.user).replace(b"2026", b"1999"), to=self.user)
        phone, inbox = self.primed(Phone.options(1))
        self.assertNotIn("1999", phone.items[inbox][phone.item(inbox, "D")].get("Email:DateReceived"))


class Protocol(EasTest):
    """Sync: which Status stands where."""

    def status(self, phone, root):
        answer = phone.post("Sync", root)
        return answer.root.get("AirSync:Status"), answer.root.get("AirSync:Collections", "AirSync:Collection", "AirSync:Status")

    def test_status_levels(self):
        self.deliver("x")
        phone, inbox = self.primed()
        key = phone.keys[inbox]

        def collection(*content, key=key, folder=inbox):
            return phone.sync_request(phone.collection(folder, *content, key=key))
        twice = Node("AirSync:Options", *[Node("AirSyncBase:BodyPreference", Node("AirSyncBase:Type", "1"))] * 2)
        part = Node("AirSync:Options", Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", "1")))
        rows = (
            ("both waits", phone.sync_request(phone.collection(inbox), wait=1, heartbeat=60), ("4", None)),
            ("the empty root", Node("AirSync:Sync"), ("4", None)),
            ("a collection twice", phone.sync_request(phone.collection(inbox), phone.collection(inbox)), ("4", None)),
            ("empty Collections", Node("AirSync:Sync", Node("AirSync:Collections")), ("4", None)),
            ("unknown key", collection(key="nope"), (None, "3")),
            ("no key", collection(key=""), (None, "4")),
            ("a BodyPreference type twice", collection(twice), (None, "4")),
            ("BodyPartPreference of a wrong type", collection(part), (None, "164")),
            ("FilterType 9", collection(Node("AirSync:Options", Node("AirSync:FilterType", "9"))), (None, "4")),
            ("a folder that is gone", collection(folder="99999"), (None, "12")),
            ("partial with nothing", Node("AirSync:Sync", Node("AirSync:Partial")), ("4", None)),
        )
        for name, root, expected in rows:
            with self.subTest(name):
                self.assertEqual(self.status(phone, root), expected)
        self.assertIsNone(phone.sync(inbox), "nothing of that did harm to the state")

    def test_item_errors_stand_with_the_item(self):
        self.deliver("x")
        phone, inbox = self.primed()
        other = phone.folder("Junk")
        answer = phone.command(inbox, phone.change(phone.item(inbox, "x"), Node("Email:Subject", "rewritten")),
                               phone.change(f"{other}:1", Node("Email:Read", "1")),
                               Node("AirSync:Delete", Node("AirSync:ServerId", f"{inbox}:4711")),
                               Node("AirSync:Delete", Node("AirSync:ServerId", "no id")))
        self.assertEqual(answer.get("AirSync:Status"), "1")
        got = [(r.tag, r.get("AirSync:ServerId"), r.get("AirSync:Status")) for r in answer.find("AirSync:Responses").children]
        self.assertEqual(got, [("AirSync:Change", phone.item(inbox, "x"), "6"), ("AirSync:Change", f"{other}:1", "8"),
                               ("AirSync:Delete", "no id", "8")], "a Delete of what is gone is as wished")

    def test_defaults_of_get_changes_and_deletes_as_moves(self):
        """Traps 36 and 37."""
        self.deliver("x")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.sync(inbox)
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["x"], "GetChanges left out means 1")
        phone.command(inbox, Node("AirSync:Delete", Node("AirSync:ServerId", phone.item(inbox, "x"))))
        self.assertEqual(self.imap("Trash").search(None, "ALL")[1][0], b"1")
        trash = phone.folder("Trash")
        phone.sync_all(trash)
        phone.command(trash, Node("AirSync:Delete", Node("AirSync:ServerId", phone.item(trash, "x"))))
        self.assertEqual(self.imap("Trash").search(None, "ALL")[1][0], b"", "in Deleted Items it is for good")

    def test_commands_with_key_0_are_nobodys(self):
        self.deliver("x")
        phone, inbox = self.primed()
        root = phone.call("Sync", phone.sync_request(phone.collection(inbox, Node("AirSync:Commands", Node(
            "AirSync:Delete", Node("AirSync:ServerId", phone.item(inbox, "x")))), key="0")))
        collection = root.find("AirSync:Collections", "AirSync:Collection")
        self.assertEqual((collection.get("AirSync:Status"), collection.find("AirSync:Responses")), ("1", None))
        self.assertEqual(self.imap().search(None, "ALL")[1][0], b"1")

    def test_nothing_that_hangs_when_there_is_something_to_say(self):
        """Trap 40: more available, commands, key 0."""
        self.deliver("a", "b", "c")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.take(phone.call("Sync", phone.sync_request(phone.collection(inbox), heartbeat=600)))
        for _ in range(2):
            root = phone.call("Sync", phone.sync_request(phone.collection(inbox, Node("AirSync:WindowSize", 1)), heartbeat=600))
            self.assertIsNotNone(phone.take(root)[inbox].find("AirSync:MoreAvailable"))
        phone.take(phone.call("Sync", phone.sync_request(phone.collection(inbox, Node("AirSync:WindowSize", 1)), heartbeat=600)))
        self.assertEqual(len(phone.items[inbox]), 3)
        phone.take(phone.call("Sync", phone.sync_request(phone.collection(inbox, Node("AirSync:Commands", phone.change(
            phone.item(inbox, "a"), Node("Email:Read", "1")))), heartbeat=600)))

    def test_an_empty_request_goes_on_from_the_newest_key(self):
        """Trap 39: the kept list with current keys, also after an answer that had news."""
        phone, inbox = self.primed()
        for i in range(3):
            phone.sync(inbox)
            self.deliver(f"m{i}")
            phone.take(phone.post("Sync").root)
        self.assertEqual(len(phone.items[inbox]), 3)
        answer = phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=1)).answer()
        self.assertEqual(answer.body, b"")
        pending = phone.start("Sync")
        self.deliver("hanging again")
        answer = pending.answer()
        phone.take((answer if answer.body else phone.post("Sync")).root)  # the second it waits may be over
        self.assertEqual(len(phone.items[inbox]), 4)

    def test_news_under_a_key_that_the_phone_did_not_name_are_confirmed_by_one_that_it_names(self):
        """A lost answer to an empty or a partial request: the same again cannot say what was heard, a full one can."""
        phone, inbox = self.primed()
        junk = phone.folder("Junk")
        phone.sync_all(junk)
        for name, root in (("empty", None), ("partial", Node("AirSync:Sync", Node("AirSync:Collections", phone.collection(junk)),
                                                             Node("AirSync:Partial")))):
            with self.subTest(name):
                phone.post("Sync", phone.sync_request(phone.collection(inbox)))
                self.deliver(f"lost {name}")
                self.assertIn(f"lost {name}", repr(phone.post("Sync", root).root))
                self.assertEqual(phone.post("Sync", root).root.get("AirSync:Status"), "13")
                phone.sync(inbox)
                self.assertIn(f"lost {name}", phone.subjects(inbox))
                self.assertEqual(phone.post("Sync").body, b"", "and empty requests are good again")

    def test_a_failed_request_is_not_kept(self):
        phone, inbox = self.primed()
        phone.sync(inbox)
        phone.call("Sync", phone.sync_request(phone.collection("99999", key="x")))
        self.assertEqual(phone.post("Sync").body, b"", "the good one of before is repeated")

    def test_estimate_at_12_1_and_its_errors(self):
        self.deliver("a")
        phone, inbox = self.primed(version="12.1")
        self.deliver("b", "c")
        root = phone.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node("GetItemEstimate:Collections", Node(
            "GetItemEstimate:Collection", Node("GetItemEstimate:Class", "Email"), Node("GetItemEstimate:CollectionId", inbox),
            Node("AirSync:FilterType", "0"), Node("AirSync:SyncKey", phone.keys[inbox])))))
        response = root.find("GetItemEstimate:Response")
        self.assertEqual(response.get("GetItemEstimate:Status"), "1")
        self.assertEqual(response.find("GetItemEstimate:Collection").names(),
                         ["GetItemEstimate:Class", "GetItemEstimate:CollectionId", "GetItemEstimate:Estimate"])
        self.assertEqual(response.get("GetItemEstimate:Collection", "GetItemEstimate:Estimate"), "2")
        newer = self.phone(device="N")
        self.assertEqual(newer.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node(
            "GetItemEstimate:Collections"))).get("GetItemEstimate:Status"), "103")


class PingRules(EasTest):
    def test_what_is_left_out_is_what_was_sent_last(self):
        phone, inbox = self.primed()
        junk = phone.folder("Junk")
        self.assertEqual(phone.post("Ping", Node("Ping:Ping", Node("Ping:HeartbeatInterval", "1"))).root.get("Ping:Status"), "3")
        folders = phone.ping_request(1, inbox).find("Ping:Folders")
        self.assertEqual(phone.post("Ping", Node("Ping:Ping", folders)).root.get("Ping:Status"), "3", "no interval yet")
        phone.ping(1, inbox).answer()
        self.assertEqual(phone.post("Ping", Node("Ping:Ping", phone.ping_request(1, junk).find("Ping:Folders"))).root.get("Ping:Status"), "1")
        self.deliver("for the inbox")
        self.assertEqual(phone.post("Ping").root.get("Ping:Status"), "1", "the newest list counts, and Junk has nothing")
        phone.ping(1, inbox, junk).answer()
        root = phone.post("Ping", Node("Ping:Ping", Node("Ping:HeartbeatInterval", "600"))).root
        self.assertEqual((root.get("Ping:Status"), [f.text for f in root.find("Ping:Folders").children]), ("2", [inbox]))

    def test_a_refused_ping_is_not_kept(self):
        phone, inbox = self.primed()
        phone.ping(1, inbox).answer()
        phone.ping(4000, phone.folder("Junk")).answer()
        self.deliver("x")
        self.assertEqual(phone.post("Ping").root.get("Ping:Status"), "2")

    def test_any_interval_gets_its_bound(self):
        phone, inbox = self.primed()
        for seconds, bound in ((3541, "3540"), (1000001, "3540"), (4294967295, "3540"), (0, "1")):
            root = phone.ping(seconds, inbox).answer().root
            self.assertEqual((root.get("Ping:Status"), root.get("Ping:HeartbeatInterval")), ("5", bound))
            root = phone.call("Sync", phone.sync_request(phone.collection(inbox), heartbeat=seconds))
            self.assertEqual((root.get("AirSync:Status"), root.get("AirSync:Limit")), ("14", bound))

    def test_the_outbox_may_be_watched(self):
        """Some phones watch nothing else."""
        phone, inbox = self.primed()
        outbox = phone.folder("Outbox")
        self.assertEqual(phone.ping(1, outbox).answer().root.get("Ping:Status"), "1")
        phone.sync(outbox)
        self.assertEqual(phone.start("Sync", phone.sync_request(phone.collection(outbox), heartbeat=1)).answer().body, b"")
        self.deliver("x")
        root = phone.ping(600, outbox, inbox).answer().root
        self.assertEqual([f.text for f in root.find("Ping:Folders").children], [inbox])

    def test_trouble_of_our_own_is_8(self):
        phone, inbox = self.primed()
        sql = Sql(self.server)
        self.addCleanup(sql, "alter table device drop constraint broken")
        sql("alter table device add constraint broken check (ping_heartbeat_s <> 77) not valid")
        self.assertEqual(phone.ping(77, inbox).answer().root.get("Ping:Status"), "8")

    def test_ping_changes_no_key_and_delivers_nothing(self):
        phone, inbox = self.primed()
        self.deliver("x")
        for _ in range(3):
            self.assertEqual(phone.ping(600, inbox).answer().root.get("Ping:Status"), "2", "until it is fetched")
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["x"])


class Moves(EasTest):
    def test_statuses(self):
        self.deliver("a", "b")
        phone, inbox = self.primed()
        junk = phone.folder("Junk")
        rows = ((phone.item(inbox, "a"), inbox, junk, "3"), ("x", inbox, junk, "1"), (f"{inbox}:999", inbox, junk, "1"),
                (phone.item(inbox, "b"), junk, inbox, "1"), (phone.item(inbox, "b"), "999999", junk, "1"),
                (phone.item(inbox, "b"), inbox, "999999", "2"), (phone.item(inbox, "b"), inbox, "x", "2"),
                (phone.item(inbox, "b"), inbox, phone.folder("Outbox"), "2"), (phone.item(inbox, "b"), inbox, inbox, "4"))
        root = phone.call("MoveItems", Node("Move:MoveItems", *[Node("Move:Move", Node("Move:SrcMsgId", item), Node(
            "Move:SrcFldId", source), Node("Move:DstFldId", target)) for item, source, target, _ in rows]))
        got = [(r.get("Move:SrcMsgId"), r.get("Move:Status"), r.find("Move:DstMsgId") is not None) for r in root.children]
        self.assertEqual(got, [(item, status, status == "3") for item, _, _, status in rows], "in the order of the request")
