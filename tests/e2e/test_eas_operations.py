"""ActiveSync: ItemOperations - naming items, Schema, several at once, conversations, folders emptied, limits."""
import base64

from eas_base import EasTest, RICH
from eas_client import Node, Phone, decode, multipart
from harness import message

PLAIN = Node("AirSyncBase:BodyPreference", Node("AirSyncBase:Type", 1))


def options(*content):
    return Node("ItemOperations:Options", *content)


class OperationsTest(EasTest):
    def operate(self, phone, *operations):
        """The Response of a request whose global Status is 1."""
        root = phone.call("ItemOperations", Node("ItemOperations:ItemOperations", *operations))
        self.assertEqual(root.get("ItemOperations:Status"), "1", root)
        return root.find("ItemOperations:Response")

    def fetch(self, phone, *content, **headers):
        answer = phone.fetch(*content, **headers)
        return answer.root.find("ItemOperations:Response", "ItemOperations:Fetch")

    def status(self, phone, *content):
        return self.fetch(phone, *content).get("ItemOperations:Status")


class Fetching(OperationsTest):
    def setUp(self):
        super().setUp()
        self.server.deliver(RICH, to=self.user)
        self.one, self.inbox = self.primed(version="14.1")
        self.item = self.one.item(self.inbox, "Rich")
        self.by_id = (Node("AirSync:CollectionId", self.inbox), Node("AirSync:ServerId", self.item))
        attachments = self.one.items[self.inbox][self.item].find("AirSyncBase:Attachments")
        self.reference = Node("AirSyncBase:FileReference", attachments.children[0].get("AirSyncBase:FileReference"))

    def test_exactly_one_name(self):
        phone, long_id = self.one, Node("Search:LongId", self.item)
        for names in ((), self.by_id[:1], (*self.by_id, long_id), (*self.by_id, self.reference), (long_id, self.reference),
                      (self.reference, self.reference)):
            self.assertEqual(self.status(phone, *names), "2", names)
        self.assertEqual(self.status(phone, Node("AirSync:CollectionId", phone.folder("Junk")), self.by_id[1]), "6",
                         "not in that folder")
        self.assertEqual(self.status(phone, Node("Search:LongId", "no id")), "6")
        self.assertEqual(self.status(phone, self.by_id[1]), "1")

    def test_stores(self):
        def store(name):
            nodes = [] if name is None else [Node("ItemOperations:Store", name)]
            response = self.operate(self.one, Node("ItemOperations:Fetch", *nodes, *self.by_id))
            return response.get("ItemOperations:Fetch", "ItemOperations:Status")
        self.assertEqual([store(name) for name in ("mailbox", "Document Library", "Cellar", None)], ["1", "9", "9", "2"])

    def test_schema(self):
        def properties(*content):
            return self.fetch(self.one, *self.by_id, options(Node("ItemOperations:Schema", *content))).find(
                "ItemOperations:Properties")
        wanted = properties(Node("Email:Subject"), Node("Email:From"), Node("AirSyncBase:Attachments"), Node("Tasks:Subject"))
        self.assertEqual(sorted(wanted.names()), ["AirSyncBase:Attachments", "Email:From", "Email:Subject"])
        self.assertEqual(wanted.get("AirSyncBase:Attachments", "AirSyncBase:Attachment", "AirSyncBase:FileReference"),
                         self.reference.text, "with all that is in them")
        conversation = properties(Node("Email2:ConversationId")).get("Email2:ConversationId")
        self.assertEqual(conversation, self.one.items[self.inbox][self.item].get("Email2:ConversationId"))
        body = self.fetch(self.one, *self.by_id, options(Node("ItemOperations:Schema", Node("AirSyncBase:Body")), PLAIN))
        self.assertEqual(body.find("ItemOperations:Properties").names(), ["AirSyncBase:Body"])
        self.assertEqual(self.status(self.one, *self.by_id, options(Node("ItemOperations:Schema"))), "2")

    def test_schema_in_parts(self):
        answer = self.one.fetch(*self.by_id, options(Node("ItemOperations:Schema", Node("Email:Subject")), PLAIN),
                                MS_ASAcceptMultiPart="T")
        self.assertEqual(len(multipart(answer.body)), 1, "a body that is not wanted is no part")

    def test_options(self):
        bad = Node("AirSyncBase:BodyPreference", Node("AirSyncBase:Type", 9))
        part = Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", 1))
        self.assertEqual(self.status(self.one, *self.by_id, options(bad)), "2")
        self.assertEqual(self.status(self.one, *self.by_id, options(PLAIN, PLAIN)), "2")
        self.assertEqual(self.status(self.one, *self.by_id, options(part)), "164")
        part = Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", 2))
        properties = self.fetch(self.one, *self.by_id, options(part)).find("ItemOperations:Properties")
        self.assertEqual(properties.get("AirSyncBase:BodyPart", "AirSyncBase:Status"), "1")
        self.assertIsNone(properties.find("AirSyncBase:Body"))
        mime = options(Node("AirSync:MIMESupport", 2), Node("AirSyncBase:BodyPreference", Node("AirSyncBase:Type", 4)))
        body = self.fetch(self.one, *self.by_id, mime).find("ItemOperations:Properties", "AirSyncBase:Body")
        self.assertIn("Content-Type: multipart/mixed", body.get("AirSyncBase:Data"))
        native = self.fetch(self.one, *self.by_id).find("ItemOperations:Properties", "AirSyncBase:Body")
        self.assertEqual(native.get("AirSyncBase:Type"), "2", "without a preference: as it is")

    def test_ranges(self):
        size = int(self.fetch(self.one, self.reference, options(Node("ItemOperations:Range", "0-0"))).get(
            "ItemOperations:Properties", "ItemOperations:Total"))
        whole = base64.b64decode(self.fetch(self.one, self.reference).get("ItemOperations:Properties", "ItemOperations:Data"))
        self.assertEqual(len(whole), size)
        for span, first, last in (("0-0", 0, 0), ("0-4", 0, 4), (f"3-{size - 1}", 3, size - 1), (f"2-{size + 9}", 2, size - 1)):
            properties = self.fetch(self.one, self.reference, options(Node("ItemOperations:Range", span))).find(
                "ItemOperations:Properties")
            self.assertEqual(properties.get("ItemOperations:Range"), f"{first}-{last}")
            self.assertEqual(base64.b64decode(properties.get("ItemOperations:Data")), whole[first:last + 1], span)
            answer = self.one.fetch(self.reference, options(Node("ItemOperations:Range", span)), MS_ASAcceptMultiPart="T")
            self.assertEqual(multipart(answer.body)[1], whole[first:last + 1], span)
        for span in (f"{size}-{size + 1}", "4-1", "x", "1-", "-1"):
            self.assertEqual(self.status(self.one, self.reference, options(Node("ItemOperations:Range", span))), "8", span)

    def test_several_at_once(self):
        store = Node("ItemOperations:Store", "Mailbox")
        fetches = [Node("ItemOperations:Fetch", store, *self.by_id, options(PLAIN)),
                   Node("ItemOperations:Fetch", store, Node("AirSync:ServerId", f"{self.inbox}:9999")),
                   Node("ItemOperations:Fetch", store, self.reference)]
        response = self.operate(self.one, *fetches)
        self.assertEqual([fetch.get("ItemOperations:Status") for fetch in response.children], ["1", "6", "1"])
        self.assertIsNone(response.children[1].find("ItemOperations:Properties"))
        answer = self.one.post("ItemOperations", Node("ItemOperations:ItemOperations", *fetches), MS_ASAcceptMultiPart="T",
                               Accept_Encoding="gzip")
        self.assertIsNone(answer.headers["Content-Encoding"])
        document, text, file = multipart(answer.body)
        first, missing, last = decode(document).find("ItemOperations:Response").children
        self.assertEqual((first.get("ItemOperations:Properties", "AirSyncBase:Body", "ItemOperations:Part"),
                          last.get("ItemOperations:Properties", "ItemOperations:Part")), ("1", "2"))
        self.assertEqual(text.strip(), b"Plain words")
        self.assertTrue(file.startswith(b"\x89PNG"))
        none = self.one.post("ItemOperations", Node("ItemOperations:ItemOperations", fetches[1]), MS_ASAcceptMultiPart="T")
        self.assertEqual(len(multipart(none.body)), 1)

    def test_draft_says_so(self):
        self.imap().append("Drafts", "\\Draft", None, message("a draft"))
        phone = self.phone(version="16.1", device="PHONE16")
        drafts = phone.folder("Drafts")
        phone.sync_all(drafts)
        fetched = self.fetch(phone, Node("AirSync:ServerId", phone.item(drafts, "a draft")))
        self.assertEqual(fetched.get("ItemOperations:Properties", "Email2:IsDraft"), "1")

    def test_global_statuses(self):
        def status(*content, **more):
            return self.phone(**more).call("ItemOperations", Node("ItemOperations:ItemOperations", *content)).get(
                "ItemOperations:Status")
        self.assertEqual(status(), "2")
        self.assertEqual(status(Node("AirSync:Sync")), "2")
        self.assertEqual(status(Node("ItemOperations:Move"), version="12.1"), "2", "14.0 has it first")

    def test_items_of_another_account(self):
        other = "x" + self.user
        self.server.add_account(other)
        phone = self.phone()
        phone.login = other
        self.assertEqual(self.status(phone, self.by_id[1]), "6")
        self.assertEqual(self.status(phone, self.reference), "15")


