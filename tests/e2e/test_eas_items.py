"""ActiveSync: bodies, attachments, moves, sending, provisioning, drafts."""
import base64
import re

from eas_base import ALICE, BOB, EasTest
from eas_client import Node, Phone, decode, multipart
from harness import PASSWORD, message

BOUNDARY_MAIL = (
    "From: Ann <ann@example.org>\r\nTo: alice@example.test\r\nSubject: Files\r\nMessage-ID: <files@example.org>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
    "--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    "--i\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nPlain téxt here\r\n"
    "--i\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "<html><head><meta charset=3D\"iso-8859-1\"></head><body><b>B=FCro</b></body></html>\r\n--i--\r\n"
    "--o\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\n{pdf}\r\n"
    "--o\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=\"empty.txt\"\r\n\r\n\r\n--o--\r\n")


class Items(EasTest):
    def test_moves(self):
        self.deliver("to move", "to stay")
        phone, inbox = self.primed()
        junk = phone.folder("Junk")
        phone.sync_all(junk)
        item = phone.item(inbox, "to move")
        response = phone.move(item, inbox, junk)
        self.assertEqual(response.get("Move:Status"), "3")
        moved = response.get("Move:DstMsgId")
        again = phone.move(item, inbox, junk)
        self.assertEqual((again.get("Move:Status"), again.get("Move:DstMsgId")), ("3", moved), "the repeat heals a lost reply")
        self.assertIsNone(phone.sync(inbox), "no Delete comes back")
        self.assertIsNone(phone.sync(junk), "and no Add")
        self.assertEqual(self.imap("Junk").search(None, "ALL")[1][0], b"1")
        self.assertEqual(phone.move(moved, junk, junk).get("Move:Status"), "4")
        self.assertEqual(phone.move(f"{inbox}:99999", inbox, junk).get("Move:Status"), "1")
        self.assertEqual(phone.move("x", inbox, junk).get("Move:Status"), "1")
        self.assertEqual(phone.move(phone.item(inbox, "to stay"), inbox, "987654").get("Move:Status"), "2")
        self.imap("Junk").store("1", "+FLAGS", "(\\Seen)")
        desktop = self.imap("Junk")
        desktop.uid("MOVE", "1:*", "INBOX")
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox).count("to move"), 2, "moved back by the desktop: a new item")

    def files(self, size=3000):
        pdf = bytes(range(256)) * (size // 256 + 1)
        text = base64.encodebytes(pdf).decode().replace("\n", "\r\n")
        self.server.deliver(BOUNDARY_MAIL.replace("{pdf}\r\n", text).encode("utf-8"), to=self.user)
        return pdf

    def attachment(self, data, name):
        for node in data.find("AirSyncBase:Attachments").children:
            if node.get("AirSyncBase:DisplayName") == name:
                return node
        raise AssertionError(f"no {name}")

    def test_bodies(self):
        self.files()
        phone, inbox = self.primed(Phone.options(0, (1, None), (2, None)))
        data = phone.items[inbox][phone.item(inbox, "Files")]
        self.assertEqual(data.get("AirSyncBase:NativeBodyType"), "2")
        html = data.get("AirSyncBase:Body", "AirSyncBase:Data")
        self.assertIn("<b>Büro</b>", html)
        self.assertIn("utf-8", html.lower())
        self.assertNotIn("iso-8859-1", html)
        names = [n.get("AirSyncBase:DisplayName") for n in data.find("AirSyncBase:Attachments").children]
        self.assertEqual(names, ["a.pdf", "empty.txt"])

        def body(*options):
            answer = phone.sync(inbox, Phone.options(0, *options, mime=2), Node("AirSync:Commands", Node(
                "AirSync:Fetch", Node("AirSync:ServerId", phone.item(inbox, "Files")))))
            return answer.find("AirSync:Responses", "AirSync:Fetch", "AirSync:ApplicationData", "AirSyncBase:Body")
        text = body((1, None))
        self.assertEqual((text.get("AirSyncBase:Type"), text.get("AirSyncBase:Data").strip()), ("1", "Plain téxt here"))
        mime = body((4, None))
        self.assertEqual(mime.get("AirSyncBase:Type"), "4")
        self.assertIn("Content-Type: application/pdf", mime.get("AirSyncBase:Data"))
        cut = body((1, 8))
        self.assertEqual(cut.get("AirSyncBase:Data"), "Plain t", "not inside a character")
        self.assertEqual(cut.get("AirSyncBase:Truncated"), "1")
        self.assertGreaterEqual(int(cut.get("AirSyncBase:EstimatedDataSize")), 16)
        none = body((2, 0))
        self.assertIsNone(none.find("AirSyncBase:Data"))
        self.assertEqual(none.get("AirSyncBase:Truncated"), "1")

    def test_attachments(self):
        pdf = self.files()
        phone, inbox = self.primed()
        node = self.attachment(phone.items[inbox][phone.item(inbox, "Files")], "a.pdf")
        self.assertLess(abs(int(node.get("AirSyncBase:EstimatedDataSize")) - len(pdf)), 64)
        reference = Node("AirSyncBase:FileReference", node.get("AirSyncBase:FileReference"))

        def fetch(*content, **headers):
            return phone.fetch(*content, **headers).root.find("ItemOperations:Response", "ItemOperations:Fetch")
        whole = fetch(reference)
        self.assertEqual(whole.get("ItemOperations:Status"), "1")
        properties = whole.find("ItemOperations:Properties")
        self.assertEqual(base64.b64decode(properties.get("ItemOperations:Data")), pdf)
        self.assertEqual(properties.get("AirSyncBase:ContentType"), "application/pdf")
        self.assertIsNone(properties.find("ItemOperations:Range"), "an unasked Range breaks iOS")
        part = fetch(reference, Node("ItemOperations:Options", Node("ItemOperations:Range", "100-199")))
        self.assertEqual(base64.b64decode(part.get("ItemOperations:Properties", "ItemOperations:Data")), pdf[100:200])
        self.assertEqual(part.get("ItemOperations:Properties", "ItemOperations:Total"), str(len(pdf)))
        tail = fetch(reference, Node("ItemOperations:Options", Node("ItemOperations:Range", "3000-999999")))
        self.assertEqual(tail.get("ItemOperations:Properties", "ItemOperations:Range"), f"3000-{len(pdf) - 1}")
        beyond = fetch(reference, Node("ItemOperations:Options", Node("ItemOperations:Range", "99999-999999")))
        self.assertEqual(beyond.get("ItemOperations:Status"), "8")
        answer = phone.fetch(reference, MS_ASAcceptMultiPart="T")
        self.assertEqual(answer.headers["Content-Type"], "application/vnd.ms-sync.multipart")
        document, data = multipart(answer.body)
        self.assertEqual(data, pdf)
        self.assertEqual(decode(document).get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Properties",
                                              "ItemOperations:Part"), "1")
        for bad in ("", "x", "1:2:3:4", node.get("AirSyncBase:FileReference") + "9"):
            self.assertEqual(fetch(Node("AirSyncBase:FileReference", bad)).get("ItemOperations:Status"), "15", bad)
        empty = self.attachment(phone.items[inbox][phone.item(inbox, "Files")], "empty.txt")
        data = fetch(Node("AirSyncBase:FileReference", empty.get("AirSyncBase:FileReference")))
        self.assertEqual(data.get("ItemOperations:Status"), "1")
        self.assertIn(data.get("ItemOperations:Properties", "ItemOperations:Data"), ("", base64.b64encode(b"\r\n").decode()))

    def test_attachments_of_others_stay_theirs(self):
        self.files()
        phone, inbox = self.primed()
        reference = self.attachment(phone.items[inbox][phone.item(inbox, "Files")], "a.pdf").get("AirSyncBase:FileReference")
        thief = Phone(self.server, login=BOB)
        answer = thief.fetch(Node("AirSyncBase:FileReference", reference)).root
        self.assertEqual(answer.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Status"), "15")

    def test_big_attachment_is_streamed(self):
        pdf = self.files(5_000_000)
        phone, inbox = self.primed(Phone.options(0, (1, 100)))
        reference = Node("AirSyncBase:FileReference", self.attachment(
            phone.items[inbox][phone.item(inbox, "Files")], "a.pdf").get("AirSyncBase:FileReference"))
        answer = phone.fetch(reference)
        self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
        data = answer.root.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Properties", "ItemOperations:Data")
        self.assertEqual(base64.b64decode(data), pdf)
        self.assertEqual(multipart(phone.fetch(reference, MS_ASAcceptMultiPart="T").body)[1], pdf)
        part = phone.fetch(reference, Node("ItemOperations:Options", Node("ItemOperations:Range", "1000000-3999999"))).root
        data = part.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Properties", "ItemOperations:Data")
        self.assertEqual(base64.b64decode(data), pdf[1000000:4000000])

    def test_get_attachment_of_12_1(self):
        pdf = self.files()
        phone, inbox = self.primed(version="12.1")
        reference = self.attachment(phone.items[inbox][phone.item(inbox, "Files")], "a.pdf").get("AirSyncBase:FileReference")
        answer = phone.post("GetAttachment", body=b"", query={"AttachmentName": reference})
        self.assertEqual((answer.status, answer.body, answer.headers["Content-Type"]), (200, pdf, "application/pdf"))
        self.assertIn(phone.post("GetAttachment", body=b"", query={"AttachmentName": "9:9:9"}).status, (404, 500))
        self.assertEqual(self.phone().post("GetAttachment", body=b"", query={"AttachmentName": reference}).status, 501)

    def test_fetch_by_id(self):
        self.deliver("x", text="the body\r\n")
        phone, inbox = self.primed(Phone.options(0, (1, 0)))
        answer = phone.fetch(Node("AirSync:CollectionId", inbox), Node("AirSync:ServerId", phone.item(inbox, "x")), Node(
            "ItemOperations:Options", Node("AirSyncBase:BodyPreference", Node("AirSyncBase:Type", "1")))).root
        fetch = answer.find("ItemOperations:Response", "ItemOperations:Fetch")
        self.assertEqual(fetch.get("AirSync:Class"), "Email")
        self.assertIn("the body", fetch.get("ItemOperations:Properties", "AirSyncBase:Body", "AirSyncBase:Data"))
        missing = phone.fetch(Node("AirSync:CollectionId", inbox), Node("AirSync:ServerId", f"{inbox}:9999")).root
        self.assertEqual(missing.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Status"), "6")

    def test_empty_folder_contents(self):
        self.deliver("a", "b")
        phone, inbox = self.primed()
        root = phone.call("ItemOperations", Node("ItemOperations:ItemOperations", Node(
            "ItemOperations:EmptyFolderContents", Node("AirSync:CollectionId", inbox))))
        self.assertEqual(root.get("ItemOperations:Response", "ItemOperations:EmptyFolderContents", "ItemOperations:Status"), "1")
        phone.sync(inbox)
        self.assertEqual(phone.items[inbox], {})

    def test_malformed_mail_never_stops_a_folder(self):
        mails = (b"", b"\r\n", b"no header at all\r\n", b"Subject: \xff\xfe\r\n\r\n\x00\x01\x02\xff\r\n",
                 b"Content-Type: multipart/mixed\r\n\r\nno boundary\r\n",
                 b"Content-Type: text/plain; charset=nonsense\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!\r\n",
                 b"Content-Type: text/html\r\n\r\n<html><body><\x0b&#0;&#xFFFE;p\r\n")
        desktop = self.imap()
        stored = 0
        for mail in mails:
            if mail:
                self.server.deliver(mail, to=self.user)
                stored += 1
        phone, inbox = self.primed(Phone.options(0, (1, None), (2, None)))
        self.assertEqual(len(phone.items[inbox]), stored)
        other, _ = self.primed(Phone.options(0, (4, None), mime=2), device="OTHER")
        self.assertEqual(len(other.items[inbox]), stored)
        desktop.noop()


class Sending(EasTest):
    def mail(self, to=BOB, subject="Sent", headers="", sender=None):
        return (f"From: Me <{sender or self.user}>\r\nTo: {to}\r\nSubject: {subject}\r\n{headers}MIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n\r\nHello from a phone.\r\n")

    def bob(self, subject):
        desktop = self.server.imap(BOB, PASSWORD, select="INBOX")
        found = desktop.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        return [desktop.fetch(n, "(BODY[])")[1][0][1] for n in found]

    def test_send_once_and_save_once(self):
        phone = self.phone()
        subject = f"once {EasTest.counter}"
        sent_folder = phone.folder("Sent")
        phone.sync_all(sent_folder)
        mime = self.mail(subject=subject, headers="Bcc: alice@example.test\r\n")
        for i in range(2):
            answer = phone.send(mime, "client-1")
            if i == 0:
                self.assertEqual((answer.status, answer.body), (200, b""))
            else:
                self.assertEqual(answer.root.get("ComposeMail:Status"), "118")
        got = self.bob(subject)
        self.assertEqual(len(got), 1)
        self.assertNotIn(b"Bcc", got[0])
        self.assertRegex(got[0], rb"(?i)\nmessage-id: <")
        self.assertRegex(got[0], rb"(?i)\ndate: ")
        alice = self.server.imap(ALICE, PASSWORD, select="INBOX")
        self.assertEqual(len(alice.search(None, "SUBJECT", f'"{subject}"')[1][0].split()), 1, "Bcc gets it")
        phone.sync(sent_folder)
        self.assertEqual(phone.subjects(sent_folder), [subject], "the phone is told of the copy")
        copy = phone.items[sent_folder][phone.item(sent_folder, subject)]
        self.assertEqual(copy.get("Email:Read"), "1")

    def test_sender_is_the_account(self):
        phone = self.phone()
        subject = f"forged {EasTest.counter}"
        phone.send(self.mail(subject=subject, sender="boss@example.test"), "f1", save=False)
        got = self.bob(subject)[0]
        self.assertNotIn(b"boss@example.test", got)
        self.assertIn(self.user.encode(), re.search(rb"(?im)^from: .*$", got).group(0))

    def test_sender_cannot_hide(self):
        """Other spellings of From, and more than one: each is a From to whoever reads the mail."""
        phone = self.phone()
        for i, header in enumerate(("From : boss@example.test", "from\t:\r\n boss@example.test", "From: boss@example.test",
                                    "Sender : boss@example.test\r\nX-Other: kept")):
            subject = f"hidden {EasTest.counter} {i}"
            for j, mime in enumerate((self.mail(subject=f"{subject} a", headers=header + "\r\n"),
                                      header + "\r\n" + self.mail(subject=f"{subject} b"))):
                phone.send(mime, f"h{i}{j}", save=False)
                got = self.bob(f"{subject} {'ab'[j]}")[0]
                head = got.split(b"\r\n\r\n")[0]
                self.assertNotIn(b"boss@example.test", got, header)
                self.assertEqual(len(re.findall(rb"(?im)^from\s*:", head)), 1, header)
                self.assertEqual(b"X-Other: kept" in head, "X-Other" in header)
        for i, (sender, kept) in enumerate((("boss@example.test, x <x@example.test>", b""), ("g: boss@example.test;", b""),
                                            ('"Me, <boss>" <boss@example.test>', b'"Me, <boss>" '), ('"open <boss@example.test>', b""))):
            subject = f"crowded {EasTest.counter} {i}"
            phone.send(f"From: {sender}\r\nTo: {BOB}\r\nSubject: {subject}\r\n\r\nx\r\n", f"c{i}", save=False)
            got = self.bob(subject)[0]
            self.assertIn(b"\r\nFrom: " + kept + b"<" + self.user.encode() + b">\r\n", b"\r\n" + got, sender)

    def test_refusals(self):
        phone = self.phone()

        def status(mime, client_id):
            return phone.send(mime, client_id).root.get("ComposeMail:Status")
        self.assertEqual(status("Subject: x\r\n\r\nno recipients\r\n", "r1"), "119")
        self.assertEqual(status("Subject: x\r\n\r\nno recipients\r\n", "r1"), "119", "a failure does not use up the ClientId")
        self.assertEqual(status(self.mail(to="nobody-here@example.test"), "r2"), "116")
        self.assertEqual(status(self.mail(), "x" * 41), "103")

    def test_others_wait_in_the_outbox(self):
        phone = self.phone()
        answer = phone.send(self.mail(to="far@elsewhere.invalid"), "o1")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_send_at_12_1(self):
        phone = self.phone(version="12.1")
        subject = f"raw {EasTest.counter}"
        answer = phone.post("SendMail", body=self.mail(subject=subject).encode(), query={"SaveInSent": "T"},
                            Content_Type="message/rfc822")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(len(self.bob(subject)), 1)

    def test_reply_and_forward(self):
        self.server.deliver(message("Question", "What is it?\r\n", to=self.user, message_id=f"<q{EasTest.counter}@x>"), to=self.user)
        phone, inbox = self.primed()
        item = phone.item(inbox, "Question")
        reply, forward = f"Re: Q {EasTest.counter}", f"Fwd: Q {EasTest.counter}"
        answer = phone.send(self.mail(subject=reply), "sr1", command="SmartReply", source=(inbox, item))
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertIn(b"What is it?", self.bob(reply)[0])
        answer = phone.send(self.mail(subject=forward), "sf1", command="SmartForward", source=(inbox, item))
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertIn(b"What is it?", self.bob(forward)[0])
        flags = self.imap().fetch("1", "(FLAGS)")[1][0]
        self.assertIn(b"\\Answered", flags)
        self.assertIn(b"$Forwarded", flags)
        answer = phone.send(self.mail(), "sr2", command="SmartReply", source=(inbox, f"{inbox}:9999"))
        self.assertEqual(answer.root.get("ComposeMail:Status"), "150")


class Provisioning(EasTest):
    settings = {"eas__provision": "true"}

    def test_two_phases(self):
        phone = self.phone()
        root = phone.post("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))).root
        self.assertEqual(root.get("FolderHierarchy:Status"), "142")
        old = self.phone(version="12.1", device="OLD")
        self.assertEqual(old.post("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))).status, 449)
        first, second = phone.provision()
        temporary = first.get("Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
        self.assertIsNotNone(first.find("Provision:Policies", "Provision:Policy", "Provision:Data", "Provision:EASProvisionDoc"))
        self.assertIsNone(second.find("Provision:Policies", "Provision:Policy", "Provision:Data"))
        self.assertNotIn(phone.policy_key, ("0", temporary))
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")
        final, phone.policy_key = phone.policy_key, temporary
        root = phone.post("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))).root
        self.assertEqual(root.get("FolderHierarchy:Status"), "144", "the temporary key is for Provision only")
        phone.policy_key = final
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")

    def test_wrong_password_comes_before_the_policy(self):
        phone = self.phone()
        phone.password = "wrong"
        self.assertEqual(phone.post("FolderSync", Node("FolderHierarchy:FolderSync")).status, 401)

    def test_wrong_acknowledgement(self):
        phone = self.phone()
        phone.provision()
        name = "MS-EAS-Provisioning-WBXML"

        def policy(*content):
            root = phone.call("Provision", Node("Provision:Provision", Node("Provision:Policies", Node("Provision:Policy", *content))))
            return root.get("Provision:Policies", "Provision:Policy", "Provision:Status") or root.get("Provision:Status")
        self.assertEqual(policy(Node("Provision:PolicyType", name), Node("Provision:PolicyKey", "12345"), Node("Provision:Status", "1")), "5")
        self.assertEqual(policy(Node("Provision:PolicyType", "unknown")), "3")

    def test_device_information_is_demanded(self):
        phone = self.phone(device="BARE")
        root = phone.call("Provision", Node("Provision:Provision", Node("Provision:Policies", Node(
            "Provision:Policy", Node("Provision:PolicyType", "MS-EAS-Provisioning-WBXML")))))
        self.assertEqual(root.get("Provision:Status"), "165")


class SettingsCommand(EasTest):
    def test_settings(self):
        phone = self.phone()
        root = phone.call("Settings", Node(
            "Settings:Settings",
            Node("Settings:DeviceInformation", Node("Settings:Set", Node("Settings:Model", "X"), Node("Settings:OS", "Y"))),
            Node("Settings:UserInformation", Node("Settings:Get")),
            Node("Settings:Oof", Node("Settings:Get", Node("Settings:BodyType", "Text")))))
        self.assertEqual(root.names(), ["Settings:Status", "Settings:DeviceInformation", "Settings:UserInformation", "Settings:Oof"])
        self.assertEqual(root.get("Settings:DeviceInformation", "Settings:Status"), "1")
        self.assertEqual(root.get("Settings:UserInformation", "Settings:Get", "Settings:Accounts", "Settings:Account",
                                  "Settings:EmailAddresses", "Settings:PrimarySmtpAddress"), self.user)
        self.assertEqual(root.get("Settings:Oof", "Settings:Get", "Settings:OofState"), "0")

    def test_provision_answers_though_nothing_demands_it(self):
        phone = self.phone()
        _, second = phone.provision()
        self.assertEqual(second.get("Provision:Status"), "1")
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")


class Drafts(EasTest):
    def draft(self, *content):
        return Node("AirSync:ApplicationData", *content)

    def body(self, text, kind="1"):
        return Node("AirSyncBase:Body", Node("AirSyncBase:Type", kind), Node("AirSyncBase:Data", text))

    def test_a_draft_of_16_1(self):
        phone = self.phone(version="16.1")
        drafts = phone.folder("Drafts")
        phone.sync_all(drafts)
        add = Node("AirSync:Add", Node("AirSync:ClientId", "d1"), self.draft(
            Node("Email:To", BOB), Node("Email:Subject", "Draft one"), self.body("First words")))
        request = phone.sync_request(phone.collection(drafts, Node("AirSync:Commands", add)))
        first, second = phone.post("Sync", request).root, phone.post("Sync", request).root
        ids = [r.get("AirSync:Collections", "AirSync:Collection", "AirSync:Responses", "AirSync:Add", "AirSync:ServerId")
               for r in (first, second)]
        self.assertIsNotNone(ids[0])
        self.assertEqual(ids[0], ids[1], "a replay makes no second draft")
        phone.take(second)
        desktop = self.imap("Drafts")
        self.assertEqual(len(desktop.search(None, "ALL")[1][0].split()), 1)
        self.assertIn(b"First words", desktop.fetch("1", "(BODY[])")[1][0][1])
        answer = phone.command(drafts, Node("AirSync:Change", Node("AirSync:ServerId", ids[0]), self.draft(
            Node("Email:Subject", "Draft two"), self.body("Other words"))))
        self.assertIsNone(answer.find("AirSync:Responses"))
        desktop = self.imap("Drafts")
        content = desktop.fetch("1:*", "(BODY[])")[1][0][1]
        self.assertIn(b"Other words", content)
        self.assertIn(b"Draft two", content)
        self.assertIn(BOB.encode(), content, "what was not sent stays")
        subject = f"Draft sent {EasTest.counter}"
        phone.command(drafts, Node("AirSync:Change", Node("AirSync:ServerId", ids[0]), Node("Email2:Send"), self.draft(
            Node("Email:Subject", subject))))
        bob = self.server.imap(BOB, PASSWORD, select="INBOX")
        self.assertEqual(len(bob.search(None, "SUBJECT", f'"{subject}"')[1][0].split()), 1)
        self.assertEqual(self.imap("Drafts").search(None, "ALL")[1][0], b"")

    def test_a_draft_without_recipients_is_kept(self):
        phone = self.phone(version="16.1")
        drafts = phone.folder("Drafts")
        phone.sync_all(drafts)
        answer = phone.command(drafts, Node("AirSync:Add", Node("AirSync:ClientId", "d2"), Node("Email2:Send"), self.draft(
            Node("Email:Subject", "nobody"), self.body("x"))))
        self.assertEqual(answer.get("AirSync:Responses", "AirSync:Add", "AirSync:Status"), "183")
        self.assertEqual(len(self.imap("Drafts").search(None, "ALL")[1][0].split()), 1)
