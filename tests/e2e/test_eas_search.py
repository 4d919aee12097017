"""ActiveSync: Search and Find in mail, their pages and every status."""
from eas_base import EasTest, RICH, Sql
from eas_client import Node
from harness import message

DATE = "2026-03-07T12:00:00.000Z"


def text(words):
    return Node("Search:FreeText", words)


def folder(number):
    return Node("AirSync:CollectionId", number)


def date(kind, value):
    return Node(f"Search:{kind}", Node("Email:DateReceived"), Node("Search:Value", value))


class SearchTest(EasTest):
    def store(self, phone, *content):
        """The one Store of the answer."""
        root = phone.call("Search", Node("Search:Search", Node("Search:Store", *content)))
        self.assertEqual(root.get("Search:Status"), "1")
        return root.find("Search:Response", "Search:Store")

    def query(self, phone, *conditions, options=()):
        more = [Node("Search:Options", *options)] if options else []
        return self.store(phone, Node("Search:Name", "Mailbox"), Node("Search:Query", Node("Search:And", *conditions)), *more)

    def found(self, phone, *conditions, options=()):
        """The subjects that are found, in their order."""
        store = self.query(phone, *conditions, options=options)
        self.assertEqual(store.get("Search:Status"), "1", store)
        return [result.get("Search:Properties", "Email:Subject") for result in store.all("Search:Result") if result.children]

    def words(self, phone, words, *more):
        return sorted(self.found(phone, text(words), *more))

    def status(self, phone, *content):
        return self.store(phone, *content).get("Search:Status")