class Many(OperationsTest):
    def test_attachments_beyond_what_is_read_at_once(self):
        """Small ones are read while the answer is composed, as many as fit; the rest while it is sent."""
        octets = bytes(range(256)) * 1200
        mail = ("Subject: many\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
                "Content-Type: image/png; name=a.png\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                + base64.encodebytes(octets).decode().replace("\n", "\r\n") + "--o--\r\n")
        self.server.deliver(mail, to=self.user)
        phone, inbox = self.primed()
        attachment = phone.items[inbox][phone.item(inbox, "many")].find("AirSyncBase:Attachments", "AirSyncBase:Attachment")
        fetch = Node("ItemOperations:Fetch", Node("ItemOperations:Store", "Mailbox"),
                     Node("AirSyncBase:FileReference", attachment.get("AirSyncBase:FileReference")))
        response = self.operate(phone, *[fetch] * 12)
        self.assertEqual([base64.b64decode(one.get("ItemOperations:Properties", "ItemOperations:Data")) == octets
                          for one in response.children], [True] * 12)
        answer = phone.post("ItemOperations", Node("ItemOperations:ItemOperations", *[fetch] * 12), MS_ASAcceptMultiPart="T",
                            Accept_Encoding="gzip")
        self.assertIsNone(answer.headers["Content-Encoding"], "parts are never packed")
        self.assertEqual([part == octets for part in multipart(answer.body)[1:]], [True] * 12)

    def test_too_many_octets_of_bodies(self):
        self.deliver("big", text=("x" * 70 + "\r\n") * 50000)
        phone, inbox = self.primed(Phone.options(0, (1, 10)))
        fetch = Node("ItemOperations:Fetch", Node("ItemOperations:Store", "Mailbox"),
                     Node("AirSync:ServerId", phone.item(inbox, "big")), options(PLAIN))
        statuses = [one.get("ItemOperations:Status") for one in self.operate(phone, *[fetch] * 12).children]
        self.assertEqual(statuses, ["1"] * 10 + ["11"] * 2, "3.6 MB each, 32 MiB in all")


class Conversations(OperationsTest):
    def move(self, phone, conversation, to, *more):
        nodes = [] if conversation is None else [Node("ItemOperations:ConversationId", conversation)]
        response = self.operate(phone, Node("ItemOperations:Move", *nodes, Node("ItemOperations:DstFldId", to), *more))
        moved = response.find("ItemOperations:Move")
        if conversation:
            self.assertEqual(moved.get("ItemOperations:ConversationId"), conversation)
        return moved.get("ItemOperations:Status")

    def setUp(self):
        super().setUp()
        reply = "References: <root@example.org>\r\n"
        self.deliver("root", message_id="<root@example.org>")
        self.deliver("Re: root", headers=reply)
        self.deliver("other")
        imap = self.imap()
        imap.create("Work")
        imap.append("Work", None, None, message("Re: root filed", headers=reply))
        imap.append("Sent", None, None, message("Re: root sent", headers=reply))
        self.one, self.inbox = self.primed()
        self.conversation = self.one.items[self.inbox][self.one.item(self.inbox, "root")].get("Email2:ConversationId")

    def test_a_conversation_is_moved(self):
        phone, junk = self.one, self.one.folder("Junk")
        self.assertEqual(self.move(phone, self.conversation, junk), "1")
        phone.sync(self.inbox)
        for name in ("Junk", "Work", "Sent"):
            phone.sync_all(phone.folder(name))
        self.assertEqual(phone.subjects(self.inbox), ["other"])
        self.assertEqual(phone.subjects(junk), ["Re: root", "Re: root filed", "root"])
        self.assertEqual(phone.subjects(phone.folder("Work")), [])
        self.assertEqual(phone.subjects(phone.folder("Sent")), ["Re: root sent"], "what was sent stays")
        self.assertEqual(self.move(phone, self.conversation, junk), "6", "nothing is left to move")

    def test_statuses(self):
        phone, junk = self.one, self.one.folder("Junk")
        always = options(Node("ItemOperations:MoveAlways"))
        self.assertEqual(self.move(phone, self.conversation, junk, always), "3", "future mail would not be moved")
        self.assertEqual(self.move(phone, self.conversation, "999999"), "6")
        self.assertEqual(self.move(phone, self.conversation, "no id"), "6")
        self.assertEqual(self.move(phone, b"\0" * 16, junk), "6")
        self.assertEqual(self.move(phone, b"short", junk), "6")
        self.assertEqual(self.move(phone, self.conversation, "RI"), "105")
        self.assertEqual(self.move(phone, self.conversation, "outbox"), "156")
        self.assertEqual(self.move(phone, None, junk), "2")
        self.assertEqual(self.move(phone, self.conversation, ""), "2")
        self.assertIsNone(phone.sync(self.inbox), "nothing was moved")


class Emptying(OperationsTest):
    def empty(self, phone, folder, *more):
        nodes = [] if folder is None else [Node("AirSync:CollectionId", folder)]
        response = self.operate(phone, Node("ItemOperations:EmptyFolderContents", *nodes, *more))
        one = response.find("ItemOperations:EmptyFolderContents")
        self.assertEqual(one.get("AirSync:CollectionId"), folder)
        return one.get("ItemOperations:Status")

    def test_a_folder_is_emptied(self):
        imap = self.imap()
        for name in ("Work", "Work/Deep", "Work/Deep/Deeper"):
            imap.create(name)
            imap.append(name, None, None, message(f"in {name}"))
        phone = self.phone()
        work, deep = phone.folder("Work"), phone.folder("Deep")
        for folder in (work, deep):
            phone.sync_all(folder)
        self.assertEqual(self.empty(phone, work), "1")
        phone.sync(work)
        self.assertEqual((phone.subjects(work), phone.subjects(deep)), ([], ["in Work/Deep"]), "subfolders stay")
        self.assertIsNone(phone.sync(deep))
        self.assertEqual(self.empty(phone, work, options(Node("ItemOperations:DeleteSubFolders", "0"))), "1")
        phone.folder_sync()
        self.assertIn(deep, phone.folders)
        self.assertEqual(self.empty(phone, work, options(Node("ItemOperations:DeleteSubFolders"))), "1")
        phone.folder_sync()
        self.assertIn(work, phone.folders)
        self.assertNotIn(deep, phone.folders)
        restored = self.server.cli("deleted", "list", self.user).out
        self.assertIn("in Work/Deep/Deeper", restored, "all of it can be brought back")

    def test_special_folders_are_not_taken_along(self):
        imap = self.imap()
        imap.create("Work/Deep")
        imap.rename("Sent", "Work/Deep/Sent")
        imap.append("Work", None, None, message("in Work"))
        phone = self.phone()
        work = phone.folder("Work")
        phone.sync_all(work)
        self.assertEqual(self.empty(phone, work, options(Node("ItemOperations:DeleteSubFolders"))), "3")
        self.assertIsNone(phone.sync(work), "nothing was done")
        root = phone.call("FolderDelete", Node("FolderHierarchy:FolderDelete", Node(
            "FolderHierarchy:SyncKey", phone.hierarchy_key), Node("FolderHierarchy:ServerId", work)))
        self.assertEqual(root.get("FolderHierarchy:Status"), "3")
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Changes", "FolderHierarchy:Count"), "0")

    def test_statuses(self):
        phone = self.phone()
        phone.folder_sync()
        self.assertEqual(self.empty(phone, "999999"), "6")
        self.assertEqual(self.empty(phone, "no id"), "6")
        self.assertEqual(self.empty(phone, "outbox"), "1", "always empty")
        self.assertEqual(self.empty(phone, "RI"), "105")
        self.assertEqual(self.empty(phone, None), "2")


class OldAttachments(EasTest):
    def test_get_attachment_by_version(self):
        self.server.deliver(RICH, to=self.user)
        phone, inbox = self.primed(version="12.1")
        attachment = phone.items[inbox][phone.item(inbox, "Rich")].find("AirSyncBase:Attachments", "AirSyncBase:Attachment")
        name = attachment.get("AirSyncBase:FileReference")

        def get(phone, **query):
            return phone.post("GetAttachment", body=b"", query=query)
        answer = get(phone, AttachmentName=name)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "image/png"))
        self.assertTrue(answer.body.startswith(b"\x89PNG"))
        self.assertEqual(get(phone, AttachmentName=name + "9").status, 404)
        self.assertEqual(get(phone, AttachmentName="no id").status, 400)
        self.assertEqual(get(phone).status, 400)
        for version in ("14.0", "14.1", "16.0", "16.1"):
            self.assertEqual(get(self.phone(version=version), AttachmentName=name).status, 501, version)
        self.server.add_account("x" + self.user)
        phone.login = "x" + self.user
        self.assertEqual(get(phone, AttachmentName=name).status, 404, "another account's")
