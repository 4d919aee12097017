"""Rules of sending, fetching, policies and settings that real phones depend on."""
from eas_base import BOB, PIXEL, RICH, SIGNED, VERSIONS, EasTest, Sql
from eas_client import Node, base64_query, decode, multipart
from harness import PASSWORD


class SendingRules(EasTest):
    def mail(self, subject, to=BOB, text="My answer.", html=False, headers=""):
        kind = "text/html" if html else "text/plain"
        return (f"From: {self.user}\r\nTo: {to}\r\nSubject: {subject}\r\n{headers}MIME-Version: 1.0\r\n"
                f"Content-Type: {kind}; charset=utf-8\r\n\r\n{text}\r\n")

    def bob(self, subject):
        desktop = self.server.imap(BOB, PASSWORD, select="INBOX")
        found = desktop.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        self.assertEqual(len(found), 1, subject)
        return desktop.fetch(found[0], "(BODY[])")[1][0][1]

    def source(self, raw, subject, version="14.1"):
        self.server.deliver(raw, to=self.user)
        phone, inbox = self.primed(version=version)
        return phone, (inbox, phone.item(inbox, subject))

    def test_reply_quotes_and_forward_takes_the_attachments_along(self):
        phone, source = self.source(RICH, "Rich")
        for command, html, has in (("SmartReply", False, False), ("SmartForward", False, True), ("SmartReply", True, False),
                                   ("SmartForward", True, True)):
            subject = f"{command} {html} {EasTest.counter}"
            answer = phone.send(self.mail(subject, html=html), subject, command=command, source=source)
            self.assertEqual((answer.status, answer.body), (200, b""))
            got = self.bob(subject)
            self.assertIn(b"My answer", got)
            self.assertEqual((b"Rich words" in got, b"Plain words" in got), (html, not html), "the new text decides on the form")
            self.assertEqual(PIXEL.encode() in got, has, command)
            self.assertNotIn(b"message/rfc822", got)

    def test_replace_mime_sends_what_was_written(self):
        phone, source = self.source(RICH, "Rich")
        subject = f"Replaced {EasTest.counter}"
        folder, item = source
        phone.post("SmartForward", Node(
            "ComposeMail:SmartForward", Node("ComposeMail:ClientId", "r"), Node("ComposeMail:ReplaceMime"),
            Node("ComposeMail:Source", Node("ComposeMail:FolderId", folder), Node("ComposeMail:ItemId", item)),
            Node("ComposeMail:Mime", self.mail(subject).encode())))
        got = self.bob(subject)
        self.assertNotIn(b"Rich words", got)
        self.assertNotIn(PIXEL.encode(), got)
        self.assertIn(b"$Forwarded", self.imap().fetch("1", "(FLAGS)")[1][0], "the source is marked all the same")

    def test_signed_mail_is_never_rewritten(self):
        """Trap 52: neither the new message nor the original."""
        phone, source = self.source(SIGNED.format(subject="Contract"), "Contract")
        subject = f"Forwarded contract {EasTest.counter}"
        phone.send(self.mail(subject), "s1", command="SmartForward", source=source)
        got = self.bob(subject)
        self.assertIn(b"message/rfc822", got)
        self.assertIn(b"multipart/signed", got)
        self.assertIn(b"Signed  words \r\n", got)
        subject = f"Signed answer {EasTest.counter}"
        mine = SIGNED.format(subject=subject).replace("alice@example.test", BOB)
        phone.send(mine, "s2", command="SmartReply", source=source)
        got = self.bob(subject)
        self.assertEqual(got[got.index(b"--s\r\n"):].rstrip(), mine[mine.index("--s\r\n"):].encode().rstrip())

    def test_source_by_query_at_12_1(self):
        phone, (inbox, item) = self.source(RICH, "Rich", version="12.1")
        subject = f"Old reply {EasTest.counter}"
        answer = phone.post("SmartReply", body=self.mail(subject).encode(), Content_Type="message/rfc822",
                            query={"CollectionId": inbox, "ItemId": item, "SaveInSent": "T"})
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertIn(b"Plain words", self.bob(subject))
        self.assertIn(b"\\Answered", self.imap().fetch("1", "(FLAGS)")[1][0])
        self.assertEqual(len(self.imap("Sent").search(None, "ALL")[1][0].split()), 1)
        answer = phone.post("SmartReply", body=self.mail("x").encode(), Content_Type="message/rfc822",
                            query={"CollectionId": inbox, "ItemId": f"{inbox}:999"})
        self.assertEqual(answer.status, 404)

    def test_local_far_and_hidden_recipients(self):
        phone = self.phone()
        subject = f"All kinds {EasTest.counter}"
        phone.send(self.mail(subject, to=f"{BOB}, far@elsewhere.invalid",
                             headers=f"Bcc: {self.user}, hidden@elsewhere.invalid\r\n"), "k1")
        self.assertNotIn(b"hidden@", self.bob(subject), "trap 24")
        rows = Sql(self.server)("select recipients from outbox order by 1 desc limit 1")
        self.assertIn("far@elsewhere.invalid", rows[0])
        self.assertIn("hidden@elsewhere.invalid", rows[0])
        self.assertNotIn(BOB, rows[0])
        sent = self.imap("Sent")
        self.assertIn(b"hidden@elsewhere.invalid", sent.fetch("1", "(BODY[])")[1][0][1], "the own copy keeps it")
        self.assertEqual(sent.search(None, "ALL")[1][0], b"1", "trap 23: one copy")

    def test_who_is_over_quota_while_others_are_not_waits_in_the_outbox(self):
        full = f"full{EasTest.counter}@example.test"
        self.server.add_account(full)
        sql = Sql(self.server)
        sql(f"update account set quota_bytes = 1 where account_id = (select account_id from directory where login = '{full}')")
        subject = f"Two friends {EasTest.counter}"
        answer = self.phone().send(self.mail(subject, to=f"{full}, {BOB}"), "q1")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.bob(subject)
        self.assertEqual(len(sql(f"select 1 from outbox where recipients::text like '%{full}%'")), 1, "accepted, so not lost")
        answer = self.phone().send(self.mail(subject, to=full), "q2")
        self.assertEqual(answer.root.get("ComposeMail:Status"), "120", "nobody had it: the phone keeps it")

    def test_a_client_id_counts_once_it_went_out(self):
        """A server that is killed in between sends twice, never not at all; another phone's ClientId is another."""
        sql, subject = Sql(self.server), f"Once {EasTest.counter}"
        sql("create function nothing() returns trigger language plpgsql as $$ begin raise 'broken'; end $$;"
            " create trigger broken before insert on message for each row execute function nothing()")
        try:
            answer = self.phone().send(self.mail(subject), "c1")
            self.assertIn(answer.root.get("ComposeMail:Status"), ("111", "120"))
        finally:
            sql("drop trigger broken on message; drop function nothing()")
        self.assertEqual(self.phone().send(self.mail(subject), "c1").body, b"")
        self.assertEqual(self.phone().send(self.mail(subject), "c1").root.get("ComposeMail:Status"), "118")
        self.bob(subject)
        self.assertEqual(self.phone(device="OTHER").send(self.mail(subject + " again"), "c1").body, b"")