class Mail(SearchTest):
    def test_words(self):
        self.deliver("Budget", text="The yearly numbers\r\n", sender="Carol Winter <carol@example.org>")
        self.deliver("Holiday", text="A gr\u00fcner budget\r\n", headers="Cc: Dora <dora@example.org>\r\n")
        self.deliver("Party", text="Cake\r\n")
        phone = self.phone()
        rows = (("budget", ["Budget", "Holiday"]), ("BUDGET yearly", ["Budget"]), ("carol", ["Budget"]), ("winter", ["Budget"]),
                ("dora", ["Holiday"]), ("GR\u00dcNER", ["Holiday"]), ("subject:budget", ["Budget"]), ("body:budget", ["Holiday"]),
                ("from:carol", ["Budget"]), ("to:carol", []), ("cc:dora", ["Holiday"]), ("\"yearly numbers\"", ["Budget"]),
                ("\"numbers yearly\"", []), ("cake OR yearly", ["Budget", "Party"]), ("budget -yearly", ["Holiday"]),
                ("budget NOT from:carol", ["Holiday"]), ("isread:false", ["Budget", "Holiday", "Party"]), ("isread:true", []),
                ("kind:email", []), ("participants:dora", ["Holiday"]))
        for words, subjects in rows:
            self.assertEqual(self.words(phone, words), subjects, words)
        self.imap().store("3", "+FLAGS", "(\\Seen \\Flagged)")
        self.assertEqual(self.words(phone, "isread:true"), ["Party"])
        self.assertEqual(self.words(phone, "isflagged:no budget"), ["Budget", "Holiday"])

    def test_attachments(self):
        self.server.deliver(RICH.replace("Rich", "With", 1), to=self.user)
        self.deliver("Without")
        phone = self.phone()
        self.assertEqual(self.words(phone, "hasattachments:true"), ["With"])
        self.assertEqual(self.words(phone, "hasattachment:false"), ["Without"])
        self.assertEqual(self.words(phone, "-hasattachments:true wit"), ["Without"])

    def test_results(self):
        self.deliver("only")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        store = self.query(phone, Node("AirSync:Class", "Email"), folder(inbox), text("only"))
        self.assertEqual((store.get("Search:Range"), store.get("Search:Total")), ("0-0", "1"))
        result = store.find("Search:Result")
        self.assertEqual(result.names(), ["AirSync:Class", "Search:LongId", "AirSync:CollectionId", "Search:Properties"])
        self.assertEqual((result.get("AirSync:Class"), result.get("AirSync:CollectionId")), ("Email", inbox))
        self.assertIsNone(result.find("Search:Properties", "AirSyncBase:Body"), "only with a BodyPreference")
        preference = Node("AirSyncBase:BodyPreference", Node("AirSyncBase:Type", 1), Node("AirSyncBase:TruncationSize", 4))
        body = self.query(phone, text("only"), options=[preference]).find("Search:Result", "Search:Properties", "AirSyncBase:Body")
        self.assertEqual((body.get("AirSyncBase:Data"), body.get("AirSyncBase:Truncated")), ("Good", "1"))
        fetched = phone.fetch(Node("Search:LongId", result.get("Search:LongId"))).root.find("ItemOperations:Response",
                                                                                           "ItemOperations:Fetch")
        self.assertEqual(fetched.get("ItemOperations:Properties", "Email:Subject"), "only")
        self.assertEqual(fetched.get("Search:LongId"), result.get("Search:LongId"))
        again = self.query(phone, text("only")).find("Search:Result")
        self.assertEqual(again.get("Search:LongId"), result.get("Search:LongId"), "a LongId is stable")
        part = Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", 2))
        self.assertIsNotNone(self.query(phone, text("only"), options=[part]).find("Search:Result", "Search:Properties",
                                                                                  "AirSyncBase:BodyPart"))

    def test_a_draft_is_shown_as_sync_shows_it(self):
        self.imap().append("Drafts", "\\Draft", None, message("Unfinished", headers="Bcc: hidden@example.org\r\n"))
        phone = self.phone(version="16.1")
        found = self.query(phone, text("unfinished")).find("Search:Result", "Search:Properties")
        self.assertEqual((found.get("Email2:IsDraft"), found.get("Email2:Bcc")), ("1", "hidden@example.org"))

    def test_nothing_found(self):
        store = self.query(self.phone(), text("nothing"))
        self.assertEqual([node.tag for node in store.children], ["Search:Status", "Search:Result", "Search:Range", "Search:Total"])
        self.assertEqual((store.find("Search:Result").children, store.get("Search:Total")), ([], "0"), "one empty Result")

    def test_folders(self):
        imap = self.imap()
        for name in ("Archive", "Work", "Work/Deep", "Work/Deep/Deeper"):
            imap.create(name)
            imap.append(name, None, None, message(f"in {name}"))
        self.deliver("in Inbox")
        phone = self.phone()
        work, archive, deep = phone.folder("Work"), phone.folder("Archive"), phone.folder("Deep")
        deepest = [Node("Search:DeepTraversal")]
        everything = ["in Archive", "in Inbox", "in Work", "in Work/Deep", "in Work/Deep/Deeper"]
        self.assertEqual(self.words(phone, "in"), everything)
        self.assertEqual(self.words(phone, "in", folder("0")), everything)
        self.assertEqual(self.words(phone, "in", folder(work)), ["in Work"])
        self.assertEqual(self.words(phone, "in", folder(work), folder(archive)), ["in Archive", "in Work"])
        self.assertEqual(sorted(self.found(phone, text("in"), folder(work), options=deepest)), everything[2:])
        self.assertEqual(sorted(self.found(phone, text("in"), folder(deep), options=deepest)), everything[3:])
        self.assertEqual(self.words(phone, "in", folder("outbox")), [])
        self.assertEqual(self.words(phone, "in", Node("AirSync:Class", "SMS")), [])
        self.assertEqual(self.words(phone, "in", Node("AirSync:Class", "SMS"), Node("AirSync:Class", "Email")), everything)
        imap.select("Archive")
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        self.assertEqual(self.words(phone, "in", folder(archive)), [], "deleted mail is not found")

    def test_dates(self):
        imap = self.imap()
        for day in (6, 7, 8):
            imap.append("INBOX", None, f"\"0{day}-Mar-2026 12:00:00 +0000\"", message(f"day {day}"))
        phone = self.phone()
        self.assertEqual(self.found(phone, text("day")), ["day 8", "day 7", "day 6"], "newest first")
        self.assertEqual(self.found(phone, date("GreaterThan", DATE)), ["day 8"])
        self.assertEqual(self.found(phone, date("LessThan", DATE)), ["day 6"])
        both = (date("GreaterThan", "2026-03-06T13:00:00.000Z"), date("LessThan", "20260308T000000Z"), text("day"))
        self.assertEqual(self.found(phone, *both), ["day 7"])

    def test_conversation(self):
        self.deliver("root", message_id="<root@example.org>")
        self.deliver("Re: root", headers="References: <root@example.org>\r\n")
        self.deliver("other")
        phone, inbox = self.primed()
        conversation = phone.items[inbox][phone.item(inbox, "root")].get("Email2:ConversationId")
        self.assertEqual(sorted(self.found(phone, Node("Search:ConversationId", conversation))), ["Re: root", "root"])
        self.assertEqual(self.found(phone, Node("Search:ConversationId", conversation), text("re")), ["Re: root"])
        self.assertEqual(self.found(phone, Node("Search:ConversationId", b"\0" * 16)), [], "none of ours")

    def test_pages(self):
        self.deliver(*[f"page {i}" for i in range(7)])
        phone = self.phone()

        def page(span, *more):
            store = self.query(phone, text("page"), options=[Node("Search:Range", span), *more])
            return store, [result.get("Search:Properties", "Email:Subject") for result in store.all("Search:Result")]
        store, first = page("0-2")
        self.assertEqual((len(first), store.get("Search:Range"), store.get("Search:Total")), (3, "0-2", "7"))
        self.deliver("page new")
        store, second = page("3-99")
        self.assertEqual((len(second), store.get("Search:Range"), store.get("Search:Total")), (4, "3-6", "7"))
        self.assertEqual(sorted(first + second), [f"page {i}" for i in range(7)], "new mail does not move the pages")
        self.assertEqual(page("7-9")[0].get("Search:Status"), "12")
        store, again = page("7-9", Node("Search:RebuildResults"))
        self.assertEqual((store.get("Search:Total"), len(again)), ("8", 1))
        self.assertIn("page new", page("0-99")[1])
        other = self.phone(device="OTHER")
        store = self.query(other, text("page"), options=[Node("Search:Range", "1-1")])
        self.assertEqual((store.get("Search:Range"), store.get("Search:Total")), ("1-1", "8"), "a later page without a first one")

    def test_a_page_leaves_out_what_went_away(self):
        self.deliver("page 0", "page 1")
        phone = self.phone()
        self.query(phone, text("page"), options=[Node("Search:Range", "0-0")])
        self.imap().store("1:2", "+FLAGS", "\\Deleted")
        desktop = self.imap()
        desktop.expunge()
        store = self.query(phone, text("page"), options=[Node("Search:Range", "1-1")])
        self.assertEqual((store.get("Search:Status"), store.all("Search:Result")), ("1", []))

    def test_a_page_is_at_most_100_results(self):
        imap = self.raw_many(103)
        imap.close()
        phone = self.phone()
        store = self.query(phone, text("many"), options=[Node("Search:Range", "0-200")])
        self.assertEqual((store.get("Search:Range"), store.get("Search:Total")), ("0-99", "103"))

    def raw_many(self, count):
        client = self.server.raw_imap(self.user)
        for number in range(count):
            octets = b"Subject: many %d\r\n\r\nx\r\n" % number
            client.ok(b"APPEND INBOX {%d+}\r\n%s" % (len(octets), octets))
        return client

    def test_an_answer_has_its_limit(self):
        body = "x" * 70 + "\r\n"
        self.deliver(*[f"big {i}" for i in range(6)], text=body * 5000)
        preference = Node("AirSyncBase:BodyPreference", Node("AirSyncBase:Type", 1))
        phone = self.phone()
        store = self.query(phone, text("big"), options=[preference])
        count = len(store.all("Search:Result"))
        self.assertEqual((store.get("Search:Range"), store.get("Search:Total")), (f"0-{count - 1}", "6"))
        self.assertLess(count, 6, "about a megabyte")
        self.assertGreater(count, 1)

    def test_statuses(self):
        phone = self.phone()
        inbox = phone.folder("Inbox")
        mailbox, x = Node("Search:Name", "Mailbox"), text("x")

        def query(*content):
            return self.status(phone, mailbox, Node("Search:Query", *content))

        def options(*content):
            return self.status(phone, mailbox, Node("Search:Query", Node("Search:And", x)), Node("Search:Options", *content))
        self.assertEqual(query(Node("Search:And", folder("999999"), x)), "11", "FolderSync first")
        self.assertEqual(query(Node("Search:And", folder("no id"), x)), "8")
        self.assertEqual(query(Node("Search:And", folder(inbox), Node("Email:Subject", "x"))), "2")
        self.assertEqual(query(), "2")
        self.assertEqual(query(Node("Search:Or", x)), "8")
        self.assertEqual(query(Node("Search:And", x), Node("Search:And", x)), "8")
        self.assertEqual(query(x), "8")
        self.assertEqual(query(Node("Search:And", x, x)), "2")
        self.assertEqual(query(Node("Search:And", text("x " * 40))), "8", "too many words")
        self.assertEqual(query(Node("Search:And", date("LessThan", "yesterday"))), "2")
        self.assertEqual(options(Node("Search:Range", "5-1")), "2")
        self.assertEqual(options(Node("Search:Range", "1-5")), "12")
        self.assertEqual(options(Node("AirSync:MIMESupport", "9")), "2")
        self.assertEqual(options(Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", 1))), "164")
        self.assertEqual(options(*[Node("Search:DeepTraversal")] * 2, *[Node("Search:Range", "0-1")] * 2), "1")
        self.assertEqual(self.status(phone, Node("Search:Name", "DocumentLibrary"), Node("Search:Query")), "5")
        self.assertEqual(self.status(phone, Node("Search:Name", "Cellar"), Node("Search:Query")), "2")
        self.assertEqual(phone.call("Search", Node("Search:Search")).get("Search:Status"), "2")
        self.assertEqual(phone.call("Search").get("Search:Status"), "101", "no body")
        self.assertEqual(phone.call("Search", body=b"\x03\x01\x6a\x00\xff").get("Search:Status"), "102")

    def test_another_account_is_not_searched(self):
        self.deliver("secret of one")
        self.server.add_account("x" + self.user)
        other = self.phone()
        other.login = "x" + self.user
        self.assertEqual(self.words(other, "secret"), [])


class Slow(SearchTest):
    settings = {"eas__search_max_s": 1}

    def test_a_search_that_takes_too_long_is_refused(self):
        """The database holds the search up: it ends with the status for it and the server goes on."""
        self.deliver("late")
        phone = self.phone()
        self.assertEqual(self.words(phone, "late"), ["late"])
        sql = Sql(self.server)
        sql("alter table placement rename to placement_hidden; create view placement as select placement_hidden.* from"
            " placement_hidden, (select pg_sleep(1.5)) held")
        try:
            store = self.query(phone, text("late"))
        finally:
            sql("drop view placement; alter table placement_hidden rename to placement")
        self.assertEqual(store.get("Search:Status"), "10")
        self.assertEqual(self.words(phone, "late"), ["late"])


class Find(EasTest):
    def phone(self, **more):
        return super().phone(**{"version": "16.1", **more})

    def request(self, words, *query, search="{1}", options=()):
        more = [Node("Find:Options", *options)] if options else []
        return Node("Find:Find", Node("Find:SearchId", search), Node("Find:ExecuteSearch", Node(
            "Find:MailBoxSearchCriterion", Node("Find:Query", Node("AirSync:Class", "Email"), *query,
                                                Node("Find:FreeText", words)), *more)))

    def find(self, phone, words, *query, **more):
        root = phone.call("Find", self.request(words, *query, **more))
        self.assertEqual(root.get("Find:Status"), "1", root)
        return root.find("Find:Response")

    def subjects(self, response):
        return [result.get("Find:Properties", "Email:Subject") for result in response.all("Find:Result")]

    def test_results(self):
        self.server.deliver(RICH.replace("Rich", "Files", 1), to=self.user)
        self.deliver("Plain", headers="Cc: Dora <dora@example.org>\r\n", text="Some words to see\r\n")
        self.imap().store("2", "+FLAGS", "\\Seen")
        phone = self.phone()
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        response = self.find(phone, "subject:plain")
        self.assertEqual(response.names(), ["ItemOperations:Store", "Find:Status", "Find:Result", "Find:Range", "Find:Total"])
        self.assertEqual((response.get("ItemOperations:Store"), response.get("Find:Range"), response.get("Find:Total")),
                         ("Mailbox", "0-0", "1"))
        result = response.find("Find:Result")
        self.assertEqual(result.names(), ["AirSync:Class", "AirSync:ServerId", "AirSync:CollectionId", "Find:Properties"])
        self.assertEqual(result.get("AirSync:ServerId"), phone.item(inbox, "Plain"), "the id of Sync")
        properties = result.find("Find:Properties")
        for tag, value in (("Email:Subject", "Plain"), ("Email:Read", "1"), ("Email2:IsDraft", "0"), ("Email:Importance", "1"),
                           ("Find:HasAttachments", "0"), ("Find:DisplayCc", "Dora <dora@example.org>"),
                           ("Find:Preview", "Some words to see")):
            self.assertEqual(properties.get(tag), value, tag)
        self.assertIn("ann@example.org", properties.get("Email:From"))
        self.assertIsNone(properties.find("Find:DisplayBcc"), "only of one's own mail")
        files = self.find(phone, "hasattachments:true").find("Find:Result", "Find:Properties")
        self.assertEqual((files.get("Email:Subject"), files.get("Find:HasAttachments"), files.get("Email:Read")), ("Files", "1", "0"))
        fetched = phone.fetch(folder(inbox), Node("AirSync:ServerId", result.get("AirSync:ServerId"))).root
        self.assertEqual(fetched.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Properties",
                                     "Email:Subject"), "Plain")
        imap = self.imap()
        imap.append("Drafts", "\\Draft", None, message("Draft", headers="Bcc: hidden@example.org\r\n"))
        draft = self.find(phone, "subject:draft").find("Find:Result", "Find:Properties")
        self.assertEqual((draft.get("Email2:IsDraft"), draft.get("Find:DisplayBcc")), ("1", "hidden@example.org"))

    def test_pages(self):
        self.deliver(*[f"page {i}" for i in range(5)])
        phone = self.phone()

        def page(span, search="{1}"):
            return self.find(phone, "page", search=search, options=[Node("Find:Range", span)])
        first = page("0-1")
        self.deliver("page new")
        second = page("2-9")
        self.assertEqual((second.get("Find:Range"), second.get("Find:Total")), ("2-4", "5"))
        self.assertEqual(sorted(self.subjects(first) + self.subjects(second)), [f"page {i}" for i in range(5)])
        self.assertEqual(page("5-9").get("Find:Status"), "4")
        self.assertEqual(page("2-3", "{2}").get("Find:Status"), "4", "a new search does not begin in the middle")
        self.assertEqual(page("990-1000").get("Find:Status"), "4")
        self.assertEqual(page("0-9", "{2}").get("Find:Total"), "6")

    def test_folders(self):
        imap = self.imap()
        for name in ("Work", "Work/Deep"):
            imap.create(name)
            imap.append(name, None, None, message(f"in {name}"))
        phone = self.phone()
        work = folder(phone.folder("Work"))
        self.assertEqual(self.subjects(self.find(phone, "in", work)), ["in Work"])
        deep = self.find(phone, "in", work, options=[Node("Find:DeepTraversal")])
        self.assertEqual(sorted(self.subjects(deep)), ["in Work", "in Work/Deep"])

    def test_statuses(self):
        phone = self.phone()
        nothing = self.find(phone, "nothing")
        self.assertEqual((nothing.get("Find:Status"), nothing.get("Find:Total"), nothing.find("Find:Result"),
                          nothing.find("Find:Range")), ("1", "0", None, None))

        def status(root):
            return phone.call("Find", root).get("Find:Status")
        self.assertEqual(status(self.request("x", folder("999999"))), "3", "FolderSync first")
        self.assertEqual(status(self.request("x", folder("no id"))), "2")
        self.assertEqual(status(self.request("")), "2")
        self.assertEqual(status(self.request("x", search="")), "2")
        self.assertEqual(status(self.request("x", options=[Node("Find:Range", "5-1")])), "2")
        self.assertEqual(status(Node("Find:Find", Node("Find:SearchId", "1"), Node("Find:ExecuteSearch"))), "2")
        self.assertEqual(self.phone(version="14.1").call("Find", self.request("x")).get("Find:Status"), "138")
        self.assertEqual(self.phone(version="12.1").post("Find", self.request("x")).status, 400)
        self.assertEqual(phone.call("Find").get("Find:Status"), "101")
