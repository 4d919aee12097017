"""Drafts that phones write at 16.x: attachments, conflicts, flags, whole messages, sending (MS-ASCMD 2.2.3.7, digest 7.9)."""
import base64

from eas_base import BOB, PIXEL, EasTest, Sql
from eas_client import Node, Phone
from harness import PASSWORD

ONE, TWO, THREE = b"first\x00file" * 50, b"second file", b"third file"


def data(*content):
    return Node("AirSync:ApplicationData", *content)


def body(text, kind=1):
    return Node("AirSyncBase:Body", Node("AirSyncBase:Type", kind), Node("AirSyncBase:Data", text))


def attach(client_id, name, octets, kind="application/pdf", *more):
    return Node("AirSyncBase:Add", Node("AirSyncBase:ClientId", client_id), Node("AirSyncBase:Method", 1),
                Node("AirSyncBase:Content", octets), Node("AirSyncBase:DisplayName", name),
                Node("AirSyncBase:ContentType", kind), *more)


def attachments(*nodes):
    return Node("AirSyncBase:Attachments", *nodes)


class DraftTest(EasTest):
    def writer(self, device="WRITER", version="16.1", *content):
        phone = self.phone(version=version, device=device)
        drafts = phone.folder("Drafts")
        phone.sync_all(drafts, *(content or (Phone.options(0, (1, None)),)))
        return phone, drafts

    def add(self, phone, drafts, *content, client_id="d1", send=False):
        answer = phone.command(drafts, Node("AirSync:Add", Node("AirSync:ClientId", client_id),
                                            Node("Email2:Send") if send else None, data(*content)))
        return answer.find("AirSync:Responses", "AirSync:Add")

    def change(self, phone, drafts, item, *content, send=False, more=()):
        """The collection and the Change's own response, None when it is silent."""
        answer = phone.sync(drafts, *more, Node("AirSync:Commands", Node(
            "AirSync:Change", Node("AirSync:ServerId", item), Node("Email2:Send") if send else None, data(*content))))
        return answer, answer.find("AirSync:Responses", "AirSync:Change")

    def references(self, response):
        """FileReferences of new attachments by ClientId."""
        found = response.find("AirSync:ApplicationData", "AirSyncBase:Attachments")
        return {a.get("AirSyncBase:ClientId"): a.get("AirSyncBase:FileReference") for a in found.children}

    def listed(self, item):
        return {a.get("AirSyncBase:DisplayName"): a.get("AirSyncBase:FileReference")
                for a in item.find("AirSyncBase:Attachments").children}

    def octets(self, phone, reference):
        answer = phone.fetch(Node("AirSyncBase:FileReference", reference)).root.find("ItemOperations:Response", "ItemOperations:Fetch")
        return base64.b64decode(answer.get("ItemOperations:Properties", "ItemOperations:Data"))

    def text(self, index=b"1:*"):
        desktop = self.imap("Drafts")
        return desktop.fetch(index.decode(), "(BODY.PEEK[])")[1][0][1]


