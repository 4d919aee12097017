"""ActiveSync against the real server: logging in, folders, and what Sync says of mail."""
import base64

from eas_base import EasTest
from eas_client import Node, Phone, base64_query
from harness import PASSWORD, message


class Basics(EasTest):
    def raw(self, method="POST", path=None, body=b"", headers=None, user=None, password=PASSWORD):
        client = self.server.http()
        credentials = base64.b64encode((f"{user or self.user}:{password}").encode()).decode()
        client.request(method, path or "/Microsoft-Server-ActiveSync?Cmd=FolderSync&DeviceId=D1&DeviceType=T", body,
                       {"Authorization": "Basic " + credentials, "MS-ASProtocolVersion": "14.1", **(headers or {})})
        response = client.getresponse()
        response.body = response.read()
        client.close()
        return response

    def test_options_lists_the_command_table(self):
        answer = self.raw("OPTIONS", "/Microsoft-Server-ActiveSync")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body, b"")
        self.assertEqual(answer.headers["MS-ASProtocolVersions"], "12.0,12.1,14.0,14.1,16.0,16.1")
        commands = set(answer.headers["MS-ASProtocolCommands"].split(","))
        self.assertEqual(commands, {"Find", "FolderCreate", "FolderDelete", "FolderSync", "FolderUpdate", "GetAttachment",
                                    "GetHierarchy", "GetItemEstimate", "ItemOperations", "MeetingResponse", "MoveItems", "Ping", "Provision",
                                    "ResolveRecipients", "Search", "SendMail", "Settings", "SmartForward", "SmartReply",
                                    "Sync", "ValidateCert"})

    def test_path_in_any_case_and_with_a_slash(self):
        for path in ("/microsoft-server-activesync", "/Microsoft-Server-ActiveSync/"):
            self.assertEqual(self.raw("OPTIONS", path).status, 200, path)

    def test_other_methods(self):
        self.assertEqual(self.raw("GET").status, 501)

    def test_without_credentials(self):
        client = self.server.http()
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync")
        response = client.getresponse()
        response.read()
        self.assertEqual(response.status, 401)
        self.assertIn("Basic", response.headers["WWW-Authenticate"])

    def test_wrong_password(self):
        self.assertEqual(self.raw(password="wrong").status, 401)
        self.assertEqual(self.raw(user="nobody@example.test").status, 401)

    def test_login_with_domain(self):
        self.assertEqual(self.raw("OPTIONS", user="ANYTHING\\" + self.user).status, 200)
        local = self.user.split("@")[0]
        self.assertEqual(self.raw("OPTIONS", user="example.test\\" + local).status, 200)
        self.assertEqual(self.raw("OPTIONS", f"/Microsoft-Server-ActiveSync?User={self.user}&Cmd=x", user=local).status, 200)

    def test_password_in_latin1(self):
        login = f"latin{EasTest.counter}@example.test"
        self.server.add_account(login, "päss")
        for octets in (f"{login}:päss".encode(), f"{login}:päss".encode("latin-1")):
            client = self.server.http()
            client.request("OPTIONS", "/Microsoft-Server-ActiveSync",
                           headers={"Authorization": "Basic " + base64.b64encode(octets).decode()})
            response = client.getresponse()
            response.read()
            self.assertEqual(response.status, 200, octets)

    def test_versions(self):
        for version, status in (("12.1", 200), ("14.0", 200), ("14.1", 200), ("16.1", 200), ("12.0", 200), ("16.0", 200),
                                ("2.5", 505), ("1.0", 505), ("11.9", 505), ("16.2", 505), ("99.9", 505), ("x", 505),
                                ("", 505)):
            answer = self.phone(version=version).post("FolderSync", Node("FolderHierarchy:FolderSync", Node(
                "FolderHierarchy:SyncKey", "0")))
            self.assertEqual(answer.status, status, version)
            # A refusal says what it could speak instead.
            self.assertEqual(answer.headers["MS-ASProtocolVersions"], "12.0,12.1,14.0,14.1,16.0,16.1")

    def test_base64_query(self):
        phone = self.phone()
        root = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))
        answer = phone.post("FolderSync", root, path=base64_query(141, 9, b"B64DEVICE", "SmartPhone"))
        self.assertEqual(answer.root.get("FolderHierarchy:Status"), "1")
        self.assertEqual(phone.post("FolderSync", root, path=base64_query(141, 9, b"", "SmartPhone")).status, 400)
        self.assertEqual(phone.post("FolderSync", root, path="/Microsoft-Server-ActiveSync?!!").status, 400)
        self.assertEqual(phone.post("FolderSync", root, path=base64_query(25, 9, b"X", "SmartPhone")).status, 505)

    def test_bad_requests_by_version(self):
        def status(version, **more):
            answer = self.phone(version=version).post("FolderSync", **more)
            return answer.status, answer.root.get("FolderHierarchy:Status") if answer.root else None
        self.assertEqual(status("14.1", body=b"\x03\x01\x6a\x00\x45"), (200, "102"))
        self.assertEqual(status("12.1", body=b"\x03\x01\x6a\x00\x45"), (400, None))
        self.assertEqual(status("14.1", body=b""), (200, "101"))
        self.assertEqual(status("12.1", body=b""), (400, None))
        self.assertEqual(status("14.1", root=Node("Ping:Ping", Node("Ping:HeartbeatInterval", 60))), (200, "103"))
        self.assertEqual(status("14.1", body=b"x", Content_Type="text/plain"), (200, "101"))
        self.assertEqual(self.phone().post("NoSuchCommand", body=b"").status, 501)
        self.assertEqual(self.phone().post("CreateCollection", body=b"").status, 501)
        answer = self.phone(device="D" * 33).post("FolderSync", Node("FolderHierarchy:FolderSync"))
        self.assertEqual(answer.root.get("FolderHierarchy:Status"), "108")

    def test_nothing_of_this_server_falls_over_garbage(self):
        phone = self.phone()
        for body in (b"\x00", b"\x03\x01\x6a\x00", b"\x03\x01\x6a\x00" + b"\x45" * 40, b"\x03\x01\x6a\x00\x45\xc3\x8f\xff\xff\xff\x7f"):
            for command in ("Sync", "Ping", "FolderSync", "ItemOperations", "SendMail", "MoveItems", "Provision"):
                answer = phone.post(command, body=body)
                self.assertEqual(answer.status, 200, (command, body))
                self.assertEqual(answer.root.children[0].text, "102", (command, body))

    def test_plain_http_from_elsewhere_needs_tls(self):
        phone = self.phone(tls=True)
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")


