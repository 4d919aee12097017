"""Each limit of ActiveSync and of the HTTP front behind it, from both sides: the most that is taken, and one more."""
import http.client

from eas_base import BOB, EasTest, Sql
from eas_client import Node, Phone, encode


class Limits(EasTest):
    settings = {"eas__devices_max": 3, "eas__request_max": 200000, "eas__folders_max": 4}

    def test_authorization_header(self):
        """EAS_CREDENTIALS_MAX: octets of the header, here filled up with blanks."""
        good = self.server.basic(self.user).split()[1]
        for size, status in ((1024, 200), (1025, 401)):
            client = self.server.http()
            client.request("OPTIONS", "/Microsoft-Server-ActiveSync", headers={
                "Authorization": "Basic" + " " * (size - 5 - len(good)) + good})
            self.assertEqual(client.getresponse().status, status)

    def test_query(self):
        """EAS_QUERY_MAX: 4,096 octets."""
        for size, status in ((3800, 200), (4200, 400)):
            answer = self.phone().post("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0")),
                                       query={"Filler": "x" * size})
            self.assertEqual(answer.status, status)

    def test_device_id_and_type(self):
        """EAS_DEVICE_ID_MAX, EAS_DEVICE_TYPE_MAX: 32 letters; 108 and 109, at 12.1 HTTP 400."""
        root = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))

        def status(version="14.1", **more):
            answer = self.phone(version=version, **more).post("FolderSync", root)
            return answer.root.get("FolderHierarchy:Status") if answer.root else answer.status
        self.assertEqual(status(device="D" * 32, device_type="T" * 32), "1")
        self.assertEqual(status(device="D" * 33), "108")
        self.assertEqual(status(device=""), "108")
        self.assertEqual(status(device_type="T" * 33), "109")
        self.assertEqual(status(device_type=""), "109")
        self.assertEqual(status("12.1", device="D" * 33), 400)

    def test_devices_of_an_account(self):
        """eas.devices_max: 177, at 12.1 HTTP 403; the known ones go on."""
        for i in range(3):
            self.assertEqual(self.phone(device=f"D{i}").folder_sync().get("FolderHierarchy:Status"), "1")
        root = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))
        self.assertEqual(self.phone(device="D3").post("FolderSync", root).root.get("FolderHierarchy:Status"), "177")
        self.assertEqual(self.phone(device="D3", version="12.1").post("FolderSync", root).status, 403)
        self.assertEqual(self.phone(device="d0").folder_sync().get("FolderHierarchy:Status"), "1")

    def test_bodies(self):
        """SMALL_BODY_MAX for what carries no message, eas.request_max for what does: HTTP 413 from the head alone."""
        phone = self.phone()
        small = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))
        filler = encode(small) + b"\x00" * (1 << 20)  # what stands behind the document is passed over
        self.assertEqual(phone.post("FolderSync", body=filler[:1 << 20]).root.get("FolderHierarchy:Status"), "1")
        self.assertEqual(phone.post("FolderSync", body=filler[:(1 << 20) + 1]).status, 413)
        mime = f"To: {BOB}\r\nSubject: big\r\n\r\n" + "x" * 76 + "\r\n"
        self.assertEqual(phone.send(mime + ("y" * 76 + "\r\n") * 2500, "fits").body, b"")
        self.assertEqual(phone.send(mime + ("y" * 76 + "\r\n") * 2600, "too big").status, 413)
        client = http.client.HTTPConnection("127.0.0.1", self.server.ports["http"], timeout=60)
        self.server.opened.append(client.close)
        client.putrequest("POST", phone.path("SendMail"))
        for name, value in phone.headers().items():
            client.putheader(name, value)
        client.putheader("Content-Length", "200001")
        client.endheaders()
        self.assertEqual(client.getresponse().status, 413, "before one octet of it was sent")

    def test_watched_folders(self):
        """eas.folders_max of a Ping (6) and of a hanging Sync (15); more than 1,000 of either at all."""
        phone, inbox = self.primed()
        ids = [phone.folder(name) for name in ("Inbox", "Sent", "Trash", "Junk", "Drafts")]
        self.assertEqual(phone.ping(1, *ids[:4]).answer().root.get("Ping:Status"), "1")
        for folders in (ids, [str(1000000 + i) for i in range(1001)]):
            root = phone.ping(1, *folders).answer().root
            self.assertEqual((root.get("Ping:Status"), root.get("Ping:MaxFolders")), ("6", "4"))
        for folder in ids:
            phone.sync_all(folder)
        root = phone.call("Sync", phone.sync_request(*[phone.collection(folder) for folder in ids], heartbeat=60))
        self.assertEqual((root.get("AirSync:Status"), root.get("AirSync:Limit")), ("15", "4"))
        self.assertEqual(phone.post("Sync", phone.sync_request(*[phone.collection(folder) for folder in ids])).body, b"",
                         "without waiting they may be more")
        root = phone.call("Sync", phone.sync_request(*[phone.collection(str(1000000 + i), key="x") for i in range(1001)]))
        self.assertEqual((root.get("AirSync:Status"), root.get("AirSync:Limit")), ("15", "1000"))

    def test_counts_in_one_request(self):
        """OPERATIONS_MAX 100, MOVES_MAX and COLLECTIONS_MAX 1,000, EAS_COMMANDS_MAX 1,000, EAS_CATEGORIES_MAX 300."""
        self.deliver("x")
        phone, inbox = self.primed()

        def operations(count):
            return phone.call("ItemOperations", Node("ItemOperations:ItemOperations", *[Node(
                "ItemOperations:Fetch", Node("ItemOperations:Store", "Mailbox"), Node("AirSyncBase:FileReference", "x"))
                for _ in range(count)])).get("ItemOperations:Status")
        self.assertEqual((operations(100), operations(101)), ("1", "11"))

        def moves(count):
            root = phone.call("MoveItems", Node("Move:MoveItems", *[Node("Move:Move", Node("Move:SrcMsgId", "x"), Node(
                "Move:SrcFldId", "x"), Node("Move:DstFldId", "x")) for _ in range(count)]))
            return root.get("Move:Status"), len(root.all("Move:Response"))
        self.assertEqual(moves(1000), (None, 1000))
        self.assertEqual(moves(1001), ("103", 0))

        def estimates(count):
            root = phone.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node("GetItemEstimate:Collections", *[
                Node("GetItemEstimate:Collection", Node("AirSync:SyncKey", "0"), Node("GetItemEstimate:CollectionId", "1"))
                for _ in range(count)])))
            return root.get("GetItemEstimate:Status"), len(root.all("GetItemEstimate:Response"))
        self.assertEqual(estimates(1000), (None, 1000))
        self.assertEqual(estimates(1001), ("103", 0))

        def deletes(count):
            commands = [Node("AirSync:Delete", Node("AirSync:ServerId", f"{inbox}:{4711 + i}")) for i in range(count)]
            root = phone.call("Sync", phone.sync_request(phone.collection(inbox, Node("AirSync:Commands", *commands))))
            if root.find("AirSync:Collections"):
                phone.take(root)
            return root.get("AirSync:Status"), root.get("AirSync:Collections", "AirSync:Collection", "AirSync:Status")
        self.assertEqual(deletes(1000), (None, "1"))
        self.assertEqual(deletes(1001), ("4", None))
        many = Node("Email:Categories", *[Node("Email:Category", f"c{i}") for i in range(301)])
        answer = phone.command(inbox, phone.change(phone.item(inbox, "x"), many))
        self.assertEqual(answer.get("AirSync:Responses", "AirSync:Change", "AirSync:Status"), "6")

    def test_lengths_of_ids_and_names(self):
        """EAS_ID_MAX and KEY_MAX 64 (what is longer names nothing, a ClientId is a protocol error), CLIENT_ID_MAX 40, MAILBOX_NAME_MAX 255, VALUE_MAX 1,024."""
        phone, inbox = self.primed()

        def sync(key=None, folder=inbox, command=None):
            root = phone.call("Sync", phone.sync_request(phone.collection(
                folder, Node("AirSync:Commands", command) if command else Node("AirSync:Options"), key=key or phone.keys[inbox])))
            if root.find("AirSync:Collections"):
                phone.take(root)
            return root.get("AirSync:Status") or root.get("AirSync:Collections", "AirSync:Collection", "AirSync:Status")
        self.assertEqual((sync(key="k" * 64), sync(key="k" * 65)), ("3", "3"))
        self.assertEqual((sync(folder="9" * 64), sync(folder="9" * 65)), ("12", "12"))
        for size in (64, 65):
            answer = phone.command(inbox, Node("AirSync:Fetch", Node("AirSync:ServerId", "s" * size)))
            self.assertEqual(answer.get("AirSync:Responses", "AirSync:Fetch", "AirSync:Status"), "8")
        for size, status in ((64, "1"), (65, "4")):
            self.assertEqual(sync(command=Node("AirSync:Add", Node("AirSync:ClientId", "c" * size),
                                               Node("AirSync:ApplicationData", Node("Email:Subject", "x")))), status)
        root = phone.call("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "k" * 65)))
        self.assertEqual(root.get("FolderHierarchy:Status"), "9")

        def create(name):
            root = phone.call("FolderCreate", Node(
                "FolderHierarchy:FolderCreate", Node("FolderHierarchy:SyncKey", phone.hierarchy_key), Node("FolderHierarchy:ParentId", "0"),
                Node("FolderHierarchy:DisplayName", name), Node("FolderHierarchy:Type", "12")))
            phone.hierarchy_key = root.get("FolderHierarchy:SyncKey") or phone.hierarchy_key
            return root.get("FolderHierarchy:Status")
        self.assertEqual((create("n" * 255), create("n" * 256)), ("1", "10"))
        mime = f"To: {BOB}\r\nSubject: ids\r\n\r\nx\r\n"
        self.assertEqual(phone.send(mime, "c" * 40).body, b"")
        self.assertEqual(phone.send(mime, "c" * 41).root.get("ComposeMail:Status"), "103")

        def model(size):
            return phone.call("Settings", Node("Settings:Settings", Node("Settings:DeviceInformation", Node(
                "Settings:Set", Node("Settings:Model", "m" * size))))).get("Settings:DeviceInformation", "Settings:Status")
        self.assertEqual((model(1024), model(1025)), ("1", "2"))

    def test_recipients(self):
        """RECIPIENTS_MAX 1,000: 120, and none of them gets it."""
        phone = self.phone()

        def send(count):
            to = ",\r\n ".join(f"p{i}@elsewhere.invalid" for i in range(count))
            return phone.send(f"To: {to}\r\nSubject: many\r\n\r\nx\r\n", f"n{count}")
        self.assertEqual(send(1001).root.get("ComposeMail:Status"), "120")
        self.assertEqual(Sql(self.server)("select count(*) from outbox"), ["0"])
        self.assertEqual(send(1000).body, b"")
        self.assertEqual(Sql(self.server)("select count(*) from outbox"), ["1"])

    def test_window_sizes(self):
        """EAS_WINDOW_DEFAULT 100; 0 and more than EAS_WINDOW_MAX mean 512."""
        desktop = self.imap()
        desktop.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        count = 1
        while count < 520:  # by COPY into itself
            more = min(count, 520 - count)
            desktop.copy(f"1:{more}", "INBOX")
            count += more
        for i, (window, expected) in enumerate(((None, 100), (0, 512), (600, 512))):
            phone = self.phone(device=f"W{i}")
            inbox = phone.folder("Inbox")
            phone.sync(inbox)
            collection = phone.sync(inbox, Node("AirSync:WindowSize", window) if window is not None else Node("AirSync:GetChanges"))
            self.assertEqual(len(collection.find("AirSync:Commands").children), expected)
            self.assertIsNotNone(collection.find("AirSync:MoreAvailable"))

    def test_a_huge_text_is_cut_and_told_so(self):
        """BODY_READ_MAX: 4 MiB of a text part are looked at; the size is that of the whole."""
        self.deliver("huge", text="0123456789abcde\r\n" * 300000)
        phone, inbox = self.primed(Phone.options(0, (1, None)))
        body = phone.items[inbox][phone.item(inbox, "huge")].find("AirSyncBase:Body")
        self.assertEqual(body.get("AirSyncBase:Truncated"), "1")
        self.assertLessEqual(len(body.get("AirSyncBase:Data")), 4 << 20)
        self.assertGreaterEqual(int(body.get("AirSyncBase:EstimatedDataSize")), 5000000)


class Addresses(EasTest):
    def test_long_address_lists_are_cut_at_an_address(self):
        """EAS_ADDRESSES_MAX: 32,768 octets of To, Cc and From."""
        people = ", ".join(f"Person Number {i} <person{i}@example.org>" for i in range(1500))
        to = people.replace(", ", ",\r\n ")
        self.server.deliver(f"From: a@example.org\r\nTo: {to}\r\nSubject: crowd\r\n\r\nx\r\n", to=self.user)
        phone, inbox = self.primed()
        got = phone.items[inbox][phone.item(inbox, "crowd")].get("Email:To")
        self.assertLessEqual(len(got.encode()), 32768)
        self.assertGreater(len(got.encode()), 32000)
        self.assertTrue(got.rstrip().endswith(">"), got[-60:])


class Slowed(EasTest):
    settings = {"auth__failures_max": 1, "auth__slow_ms": 1000, "auth__slow_max_ms": 1000}

    def test_a_login_that_is_held_back_is_not_told_that_its_mail_is_too_big(self):
        """HELD_BODY_MAX: what is longer is not read before the login, and asked for again."""
        thief, phone = self.phone(), self.phone()
        thief.password = "wrong"
        for _ in range(3):
            self.assertEqual(thief.post("FolderSync", body=b"x").status, 401)
        big = f"To: {BOB}\r\nSubject: big\r\n\r\n" + ("y" * 76 + "\r\n") * 1000
        answer = phone.send(big, "big")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "30"))
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1", "a small one waits and is let in")
        self.assertEqual(phone.send(big, "big").body, b"", "now the login is known")
        self.assertIn(thief.send(big, "t").status, (401, 503))