class Attachments(DraftTest):
    def test_new_attachments_get_their_references(self):
        phone, drafts = self.writer()
        add = Node("AirSync:Add", Node("AirSync:ClientId", "d1"), data(
            Node("Email:To", BOB), Node("Email:Subject", "with files"), body("<p>see <img src='cid:pic'></p>", 2),
            attachments(attach("a", "one.bin", ONE), attach("b", "pic.png", base64.b64decode(PIXEL), "image/png",
                                                             Node("AirSyncBase:ContentId", "pic"), Node("AirSyncBase:IsInline", 1)),
                        attach("c", "two.txt", TWO, "text/plain"))))
        request = phone.sync_request(phone.collection(drafts, Node("AirSync:Commands", add)))
        answers = [phone.call("Sync", request).find("AirSync:Collections", "AirSync:Collection") for _ in range(2)]
        responses = [answer.find("AirSync:Responses", "AirSync:Add") for answer in answers]
        self.assertEqual(responses[0].names(), ["AirSync:ClientId", "AirSync:ServerId", "AirSync:Status", "AirSync:ApplicationData"])
        self.assertEqual(repr(responses[0]), repr(responses[1]), "a repeat is told the same")
        told = responses[0].find("AirSync:ApplicationData")
        self.assertEqual(told.names(), ["Email2:ConversationId", "Email2:ConversationIndex", "AirSyncBase:Attachments"])
        references = self.references(responses[0])
        self.assertEqual([self.octets(phone, references[name]) for name in "abc"], [ONE, base64.b64decode(PIXEL), TWO])
        other, _ = self.writer("OTHER")
        item = other.items[drafts][responses[0].get("AirSync:ServerId")]
        self.assertEqual(self.listed(item), {"one.bin": references["a"], "pic.png": references["b"], "two.txt": references["c"]})
        self.assertEqual(item.find("Email2:ConversationId").text, told.find("Email2:ConversationId").text)
        inline = [a for a in item.find("AirSyncBase:Attachments").children if a.get("AirSyncBase:DisplayName") == "pic.png"][0]
        self.assertEqual((inline.get("AirSyncBase:ContentId"), inline.get("AirSyncBase:IsInline")), ("pic", "1"))

    def test_references_stay_true_when_attachments_come_and_go(self):
        phone, drafts = self.writer()
        response = self.add(phone, drafts, Node("Email:Subject", "s"), body("x"), attachments(
            attach("a", "one.bin", ONE), attach("b", "two.txt", TWO)))
        item, references = response.get("AirSync:ServerId"), self.references(response)
        phone.items[drafts][item] = data()
        answer, response = self.change(phone, drafts, item, body("longer"))
        self.assertIsNone(response, "a success is silent")
        self.assertIsNone(answer.find("AirSync:Commands"), "what it knows is not told again")
        self.assertEqual(self.octets(phone, references["b"]), TWO)
        answer, response = self.change(phone, drafts, item, attachments(
            Node("AirSyncBase:Delete", Node("AirSyncBase:FileReference", references["a"])), attach("c", "three.txt", THREE)))
        self.assertEqual((response.get("AirSync:ServerId"), response.get("AirSync:Status")), (item, "1"))
        third = self.references(response)["c"]
        self.assertEqual(self.octets(phone, third), THREE)
        self.assertEqual(answer.find("AirSync:Commands").names(), ["AirSync:Change"],
                         "the one that stays has another number now: the phone is told")
        now = self.listed(phone.items[drafts][item])
        self.assertEqual(now["three.txt"], third)
        self.assertEqual(set(now), {"two.txt", "three.txt"})
        self.assertEqual(self.octets(phone, now["two.txt"]), TWO)
        self.change(phone, drafts, item, attachments(Node("AirSyncBase:Delete", Node(
            "AirSyncBase:FileReference", now["two.txt"]))))
        other, _ = self.writer("OTHER")
        self.assertEqual(set(self.listed(other.items[drafts][item])), {"three.txt"})
        self.assertIn("longer", other.items[drafts][item].get("AirSyncBase:Body", "AirSyncBase:Data"))
        # A reference into another draft deletes nothing.
        self.change(phone, drafts, item, attachments(Node("AirSyncBase:Delete", Node(
            "AirSyncBase:FileReference", f"{drafts}:999:1"))), body("end"))
        other.sync(drafts)
        self.assertEqual(set(self.listed(other.items[drafts][item])), {"three.txt"})

    def test_a_message_as_attachment(self):
        phone, drafts = self.writer()
        inner = b"From: a@example.org\r\nSubject: inner\r\n\r\nwords\r\n"
        response = self.add(phone, drafts, Node("Email:Subject", "outer"), body("x"), attachments(Node(
            "AirSyncBase:Add", Node("AirSyncBase:ClientId", "m"), Node("AirSyncBase:Method", 5),
            Node("AirSyncBase:Content", inner), Node("AirSyncBase:DisplayName", "inner.eml"))))
        self.assertEqual(self.octets(phone, self.references(response)["m"]), inner)

    def test_what_is_no_attachment(self):
        phone, drafts = self.writer()
        nameless = Node("AirSyncBase:Add", Node("AirSyncBase:ClientId", "a"), Node("AirSyncBase:Content", b"x"))
        empty = Node("AirSyncBase:Add", Node("AirSyncBase:ClientId", "a"), Node("AirSyncBase:DisplayName", "x"))
        for i, content in enumerate((nameless, empty)):
            response = self.add(phone, drafts, Node("Email:Subject", "s"), attachments(content), client_id=f"n{i}")
            self.assertEqual(response.get("AirSync:Status"), "6")
        many = [attach(f"a{i}", f"f{i}", b"x") for i in range(201)]
        response = self.add(phone, drafts, Node("Email:Subject", "s"), attachments(*many), client_id="many")
        self.assertEqual(response.get("AirSync:Status"), "6", "ATTACHMENTS_MAX 200")
        self.assertEqual(self.imap("Drafts").search(None, "ALL")[1][0], b"")