class Fetching(EasTest):
    def test_items_and_attachments_in_parts(self):
        self.server.deliver(RICH, to=self.user)
        phone, inbox = self.primed()
        item = phone.item(inbox, "Rich")
        by_id = (Node("AirSync:CollectionId", inbox), Node("AirSync:ServerId", item))
        html = Node("ItemOperations:Options", Node("AirSyncBase:BodyPreference", Node("AirSyncBase:Type", "2")))
        answer = phone.fetch(*by_id, html, MS_ASAcceptMultiPart="T")
        self.assertEqual(answer.headers["Content-Type"], "application/vnd.ms-sync.multipart")
        document, body = multipart(answer.body)
        self.assertIn(b"Rich words", body)
        data = decode(document).find("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Properties", "AirSyncBase:Body")
        self.assertEqual((data.get("ItemOperations:Part"), data.find("AirSyncBase:Data")), ("1", None))
        document, = multipart(phone.fetch(Node("AirSync:CollectionId", inbox), Node("AirSync:ServerId", f"{inbox}:99"),
                                          MS_ASAcceptMultiPart="T").body)
        self.assertEqual(decode(document).get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Status"), "6")
        for store, status in (("mailbox", "1"), ("Nowhere", "9")):
            root = phone.call("ItemOperations", Node("ItemOperations:ItemOperations", Node(
                "ItemOperations:Fetch", Node("ItemOperations:Store", store), *by_id)))
            self.assertEqual(root.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Status"), status)
        reference = phone.items[inbox][item].find("AirSyncBase:Attachments").children[0].get("AirSyncBase:FileReference")
        for wrong in ("5-1", "x-y", "-", "99-100"):
            root = phone.fetch(Node("AirSyncBase:FileReference", reference), Node("ItemOperations:Options", Node("ItemOperations:Range", wrong))).root
            self.assertEqual(root.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Status"), "8", wrong)
        root = phone.fetch(Node("AirSyncBase:FileReference", reference), *by_id).root
        self.assertEqual(root.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Status"), "2")


class PolicyRules(EasTest):
    settings = {"eas__provision": "true"}

    def test_keys(self):
        phone, inbox = self.primed_phone()
        first = phone.policy_key
        phone.provision()
        self.assertEqual(phone.policy_key, first, "trap 27: the key stays while the policy is the same")
        folder_sync = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))
        for version, key, expected in (("14.1", "12345", "144"), ("14.1", None, "142"), ("14.1", "0", "144"), ("16.1", "12345", "144")):
            phone.version, phone.policy_key = version, key
            self.assertEqual(phone.post("FolderSync", folder_sync).root.get("FolderHierarchy:Status"), expected, (version, key))
        phone.version = "12.1"
        self.assertEqual(phone.post("FolderSync", folder_sync).status, 449)
        phone.version, phone.policy_key = "14.1", None
        self.assertEqual(phone.ping(1, inbox).answer().root.get("Ping:Status"), "1", "Ping may come without the key")
        phone.policy_key = first
        answer = phone.post("SendMail", Node("ComposeMail:SendMail"), X_MS_PolicyKey="777")
        self.assertEqual((answer.root.tag, answer.root.get("ComposeMail:Status")), ("ComposeMail:SendMail", "144"))
        self.assertEqual(phone.post("Sync", X_MS_PolicyKey="777").root.get("AirSync:Status"), "144")
        self.assertEqual(phone.post("FolderSync", folder_sync, path=base64_query(141, 9, b"PHONE1", "TestPhone", int(first)),
                                    X_MS_PolicyKey=None).root.get("FolderHierarchy:Status"), "1", "the key of the query")

    def primed_phone(self):
        phone = self.phone()
        phone.provision()
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        return phone, inbox

    def test_the_old_key_counts_until_the_new_one_is_acknowledged(self):
        phone, inbox = self.primed_phone()
        name = Node("Provision:PolicyType", "MS-EAS-Provisioning-WBXML")
        phone.call("Provision", Node("Provision:Provision", Node("Provision:Policies", Node("Provision:Policy", name))))
        self.assertIsNone(phone.sync(inbox), "not answered with 144")

    def test_a_lost_final_reply_is_repeated(self):
        phone = self.phone()
        phone.provision()
        name = Node("Provision:PolicyType", "MS-EAS-Provisioning-WBXML")
        first = phone.call("Provision", Node("Provision:Provision", Node("Provision:Policies", Node("Provision:Policy", name))))
        temporary = first.get("Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
        keys = {phone.call("Provision", Node("Provision:Provision", Node("Provision:Policies", Node(
            "Provision:Policy", name, Node("Provision:PolicyKey", temporary), Node("Provision:Status", "1"))))).get(
                "Provision:Policies", "Provision:Policy", "Provision:PolicyKey") for _ in range(2)}
        self.assertEqual(len(keys), 1)

    def test_a_phone_that_refuses(self):
        phone = self.phone()
        phone.provision()
        name = Node("Provision:PolicyType", "MS-EAS-Provisioning-WBXML")
        first = phone.call("Provision", Node("Provision:Provision", Node("Provision:Policies", Node("Provision:Policy", name))))
        temporary = first.get("Provision:Policies", "Provision:Policy", "Provision:PolicyKey")

        def acknowledge(*content):
            root = phone.call("Provision", Node("Provision:Provision", Node("Provision:Policies", Node("Provision:Policy", name, *content))))
            return root.get("Provision:Status"), root.get("Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
        self.assertEqual(acknowledge(Node("Provision:PolicyKey", temporary), Node("Provision:Status", "3")), ("139", None))
        self.assertEqual(acknowledge(Node("Provision:PolicyKey", temporary)), ("2", None))
        self.assertEqual(acknowledge(Node("Provision:PolicyKey", "x"), Node("Provision:Status", "1")), ("2", None))
        self.assertEqual(phone.call("Provision", Node("Provision:Provision")).get("Provision:Status"), "2")

    def test_options_need_no_key(self):
        """Trap 25."""
        client = self.server.http()
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync", headers={"Authorization": self.server.basic(self.user)})
        self.assertEqual(client.getresponse().status, 200)


class SettingsRules(EasTest):
    def test_user_information_by_version(self):
        for version in VERSIONS:
            root = self.phone(version=version).call("Settings", Node("Settings:Settings", Node("Settings:UserInformation", Node("Settings:Get"))))
            got = root.find("Settings:UserInformation", "Settings:Get")
            self.assertEqual(got.names(), ["Settings:EmailAddresses"] if version < "14.1" else ["Settings:Accounts"])
            self.assertIn(self.user, repr(got))

    def test_device_information_is_kept(self):
        phone = self.phone()
        self.assertEqual(phone.call("Settings", Node("Settings:Settings", Node("Settings:DeviceInformation", Node(
            "Settings:Set", Node("Settings:Model", "Pocket 7"), Node("Settings:FriendlyName", "Mine"), Node("Settings:IMEI", "1"),
            Node("Settings:OS", "Os 9"))))).get("Settings:DeviceInformation", "Settings:Status"), "1")
        self.assertIn("Pocket 7", self.server.cli("device", "list", self.user).out)
        self.assertEqual(phone.call("Settings", Node("Settings:Settings", Node("Settings:DeviceInformation"))).get(
            "Settings:DeviceInformation", "Settings:Status"), "2")
        self.assertEqual(phone.call("Settings", Node("Settings:Settings")).get("Settings:Status"), "2")
