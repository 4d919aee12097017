"""MeetingResponse: MS-ASCMD 2.2.1.11; the answer by RFC 5546."""
import re
import unittest

from eas_base import EasTest, Sql
from eas_client import Node
from harness import PASSWORD


class Meetings(EasTest):
    def setUp(self):
        super().setUp()
        self.organizer = f"organizer{EasTest.counter}@example.test"
        self.server.add_account(self.organizer)

    def request(self, subject="Talk", rule="", method="REQUEST"):
        calendar = (f"BEGIN:VCALENDAR\r\nPRODID:-//x//EN\r\nVERSION:2.0\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:{subject}@x\r\nSEQUENCE:4\r\n"
                    f"DTSTAMP:20261120T100000Z\r\nDTSTART:20261127T100000Z\r\nDTEND:20261127T110000Z\r\n{rule}"
                    f"ORGANIZER:mailto:{self.organizer}\r\nATTENDEE;RSVP=TRUE:mailto:{self.user}\r\nSUMMARY:{subject}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
        self.server.deliver(f"From: {self.organizer}\r\nTo: {self.user}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
                            "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nCome.\r\n--b\r\n"
                            f"Content-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n{calendar}--b--\r\n", to=self.user)

    def respond(self, phone, answer, folder=None, item=None, long_id=None, instance=None, send=None):
        return phone.call("MeetingResponse", Node("MeetingResponse:MeetingResponse", self.one(answer, folder, item, long_id, instance, send)))

    @staticmethod
    def one(answer, folder=None, item=None, long_id=None, instance=None, send=None):
        return Node("MeetingResponse:Request", Node("MeetingResponse:UserResponse", answer),
                    Node("MeetingResponse:CollectionId", folder) if folder else None,
                    Node("MeetingResponse:RequestId", item) if item else None,
                    Node("Search:LongId", long_id) if long_id else None,
                    Node("MeetingResponse:InstanceId", instance) if instance else None, send)

    def status(self, root):
        return root.get("MeetingResponse:Result", "MeetingResponse:Status")

    def answers(self):
        """Mails in the organizer's inbox."""
        imap = self.server.imap(self.organizer, PASSWORD)
        count = int(imap.select("INBOX")[1][0])
        return [part[1].decode() for part in imap.fetch("1:*", "(BODY[])")[1] if isinstance(part, tuple)] if count else []

    def invited(self, subject="Talk", version="16.1", **more):
        self.request(subject, **more)
        phone, inbox = self.primed(version=version)
        return phone, inbox, phone.item(inbox, subject)

    def count(self, mailbox):
        return len(self.imap(mailbox).search(None, "ALL")[1][0].split())

    def test_each_answer(self):
        for answer, word, title in (("1", "ACCEPTED", "Accepted"), ("2", "TENTATIVE", "Tentative"), ("3", "DECLINED", "Declined")):
            with self.subTest(word):
                phone, inbox, item = self.invited(f"Talk{answer}")
                root = self.respond(phone, answer, inbox, item, send=Node(
                    "MeetingResponse:SendResponse", Node("AirSyncBase:Body", Node("AirSyncBase:Type", "1"), Node("AirSyncBase:Data", f"My word {answer}"))))
                result = root.find("MeetingResponse:Result")
                self.assertEqual((result.get("MeetingResponse:RequestId"), result.get("MeetingResponse:Status")), (item, "1"))
                self.assertEqual(bool(result.get("MeetingResponse:CalendarId")), answer != "3", "none of what was declined")
                mail = self.answers()[-1]
                for line in (f"From: {self.user}", f"To: {self.organizer}", f"Subject: {title}: Talk{answer}", "METHOD:REPLY", f"UID:Talk{answer}@x", "SEQUENCE:4",
                             f"ORGANIZER:mailto:{self.organizer}"):
                    self.assertRegex(mail.replace("=\r\n", ""), rf"(?m)^{re.escape(line)}\r$")
                self.assertRegex(mail, r"(?i)content-type: text/calendar;[^\n]*method=\"?REPLY")
                self.assertIn(f"PARTSTAT={word}", mail.replace("=\r\n", "").replace("\r\n ", "").replace("=3D", "="))
                self.assertIn(f"My word {answer}", mail)
                phone.sync(inbox)
                self.assertEqual(phone.subjects(inbox), [], "the phone hears that it has gone")
        trash = phone.folder("Trash")
        phone.sync_all(trash)
        self.assertEqual(phone.subjects(trash), ["Talk1", "Talk2", "Talk3"])
        self.assertEqual(self.count("Sent"), 3)

    def test_the_phone_sends_it_itself(self):
        """Up to 14.1 always, from 16.0 on unless there is a SendResponse."""
        for version in ("12.1", "14.1", "16.1"):
            phone, inbox, item = self.invited(f"T{version}", version=version)
            send = Node("MeetingResponse:SendResponse") if version < "16" else None
            self.assertEqual(self.status(self.respond(phone, "1", inbox, item, send=send)), "1")
            phone.sync(inbox)
            self.assertEqual(phone.subjects(inbox), [])
        self.assertEqual(self.answers(), [])

    def test_a_repeat(self):
        phone, inbox, item = self.invited()
        send = Node("MeetingResponse:SendResponse")
        for _ in range(2):
            self.assertEqual(self.status(self.respond(phone, "1", inbox, item, send=send)), "1")
        self.assertEqual(len(self.answers()), 1)
        self.assertEqual(self.status(self.respond(phone, "3", inbox, item, send=send)), "2", "another answer to what has gone")

    def test_by_long_id_and_one_of_a_series(self):
        phone, inbox, item = self.invited(rule="RRULE:FREQ=WEEKLY\r\n")
        root = self.respond(phone, "3", long_id=item, instance="2026-12-04T10:00:00.000Z", send=Node("MeetingResponse:SendResponse"))
        self.assertEqual((self.status(root), root.get("MeetingResponse:Result", "Search:LongId")), ("1", item))
        self.assertIn("RECURRENCE-ID:20261204T100000Z", self.answers()[0].replace("=\r\n", ""))

    def test_another_time(self):
        phone, inbox, item = self.invited()
        root = self.respond(phone, "2", inbox, item, send=Node(
            "MeetingResponse:SendResponse", Node("MeetingResponse:ProposedStartTime", "2026-11-28T10:00:00.000Z"),
            Node("MeetingResponse:ProposedEndTime", "2026-11-28T11:00:00.000Z")))
        self.assertEqual(self.status(root), "1")
        mail = self.answers()[0].replace("=\r\n", "")
        self.assertIn("METHOD:COUNTER", mail)
        self.assertIn("DTSTART:20261128T100000Z", mail)

    def test_in_deleted_items_it_stays(self):
        self.request()
        desktop = self.imap()
        desktop.copy("1", "Trash")
        phone = self.phone(version="16.1")
        trash = phone.folder("Trash")
        phone.sync_all(trash)
        self.assertEqual(self.status(self.respond(phone, "1", trash, phone.item(trash, "Talk"))), "1")
        self.assertEqual(self.count("Trash"), 1)

    def test_statuses(self):
        phone, inbox, item = self.invited()
        self.deliver("no meeting")
        self.request("Off", method="CANCEL")
        phone.sync_all(inbox)
        send = Node("MeetingResponse:SendResponse")
        mail, off = phone.item(inbox, "no meeting"), phone.item(inbox, "Off")
        half = Node("MeetingResponse:SendResponse", Node("MeetingResponse:ProposedStartTime", "2026-11-28T10:00:00.000Z"))
        late = Node("MeetingResponse:SendResponse", Node("MeetingResponse:ProposedStartTime", "later"))
        for name, answer, words, status in (
                ("no meeting", "1", dict(folder=inbox, item=mail), "2"), ("a cancellation", "1", dict(folder=inbox, item=off), "2"),
                ("no such answer", "4", dict(folder=inbox, item=item), "2"), ("no answer", "", dict(folder=inbox, item=item), "2"),
                ("another folder", "1", dict(folder=phone.folder("Sent"), item=item), "2"), ("a calendar", "1", dict(folder="calendar", item=item), "2"),
                ("gone", "1", dict(folder=inbox, item=f"{inbox}:99"), "2"), ("no id", "1", dict(folder=inbox, item="x"), "2"), ("none", "1", {}, "2"),
                ("both ids", "1", dict(folder=inbox, item=item, long_id=item), "2"),
                ("no date", "1", dict(folder=inbox, item=item, instance="x"), "104"),
                ("no series", "1", dict(folder=inbox, item=item, instance="2026-12-04T10:00:00.000Z"), "146"),
                ("half a time", "1", dict(folder=inbox, item=item, send=half), "2"), ("no time", "1", dict(folder=inbox, item=item, send=late), "104")):
            with self.subTest(name):
                self.assertEqual(self.status(self.respond(phone, answer, **words)), status)
        sql = Sql(self.server)
        mine = f"where account_id = (select account_id from directory where login = '{self.user}')"
        sql(f"update account set quota_bytes = 1 {mine}")
        self.assertEqual(self.status(self.respond(phone, "1", inbox, item, send=send)), "3", "the answer cannot be sent")
        sql(f"update account set quota_bytes = 0 {mine}")
        sql("create function broken() returns trigger language plpgsql as $$ begin raise sqlstate '53200'; end $$;"
            " create trigger broken before update on placement for each row execute function broken()")
        try:
            self.assertEqual(self.status(self.respond(phone, "1", inbox, item)), "4")
        finally:
            sql("drop trigger broken on placement; drop function broken()")
        phone.sync(inbox)
        self.assertIn("Talk", phone.subjects(inbox), "it stayed where it was")
        self.assertEqual(self.answers(), [])

    def test_how_many(self):
        """REQUESTS_MAX 100: 103, at 12.1 HTTP 400; and each has its own result."""
        phone, inbox, item = self.invited()

        def many(count, client):
            return client.post("MeetingResponse", Node("MeetingResponse:MeetingResponse", *[self.one("1", inbox, f"{inbox}:99")] * count))
        self.assertEqual(len(many(100, phone).root.all("MeetingResponse:Result")), 100)
        self.assertEqual(many(101, phone).root.get("MeetingResponse:Status"), "103")
        self.assertEqual(many(0, phone).root.get("MeetingResponse:Status"), "103")
        self.assertEqual(many(101, self.phone(version="12.1")).status, 400)
        root = phone.call("MeetingResponse", Node("MeetingResponse:MeetingResponse", self.one("1", inbox, item), self.one("1", inbox, "x")))
        self.assertEqual([one.get("MeetingResponse:Status") for one in root.all("MeetingResponse:Result")], ["1", "2"])


if __name__ == "__main__":
    unittest.main()