class Whole(DraftTest):
    MIME = ("From: me\r\nTo: bob@example.test\r\nSubject: whole\r\nX-Mine: 1\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=w\r\n\r\n--w\r\nContent-Type: text/plain\r\n\r\nSigned  words \r\n"
            "--w\r\nContent-Type: text/x-thing; name=in.txt\r\nContent-Disposition: attachment; filename=in.txt\r\n\r\ninside\r\n--w--\r\n")

    def test_a_mime_body_is_kept_to_the_octet(self):
        phone, drafts = self.writer()
        item = self.add(phone, drafts, body(self.MIME, 4)).get("AirSync:ServerId")
        self.assertEqual(self.text(), self.MIME.encode())
        # Attachments stand around it, and one that it has itself is not doubled.
        answer, response = self.change(phone, drafts, item, body(self.MIME, 4), attachments(attach("a", "out.bin", ONE)))
        self.assertEqual(self.octets(phone, self.references(response)["a"]), ONE)
        text = self.text()
        self.assertIn(self.MIME.encode().split(b"\r\n\r\n", 1)[1], text, "the octets of its body")
        self.assertEqual(text.count(b"X-Mine: 1"), 1)
        other, _ = self.writer("OTHER")
        self.assertEqual(set(self.listed(other.items[drafts][item])), {"in.txt", "out.bin"})
        self.change(phone, drafts, item, body(self.MIME, 4))
        other.sync(drafts)
        self.assertEqual(sorted(a.get("AirSyncBase:DisplayName") for a in other.items[drafts][item].find(
            "AirSyncBase:Attachments").children), ["in.txt", "out.bin"])