class Folders(EasTest):
    def test_hierarchy(self):
        phone = self.phone()
        root = phone.folder_sync()
        self.assertEqual(root.get("FolderHierarchy:Status"), "1")
        types = {name: kind for name, kind, _ in phone.folders.values()}
        self.assertEqual({k: types[k] for k in ("Inbox", "Drafts", "Trash", "Sent", "Outbox", "Junk")},
                         {"Inbox": "2", "Drafts": "3", "Trash": "4", "Sent": "5", "Outbox": "6", "Junk": "12"})
        self.assertEqual(int(root.get("FolderHierarchy:Changes", "FolderHierarchy:Count")), len(phone.folders))
        key = phone.hierarchy_key
        root = phone.folder_sync()
        self.assertEqual(root.get("FolderHierarchy:Changes", "FolderHierarchy:Count"), "0")
        self.assertEqual(phone.hierarchy_key, key)

    def test_ids_are_stable(self):
        first, second = self.phone(), self.phone(device="OTHER")
        first.folder_sync()
        second.folder_sync()
        self.assertEqual(first.folders, second.folders)

    def test_unknown_key(self):
        phone = self.phone()
        phone.hierarchy_key = "nonsense"
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "9")
        root = phone.call("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "")))
        self.assertEqual(root.get("FolderHierarchy:Status"), "9")

    def create(self, phone, name, parent="0", kind="12", key=None):
        return phone.call("FolderCreate", Node(
            "FolderHierarchy:FolderCreate", Node("FolderHierarchy:SyncKey", key or phone.hierarchy_key),
            Node("FolderHierarchy:ParentId", parent), Node("FolderHierarchy:DisplayName", name),
            Node("FolderHierarchy:Type", kind)))

    def test_create_rename_delete(self):
        phone, desktop = self.phone(), self.imap()
        phone.folder_sync()
        old_key = phone.hierarchy_key
        root = self.create(phone, "Pröjekt")
        self.assertEqual(root.get("FolderHierarchy:Status"), "1")
        server_id = root.get("FolderHierarchy:ServerId")
        # The reply was lost: the same request gives the same folder (hard case 9c).
        again = self.create(phone, "Pröjekt", key=old_key)
        self.assertEqual((again.get("FolderHierarchy:Status"), again.get("FolderHierarchy:ServerId")), ("1", server_id))
        phone.hierarchy_key = again.get("FolderHierarchy:SyncKey")
        self.assertTrue(any(b"Pr&APY-jekt" in line for line in desktop.list()[1]))
        # What the device did is not echoed to it, another device hears of it.
        root = phone.folder_sync()
        self.assertEqual(root.get("FolderHierarchy:Changes", "FolderHierarchy:Count"), "0")
        self.assertEqual(self.create(phone, "Pröjekt").get("FolderHierarchy:Status"), "2")
        child = self.create(phone, "Child", parent=server_id)
        phone.hierarchy_key = child.get("FolderHierarchy:SyncKey")
        root = phone.call("FolderUpdate", Node(
            "FolderHierarchy:FolderUpdate", Node("FolderHierarchy:SyncKey", phone.hierarchy_key),
            Node("FolderHierarchy:ServerId", server_id), Node("FolderHierarchy:ParentId", "0"),
            Node("FolderHierarchy:DisplayName", "Renamed")))
        self.assertEqual(root.get("FolderHierarchy:Status"), "1")
        phone.hierarchy_key = root.get("FolderHierarchy:SyncKey")
        self.assertTrue(any(b"Renamed/Child" in line for line in desktop.list()[1]))
        root = phone.call("FolderDelete", Node(
            "FolderHierarchy:FolderDelete", Node("FolderHierarchy:SyncKey", phone.hierarchy_key),
            Node("FolderHierarchy:ServerId", server_id)))
        self.assertEqual(root.get("FolderHierarchy:Status"), "1")
        self.assertFalse(any(b"Renamed" in line for line in desktop.list()[1]))

    def test_refusals(self):
        phone = self.phone()
        phone.folder_sync()
        self.assertEqual(self.create(phone, "X", kind="2").get("FolderHierarchy:Status"), "10")
        self.assertEqual(self.create(phone, "").get("FolderHierarchy:Status"), "10")
        self.assertEqual(self.create(phone, "X", parent="987654321").get("FolderHierarchy:Status"), "5")
        self.assertEqual(self.create(phone, "X", key="bad").get("FolderHierarchy:Status"), "9")

        def delete(server_id):
            return phone.call("FolderDelete", Node(
                "FolderHierarchy:FolderDelete", Node("FolderHierarchy:SyncKey", phone.hierarchy_key),
                Node("FolderHierarchy:ServerId", server_id))).get("FolderHierarchy:Status")
        self.assertEqual(delete(phone.folder("Inbox")), "3")
        self.assertEqual(delete("987654321"), "4")
        self.assertEqual(delete("x"), "4")

    def test_changes_by_another_client(self):
        phone, desktop = self.phone(), self.imap()
        phone.folder_sync()
        desktop.create("Work")
        desktop.create("Work/Deep")
        root = phone.folder_sync()
        self.assertEqual([name for name, _, _ in phone.folders.values() if name in ("Work", "Deep")], ["Work", "Deep"],
                         "parents come first")
        work = phone.folder("Work")
        desktop.rename("Work", "Play")
        root = phone.folder_sync()
        changes = root.find("FolderHierarchy:Changes")
        self.assertEqual(phone.folders[work][0], "Play")
        self.assertEqual(len(changes.all("FolderHierarchy:Add")), 0)
        desktop.delete("Play/Deep")
        desktop.delete("Play")
        phone.folder_sync()
        self.assertNotIn(work, phone.folders)


class Syncing(EasTest):
    def test_first_fill_in_windows_newest_first(self):
        self.deliver(*[f"mail {i}" for i in range(7)])
        phone = self.phone()
        inbox = phone.folder("Inbox")
        self.assertIsNone(phone.sync(inbox).find("AirSync:Commands"), "key 0 brings no items")
        collection = phone.sync(inbox, Node("AirSync:WindowSize", 3), phone.options())
        self.assertEqual(phone.subjects(inbox), ["mail 4", "mail 5", "mail 6"])
        self.assertIsNotNone(collection.find("AirSync:MoreAvailable"))
        names = collection.names()
        self.assertLess(names.index("AirSync:MoreAvailable"), names.index("AirSync:Commands"))
        self.assertIsNotNone(phone.sync(inbox, Node("AirSync:WindowSize", 3)).find("AirSync:MoreAvailable"))
        self.assertIsNone(phone.sync(inbox, Node("AirSync:WindowSize", 3)).find("AirSync:MoreAvailable"))
        self.assertEqual(len(phone.items[inbox]), 7)
        self.assertIsNone(phone.sync(inbox), "nothing new is an empty answer")

    def test_item(self):
        self.deliver("Grüße", text="Hello there.\r\n")
        phone, inbox = self.primed(Phone.options(0, (1, None, 5)))
        data = phone.items[inbox][phone.item(inbox, "Grüße")]
        self.assertEqual(data.get("Email:From").replace('"', ""), "Ann <ann@example.org>")
        self.assertEqual(data.get("Email:Read"), "0")
        self.assertEqual(data.get("Email:Importance"), "1")
        self.assertEqual(data.get("Email:MessageClass"), "IPM.Note")
        self.assertRegex(data.get("Email:DateReceived"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        body = data.find("AirSyncBase:Body")
        self.assertEqual(body.get("AirSyncBase:Type"), "1")
        self.assertEqual(body.get("AirSyncBase:Data").strip(), "Hello there.")
        self.assertEqual(body.get("AirSyncBase:Preview"), "Hello")
        self.assertEqual(len(data.get("Email2:ConversationId")), 16)

    def test_first_sync_of_an_empty_folder(self):
        phone, inbox = self.primed()
        self.assertEqual(phone.items.get(inbox, {}), {})
        self.deliver("first")
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["first"])

    def test_replay_gives_the_same_answer_and_changes_nothing_twice(self):
        self.deliver(*[f"mail {i}" for i in range(4)])
        phone, inbox = self.primed()
        target = phone.item(inbox, "mail 1")
        self.deliver("news")
        request = phone.sync_request(phone.collection(inbox, Node("AirSync:Commands", Node(
            "AirSync:Delete", Node("AirSync:ServerId", target)), phone.change(phone.item(inbox, "mail 2"), Node("Email:Read", "1")))))
        first, second = phone.post("Sync", request).root, phone.post("Sync", request).root

        def shape(root):
            collection = root.find("AirSync:Collections", "AirSync:Collection")
            return [repr(child) for child in collection.children if child.tag != "AirSync:SyncKey"]
        self.assertEqual(shape(first), shape(second))
        phone.take(second)
        del phone.items[inbox][target]
        self.assertEqual(phone.subjects(inbox), ["mail 0", "mail 2", "mail 3", "news"])
        desktop = self.imap("Trash")
        self.assertEqual(len(desktop.search(None, "ALL")[1][0].split()), 1, "moved to Trash once")
        self.assertIsNone(phone.sync(inbox))

    def test_older_and_unknown_keys(self):
        self.deliver("one")
        phone, inbox = self.primed()
        keys = [phone.keys[inbox]]
        for i in range(2):
            self.deliver(f"more {i}")
            phone.sync(inbox)
            keys.append(phone.keys[inbox])
        phone.sync(inbox)
        for key in ("nonsense", keys[0], "x" * 65):
            collection = phone.call("Sync", phone.sync_request(phone.collection(inbox, key=key))).find(
                "AirSync:Collections", "AirSync:Collection")
            self.assertEqual(collection.get("AirSync:Status"), "3", key)
            self.assertIsNone(collection.find("AirSync:Commands"))
        self.deliver("still works")
        phone.sync(inbox)
        self.assertIn("still works", phone.subjects(inbox))

    def test_flags_both_ways(self):
        self.deliver("flags")
        phone, inbox = self.primed()
        item = phone.item(inbox, "flags")
        desktop = self.imap()
        self.assertIsNone(phone.command(inbox, phone.change(item, Node("Email:Read", "1"), Node(
            "Email:Flag", Node("Email:Status", "2"), Node("Email:FlagType", "Follow up")))).find("AirSync:Responses"))
        desktop.noop()
        flags = desktop.fetch("1", "(FLAGS)")[1][0]
        self.assertIn(b"\\Seen", flags)
        self.assertIn(b"\\Flagged", flags)
        self.assertIsNone(phone.sync(inbox), "what the device did is not echoed")
        desktop.store("1", "-FLAGS", "(\\Seen \\Flagged)")
        collection = phone.sync(inbox)
        change = collection.find("AirSync:Commands", "AirSync:Change", "AirSync:ApplicationData")
        self.assertEqual(change.get("Email:Read"), "0")
        self.assertEqual(change.find("Email:Flag").children, [], "an empty Flag clears")
        self.assertIsNone(change.find("Email:Subject"), "only what changed")
        desktop.store("1", "+FLAGS", "(\\Flagged)")
        change = phone.sync(inbox).find("AirSync:Commands", "AirSync:Change", "AirSync:ApplicationData")
        self.assertEqual(change.get("Email:Flag", "Email:Status"), "2")

    def test_a_flag_that_is_complete_is_not_flagged(self):
        self.deliver("task")
        phone, inbox = self.primed()
        other, _ = self.primed(device="OTHER")
        item, when = phone.item(inbox, "task"), "2026-11-23T10:00:00.000Z"
        phone.command(inbox, phone.change(item, Node("Email:Flag", Node("Email:Status", "1"), Node(
            "Email:CompleteTime", when), Node("Tasks:DateCompleted", when))))
        change = other.sync(inbox).find("AirSync:Commands", "AirSync:Change", "AirSync:ApplicationData")
        self.assertEqual(change.get("Email:Flag", "Email:Status"), "1")
        self.assertEqual(change.get("Email:Flag", "Email:CompleteTime"), when)
        self.assertNotIn(b"\\Flagged", self.imap().fetch("1", "(FLAGS)")[1][0])
        answer = phone.command(inbox, phone.change(item, Node("Email:Flag", Node("Email:Status", "7"))))
        self.assertEqual(answer.get("AirSync:Responses", "AirSync:Change", "AirSync:Status"), "6")

    def test_categories(self):
        self.deliver("cats")
        phone, inbox = self.primed()
        other, _ = self.primed(device="OTHER")
        item = phone.item(inbox, "cats")
        desktop = self.imap()
        desktop.store("1", "+FLAGS", "($Forwarded)")
        phone.sync(inbox)
        phone.command(inbox, phone.change(item, Node("Email:Categories", Node("Email:Category", "Work"), Node(
            "Email:Category", "Rote Kategorie"))))
        flags = desktop.fetch("1", "(FLAGS)")[1][0]
        self.assertIn(b"Work", flags)
        self.assertIn(b"$Forwarded", flags, "system keywords are left alone")
        other.sync(inbox)
        names = [c.text for c in other.items[inbox][item].find("Email:Categories").children]
        self.assertEqual(sorted(names), ["Rote Kategorie", "Work"])
        phone.command(inbox, phone.change(item, Node("Email:Categories")))
        flags = desktop.fetch("1", "(FLAGS)")[1][0]
        self.assertNotIn(b"Work", flags)
        self.assertIn(b"$Forwarded", flags)

    def test_deletes_both_ways(self):
        self.deliver("a", "b", "c")
        phone, inbox = self.primed()
        trash = phone.folder("Trash")
        phone.sync_all(trash)
        desktop = self.imap()
        desktop.store("1", "+FLAGS", "(\\Deleted)")
        desktop.expunge()
        collection = phone.sync(inbox)
        self.assertEqual(len(collection.find("AirSync:Commands").all("AirSync:Delete")), 1)
        self.assertEqual(phone.subjects(inbox), ["b", "c"])
        item = phone.item(inbox, "b")
        phone.command(inbox, Node("AirSync:Delete", Node("AirSync:ServerId", item)))
        del phone.items[inbox][item]
        self.assertIsNone(phone.sync(inbox), "no Delete comes back")
        phone.sync(trash)
        self.assertEqual(phone.subjects(trash), ["b"], "DeletesAsMoves is the default, and the phone is told of the copy")
        phone.sync(inbox, Node("AirSync:DeletesAsMoves", "0"), Node("AirSync:Commands", Node("AirSync:Delete", Node(
            "AirSync:ServerId", phone.item(inbox, "c")))))
        desktop.noop()
        self.assertEqual(desktop.search(None, "ALL")[1][0], b"")
        self.assertIsNone(phone.sync(trash))

    def test_many_changes_on_the_desktop_come_in_windows(self):
        self.deliver(*[f"m{i}" for i in range(12)])
        phone, inbox = self.primed()
        desktop = self.imap()
        desktop.store("1:*", "+FLAGS", "(\\Seen)")
        rounds = phone.sync_all(inbox, window=5)
        self.assertGreaterEqual(rounds, 3)
        self.assertEqual({data.get("Email:Read") for data in phone.items[inbox].values()}, {"1"})

    def test_a_backlog_touched_meanwhile_loses_nothing(self):
        """Hard case 1: mail that came and was read elsewhere while a window was not yet through."""
        phone, inbox = self.primed()
        self.deliver(*[f"m{i}" for i in range(9)])
        desktop = self.imap()
        phone.sync(inbox, Node("AirSync:WindowSize", 3))
        desktop.store("1:*", "+FLAGS", "(\\Seen)")
        phone.sync_all(inbox, window=2)
        self.assertEqual(len(phone.items[inbox]), 9)
        self.assertEqual({data.get("Email:Read") for data in phone.items[inbox].values()}, {"1"})

    def test_get_changes_0_keeps_the_news(self):
        phone, inbox = self.primed()
        self.deliver("later")
        collection = phone.sync(inbox, Node("AirSync:GetChanges", "0"))
        self.assertTrue(collection is None or collection.find("AirSync:Commands") is None)
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["later"])

    def test_filter(self):
        desktop = self.imap()
        desktop.append("INBOX", None, '"01-Jan-2020 10:00:00 +0000"', message("old", to=self.user))
        self.deliver("new")
        phone, inbox = self.primed(Phone.options(2))
        self.assertEqual(phone.subjects(inbox), ["new"])
        phone.sync_all(inbox, Phone.options(0))
        self.assertEqual(phone.subjects(inbox), ["new", "old"], "widening sends Add")
        collection = phone.sync(inbox, Phone.options(2))
        self.assertEqual(len(collection.find("AirSync:Commands").all("AirSync:SoftDelete")), 1)
        self.assertEqual(phone.subjects(inbox), ["new"])
        self.assertEqual(len(self.imap().search(None, "ALL")[1][0].split()), 2, "the server keeps it")

    def test_fetch_and_missing_items(self):
        self.deliver("x", text="whole body\r\n")
        phone, inbox = self.primed(Phone.options(0, (1, 4)))
        item = phone.item(inbox, "x")
        self.assertEqual(phone.items[inbox][item].get("AirSyncBase:Body", "AirSyncBase:Data"), "whol")
        self.assertEqual(phone.items[inbox][item].get("AirSyncBase:Body", "AirSyncBase:Truncated"), "1")
        answer = phone.sync(inbox, Phone.options(0, (1, None)), Node("AirSync:Commands", Node(
            "AirSync:Fetch", Node("AirSync:ServerId", item)), Node("AirSync:Fetch", Node("AirSync:ServerId", "999:1")),
            phone.change(f"{inbox}:99999", Node("Email:Read", "1"))))
        responses = answer.find("AirSync:Responses")
        self.assertEqual(responses.names(), ["AirSync:Change", "AirSync:Fetch", "AirSync:Fetch"])
        self.assertEqual(responses.children[0].get("AirSync:Status"), "8")
        self.assertIn("whole body", responses.children[1].get("AirSync:ApplicationData", "AirSyncBase:Body", "AirSyncBase:Data"))
        self.assertEqual(responses.children[2].get("AirSync:Status"), "8")

    def test_add_is_refused_below_16(self):
        phone, inbox = self.primed()
        answer = phone.command(inbox, Node("AirSync:Add", Node("AirSync:ClientId", "1"), Node(
            "AirSync:ApplicationData", Node("Email:Subject", "x"))))
        self.assertEqual(answer.get("AirSync:Responses", "AirSync:Add", "AirSync:Status"), "6")

    def test_empty_and_partial_requests(self):
        phone = self.phone()
        inbox = phone.folder("Inbox")
        self.assertEqual(phone.post("Sync").root.get("AirSync:Status"), "13")
        self.assertEqual(phone.post("Sync", Node("AirSync:Sync")).root.get("AirSync:Status"), "4")
        partial = Node("AirSync:Sync", Node("AirSync:WindowSize", "5"), Node("AirSync:Partial"))
        self.assertEqual(phone.post("Sync", partial).root.get("AirSync:Status"), "13")
        phone.sync_all(inbox)
        phone.sync(inbox)
        self.assertEqual(phone.post("Sync").body, b"")
        self.deliver("by an empty request")
        phone.take(phone.post("Sync").root)
        self.assertEqual(phone.subjects(inbox), ["by an empty request"])
        # Only a request that names its keys says whether the phone heard that: nothing is kept until it sends one.
        self.assertEqual(phone.post("Sync", partial).root.get("AirSync:Status"), "13")
        self.assertIsNone(phone.sync(inbox))
        self.deliver("by a partial one")
        phone.take(phone.post("Sync", partial).root)
        self.assertEqual(len(phone.items[inbox]), 2)

    def test_folder_that_is_gone(self):
        phone, desktop = self.phone(), self.imap()
        desktop.create("Gone")
        gone = phone.folder("Gone")
        phone.sync(gone)
        desktop.delete("Gone")
        for folder in (gone, "987654", "nonsense"):
            root = phone.call("Sync", phone.sync_request(phone.collection(folder, key=phone.keys[gone])))
            self.assertEqual(root.get("AirSync:Collections", "AirSync:Collection", "AirSync:Status"), "12", folder)

    def test_several_collections_and_a_common_window(self):
        self.deliver("i1", "i2", "i3")
        desktop = self.imap()
        for i in range(3):
            desktop.append("Junk", None, None, message(f"j{i}", to=self.user))
        phone = self.phone()
        inbox, junk = phone.folder("Inbox"), phone.folder("Junk")
        phone.take(phone.call("Sync", phone.sync_request(phone.collection(inbox), phone.collection(junk))))
        for _ in range(10):
            answer = phone.post("Sync", phone.sync_request(phone.collection(inbox), phone.collection(junk), window=4))
            if not answer.body:
                break
            got = phone.take(answer.root)
            sent = sum(len(c.find("AirSync:Commands").children) for c in got.values() if c.find("AirSync:Commands"))
            self.assertLessEqual(sent, 4)
        self.assertEqual((len(phone.items[inbox]), len(phone.items[junk])), (3, 3))

    def test_two_devices_are_independent(self):
        self.deliver("one")
        first, inbox = self.primed()
        second, _ = self.primed(device="OTHER")
        first.command(inbox, first.change(first.item(inbox, "one"), Node("Email:Read", "1")))
        self.assertIsNone(first.sync(inbox))
        second.sync(inbox)
        self.assertEqual(second.items[inbox][second.item(inbox, "one")].get("Email:Read"), "1")

    def test_version_12_1(self):
        self.deliver("old school")
        phone, inbox = self.primed(Phone.options(0, (2, None)), version="12.1")
        collection = phone.command(inbox, Node("AirSync:Fetch", Node("AirSync:ServerId", phone.item(inbox, "old school"))))
        self.assertEqual(collection.names()[0], "AirSync:Class")
        data = phone.items[inbox][phone.item(inbox, "old school")]
        self.assertIsNone(data.find("Email2:ConversationId"))
        self.assertIsNone(data.find("Email:Categories"))
        self.assertEqual(data.get("AirSyncBase:Body", "AirSyncBase:Type"), "2")

    def test_estimate(self):
        self.deliver("a", "b")
        phone, inbox = self.primed()
        self.deliver("c")

        def estimate(folder, key):
            root = phone.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node(
                "GetItemEstimate:Collections", Node("GetItemEstimate:Collection", Node("AirSync:SyncKey", key), Node(
                    "GetItemEstimate:CollectionId", folder), Node("AirSync:Options", Node("AirSync:FilterType", "0"))))))
            response = root.find("GetItemEstimate:Response")
            return response.get("GetItemEstimate:Status"), response.get("GetItemEstimate:Collection", "GetItemEstimate:Estimate")
        self.assertEqual(estimate(inbox, phone.keys[inbox]), ("1", "1"))
        self.assertEqual(estimate(inbox, "0"), ("3", None))
        self.assertEqual(estimate(inbox, "bad"), ("4", None))
        self.assertEqual(estimate("99999", "x")[0], "2")
        phone.sync(inbox)
        self.assertEqual(estimate(inbox, phone.keys[inbox]), ("1", "0"))

    def test_outbox_is_there_and_empty(self):
        phone = self.phone()
        outbox = phone.folder("Outbox")
        self.assertEqual(phone.sync(outbox).get("AirSync:Status"), "1")
        self.assertIsNone(phone.sync(outbox))