class Editing(DraftTest):
    def test_a_reply_stays_a_reply(self):
        self.imap().append("Drafts", r"(\Draft)", None, b"From: me@example.test\r\nTo: bob@example.test\r\nSubject: Re: x\r\n"
                           b"Message-ID: <mine@example.test>\r\nIn-Reply-To: <q@example.org>\r\n"
                           b"References: <p@example.org> <q@example.org>\r\n\r\nfirst\r\n")
        phone, drafts = self.writer()
        item = phone.item(drafts, "Re: x")
        self.assertEqual(phone.items[drafts][item].get("Email2:IsDraft"), "1")
        self.change(phone, drafts, item, body("second"))
        text = self.text()
        for line in (b"In-Reply-To: <q@example.org>", b"<p@example.org>", b"Message-ID: <mine@example.test>", b"second", BOB.encode()):
            self.assertIn(line, text)
        self.assertNotIn(b"first", text)

    def test_flags_beside_the_text(self):
        phone, drafts = self.writer()
        item = self.add(phone, drafts, Node("Email:Subject", "s"), body("x"), Node("Email:Read", 0), Node(
            "Email:Flag", Node("Email:Status", 2), Node("Email:FlagType", "later"))).get("AirSync:ServerId")
        flags = self.imap("Drafts").fetch("1", "(FLAGS)")[1][0]
        self.assertIn(b"\\Flagged", flags)
        self.assertNotIn(b"\\Seen", flags)
        phone.items[drafts][item] = data()
        answer, response = self.change(phone, drafts, item, body("y"), Node("Email:Read", 1), Node("Email:Categories", Node(
            "Email:Category", "Work")))
        self.assertEqual((answer.find("AirSync:Commands"), response), (None, None))
        flags = self.imap("Drafts").fetch("1:*", "(FLAGS)")[1][0]
        for name in (b"\\Flagged", b"\\Seen", b"Work", b"\\Draft"):
            self.assertIn(name, flags)
        self.assertIn(b"y", self.text().split(b"\r\n\r\n", 1)[1])

    def test_conflict(self):
        """Conflict 1, the default: another text that came meanwhile counts, the phone's is 7 and it gets that text. Conflict
        0: the phone's counts."""
        phone, drafts = self.writer()
        item = self.add(phone, drafts, Node("Email:Subject", "s"), body("first")).get("AirSync:ServerId")
        phone.items[drafts][item] = data()
        for text in ("second", "third"):  # its own texts are no conflict, though no look came between
            answer, response = self.change(phone, drafts, item, body(text), more=(Node("AirSync:GetChanges", 0),))
            self.assertIsNone(response)
        other, _ = self.writer("OTHER")
        other.command(drafts, other.change(item, Node("Email:Flag", Node("Email:Status", 2))))
        self.assertIsNone(self.change(phone, drafts, item, body("fourth"))[1], "a flag is no other text")
        other.sync(drafts)
        self.change(other, drafts, item, body("theirs"))
        answer, response = self.change(phone, drafts, item, body("mine"), send=True)
        self.assertEqual((response.get("AirSync:ServerId"), response.get("AirSync:Status")), (item, "7"))
        self.assertEqual(phone.items[drafts][item].get("AirSyncBase:Body", "AirSyncBase:Data").strip(), "theirs")
        self.assertIsNone(self.change(phone, drafts, item, body("mine now"))[1], "it knows theirs by now")
        other.sync(drafts)
        self.change(other, drafts, item, body("theirs again"))
        answer, response = self.change(phone, drafts, item, body("mine wins"), more=(Node(
            "AirSync:Options", Node("AirSync:Conflict", 0)),))
        self.assertIsNone(response)
        self.assertIn(b"mine wins", self.text())

    def test_refused_items(self):
        phone, drafts = self.writer()
        rows = (("the server's own", [Node("Email:Subject", "s"), Node("Email2:ConversationId", b"x" * 16)], "6"),
                ("rich text", [Node("Email:Subject", "s"), body("x", 3)], "6"))
        for name, content, status in rows:
            self.assertEqual(self.add(phone, drafts, *content, client_id=name[:9]).get("AirSync:Status"), status, name)
        answer = phone.command(drafts, Node("AirSync:Add", Node("AirSync:ClientId", "nothing")))
        self.assertEqual(answer.get("AirSync:Responses", "AirSync:Add", "AirSync:Status"), "6")
        _, response = self.change(phone, drafts, f"{drafts}:4711", body("x"))
        self.assertEqual(response.get("AirSync:Status"), "8")
        Sql(self.server)("update account set quota_bytes = 2000 where account_id = (select account_id from directory"
                         f" where login = '{self.user}')")
        response = self.add(phone, drafts, Node("Email:Subject", "s"), body("x" * 5000), client_id="big")
        self.assertEqual((response.get("AirSync:Status"), response.find("AirSync:ServerId")), ("9", None))

    def test_below_16_drafts_can_be_read_only(self):
        writer, drafts = self.writer()
        item = self.add(writer, drafts, Node("Email:Subject", "s"), body("x")).get("AirSync:ServerId")
        for version in ("12.0", "12.1", "14.0", "14.1"):
            phone, _ = self.writer("OLD" + version.replace(".", ""), version)
            self.assertEqual(phone.items[drafts][item].get("Email:Subject"), "s")
            self.assertIsNone(phone.items[drafts][item].find("Email2:IsDraft"))
            _, response = self.change(phone, drafts, item, body("y"))
            self.assertEqual(response.get("AirSync:Status"), "6")
            self.assertEqual(self.add(phone, drafts, Node("Email:Subject", "t")).get("AirSync:Status"), "6")


class SendElement(DraftTest):
    def test_a_draft_that_is_sent_leaves_drafts_for_everybody(self):
        phone, drafts = self.writer()
        reader, _ = self.writer("READER")
        subject = f"off it goes {EasTest.counter}"
        response = self.add(phone, drafts, Node("Email:To", BOB), Node("Email2:Bcc", self.user), Node("Email:Subject", subject),
                            body("words"), attachments(attach("a", "one.bin", ONE)))
        item = response.get("AirSync:ServerId")
        phone.items[drafts][item] = data()
        reader.sync(drafts)
        # Send may stand alone: the draft goes as it is.
        answer = phone.command(drafts, Node("AirSync:Change", Node("AirSync:ServerId", item), Node("Email2:Send")))
        self.assertIsNone(answer.find("AirSync:Responses"))
        phone.sync(drafts)
        reader.sync(drafts)
        self.assertEqual((phone.items[drafts], reader.items[drafts]), ({}, {}))
        sent = phone.folder("Sent")
        phone.sync_all(sent)
        self.assertEqual(phone.subjects(sent), [subject], "an Add, since the phone has no id of it")
        bob = self.server.imap(BOB, PASSWORD, select="INBOX")
        found = bob.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        self.assertEqual(len(found), 1)
        text = bob.fetch(found[0].decode(), "(BODY[])")[1][0][1]
        self.assertNotIn(b"Bcc", text)
        self.assertIn(base64.b64encode(ONE)[:40], text)
        self.assertEqual(len(self.imap().search(None, "SUBJECT", f'"{subject}"')[1][0].split()), 1, "who is in Bcc")

    def test_add_and_send_repeated_goes_out_once(self):
        phone, drafts = self.writer()
        subject = f"at once {EasTest.counter}"
        request = phone.sync_request(phone.collection(drafts, Node("AirSync:Commands", Node(
            "AirSync:Add", Node("AirSync:ClientId", "s1"), Node("Email2:Send"), data(
                Node("Email:To", BOB), Node("Email:Subject", subject), body("x"))))))
        for _ in range(2):  # the first reply is lost
            response = phone.call("Sync", request).find("AirSync:Collections", "AirSync:Collection", "AirSync:Responses", "AirSync:Add")
            self.assertEqual(response.get("AirSync:Status"), "1")
        bob = self.server.imap(BOB, PASSWORD, select="INBOX")
        self.assertEqual(len(bob.search(None, "SUBJECT", f'"{subject}"')[1][0].split()), 1)
        self.assertEqual(self.imap("Drafts").search(None, "ALL")[1][0], b"")
        self.assertEqual(len(self.imap("Sent").search(None, "ALL")[1][0].split()), 1)

    def test_bad_recipients_keep_the_draft(self):
        phone, drafts = self.writer()
        response = self.add(phone, drafts, Node("Email:To", "nobody@example.test"), Node("Email:Subject", "s"), body("x"), send=True)
        self.assertEqual(response.get("AirSync:Status"), "183")
        item = response.get("AirSync:ServerId")
        self.assertIsNotNone(item, "it is a draft by now")
        answer, response = self.change(phone, drafts, item, Node("Email:To", ""), send=True)
        self.assertEqual(response.get("AirSync:Status"), "183")
        self.assertEqual(len(self.imap("Drafts").search(None, "ALL")[1][0].split()), 1)
        _, response = self.change(phone, drafts, item, Node("Email:To", BOB), send=True)
        self.assertIsNone(response)
        self.assertEqual(self.imap("Drafts").search(None, "ALL")[1][0], b"")

    def found(self, subject):
        return len(self.server.imap(BOB, PASSWORD, select="INBOX").search(None, "SUBJECT", f'"{subject}"')[1][0].split())

    def sending(self, phone, drafts, item, *content):
        return phone.sync_request(phone.collection(drafts, Node("AirSync:Commands", Node(
            "AirSync:Change", Node("AirSync:ServerId", item), Node("Email2:Send"), data(*content)))))

    def test_died_between_storing_and_sending(self):
        """The draft has its new text, but was not sent: the repeat sends it as it is, once and with its attachment once."""
        phone, drafts = self.writer()
        subject = f"in between {EasTest.counter}"
        item = self.add(phone, drafts, Node("Email:To", BOB), Node("Email:Subject", subject), body("x")).get("AirSync:ServerId")
        request = self.sending(phone, drafts, item, body("last words"), attachments(attach("a", "one.bin", ONE)))
        sql = Sql(self.server)
        sql("create function broken() returns trigger language plpgsql as $$ begin raise sqlstate '53200'; end $$;"
            " create trigger broken before insert on sent_client_id for each row execute function broken()")
        try:
            self.assertEqual(phone.post("Sync", request).status, 503)
        finally:
            sql("drop trigger broken on sent_client_id; drop function broken()")
        self.assertEqual(self.found(subject), 0)
        self.assertIn(b"last words", self.text())
        for _ in range(2):
            root = phone.call("Sync", request)
            response = root.find("AirSync:Collections", "AirSync:Collection", "AirSync:Responses")
            self.assertTrue(response is None or response.find("AirSync:Change").get("AirSync:Status") == "1", response)
        bob = self.server.imap(BOB, PASSWORD, select="INBOX")
        found = bob.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        self.assertEqual(len(found), 1)
        text = bob.fetch(found[0].decode(), "(BODY[])")[1][0][1]
        self.assertEqual((text.count(b"filename=one.bin"), text.count(b"last words")), (1, 1))
        self.assertEqual(self.imap("Drafts").search(None, "ALL")[1][0], b"")
        self.assertEqual(len(self.imap("Sent").search(None, "ALL")[1][0].split()), 1)

    def test_repeats_side_by_side_send_once(self):
        phone, drafts = self.writer()
        subject = f"side by side {EasTest.counter}"
        item = self.add(phone, drafts, Node("Email:To", BOB), Node("Email:Subject", subject), body("x")).get("AirSync:ServerId")
        request = self.sending(phone, drafts, item, body("y"))
        answers = [pending.answer() for pending in [phone.start("Sync", request) for _ in range(6)]]
        for answer in answers:  # an older one ends without an answer, none with an error
            self.assertIn(answer.status, (200, 503))
            if answer.status == 200:
                self.assertIsNone(answer.root.find("AirSync:Collections", "AirSync:Collection", "AirSync:Responses"))
        self.assertIn(200, [answer.status for answer in answers])
        self.assertEqual(self.found(subject), 1)
        self.assertEqual(len(self.imap("Sent").search(None, "ALL")[1][0].split()), 1)

    def test_a_repeat_of_what_was_not_sent_says_so(self):
        phone, drafts = self.writer()
        item = self.add(phone, drafts, Node("Email:Subject", "s"), body("x")).get("AirSync:ServerId")
        request = self.sending(phone, drafts, item, body("y"))

        def status():
            return phone.call("Sync", request).get("AirSync:Collections", "AirSync:Collection", "AirSync:Responses",
                                                   "AirSync:Change", "AirSync:Status")
        self.assertEqual([status(), status()], ["183", "183"])
        desktop = self.imap("Drafts")
        desktop.store("1", "+FLAGS", r"(\Deleted)")
        desktop.expunge()
        self.assertEqual(status(), "8", "somebody deleted it: it was not sent")
