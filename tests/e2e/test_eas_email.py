"""The Email class over the wire: meetings, classes, bodies, statuses of AirSyncBase, and mail that cannot be read."""
import base64
import unittest

from eas_base import SIGNED, VERSIONS, EasTest, Sql
from eas_client import Node, Phone
from harness import message

CALENDAR = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:plan-1@example.org\r\n"
            "DTSTAMP:20260301T080000Z\r\nDTSTART;TZID=Europe/Berlin:20260702T120000\r\n"
            "DTEND;TZID=Europe/Berlin:20260702T130000\r\nSUMMARY:Plan\r\nLOCATION:Büro\r\n"
            "ORGANIZER;CN=Ann:mailto:ann@example.org\r\nATTENDEE;RSVP=TRUE:mailto:{to}\r\n{more}"
            "END:VEVENT\r\nEND:VCALENDAR\r\n")
INVITATION = ("From: Ann <ann@example.org>\r\nTo: {to}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
              "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
              "--b\r\nContent-Type: text/plain\r\n\r\nCome to the plan\r\n"
              "--b\r\nContent-Type: text/calendar; charset=utf-8; method=REQUEST\r\n"
              "Content-Transfer-Encoding: base64\r\n\r\n{calendar}\r\n--b--\r\n")
BOUNCE = ("From: MAILER-DAEMON@example.org\r\nTo: x@example.test\r\nSubject: Bounce\r\nMIME-Version: 1.0\r\n"
          "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
          "--b\r\nContent-Type: text/plain\r\n\r\nNo such user\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
          "Reporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; y@example.org\r\nAction: failed\r\n"
          "Status: 5.1.1\r\n--b--\r\n")


def preference(*content):
    return Node("AirSyncBase:BodyPreference", *content)


class Email(EasTest):
    def invite(self, subject, more=""):
        calendar = base64.encodebytes(CALENDAR.format(to=self.user, more=more).encode()).decode().replace("\n", "\r\n")
        self.server.deliver(INVITATION.format(to=self.user, subject=subject, calendar=calendar).encode(), to=self.user)

    def test_a_meeting_at_every_version(self):
        self.invite("Meeting")
        self.invite("Too often", "RRULE:FREQ=MINUTELY\r\n")
        for version in VERSIONS:
            with self.subTest(version):
                phone, inbox = self.primed(Phone.options(0, (1, None)), version=version,
                                           device="V" + version.replace(".", ""))
                data = phone.items[inbox][phone.item(inbox, "Meeting")]
                meeting = data.find("Email:MeetingRequest")
                self.assertEqual(data.get("Email:MessageClass"), "IPM.Schedule.Meeting.Request")
                self.assertEqual(data.get("Email:ContentClass"), "urn:content-classes:calendarmessage")
                self.assertEqual(meeting.get("Email:StartTime"), "2026-07-02T10:00:00.000Z")
                self.assertEqual(meeting.get("Email:ResponseRequested"), "1")
                self.assertEqual(len(base64.b64decode(meeting.get("Email:TimeZone"))), 172)
                new = version >= "16"
                place = ("AirSyncBase:Location", "AirSyncBase:DisplayName") if new else ("Email:Location",)
                self.assertEqual(meeting.get(*place), "Büro")
                self.assertEqual(meeting.find("Email:GlobalObjId") is None, new)
                self.assertEqual(meeting.get("Calendar:UID"), "plan-1@example.org" if new else None)
                self.assertIsNone(data.find("AirSyncBase:Attachments"))
                self.assertIn("Come to the plan", data.get("AirSyncBase:Body", "AirSyncBase:Data"))
                plain = phone.items[inbox][phone.item(inbox, "Too often")]
                self.assertEqual(plain.get("Email:MessageClass"), "IPM.Note", "phones have no words for it")
                self.assertEqual(len(plain.find("AirSyncBase:Attachments").children), 1)

    def test_an_invitation_that_is_nothing_but_a_calendar(self):
        calendar = CALENDAR.format(to=self.user, more="DESCRIPTION:Bring <cake>\\nand tea\r\n")
        self.server.deliver(("From: Ann <ann@example.org>\r\nSubject: Bare\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n"
                             + calendar).encode(), to=self.user)
        for kind, text in ((1, "Bring <cake>\nand tea"), (2, "Bring &lt;cake&gt;")):
            phone, inbox = self.primed(Phone.options(0, (kind, None)), device=f"K{kind}")
            data = phone.items[inbox][phone.item(inbox, "Bare")]
            self.assertEqual(data.get("Email:MessageClass"), "IPM.Schedule.Meeting.Request")
            self.assertIsNone(data.find("AirSyncBase:Attachments"))
            self.assertIn(text, data.get("AirSyncBase:Body", "AirSyncBase:Data").replace("\r", ""))

    def test_a_report_and_the_last_verb(self):
        self.server.deliver(BOUNCE.encode(), to=self.user)
        Sql(self.server)("update placement set extra = '{\"verb\": {\"n\": 2, \"at\": \"2026-01-02T03:04:05.000Z\"}}'"
                         f" where account_id = (select account_id from directory where login = '{self.user}')")
        for version, verb in (("12.1", None), ("14.0", "2"), ("16.1", "2")):
            phone, inbox = self.primed(version=version, device="V" + version.replace(".", ""))
            data = phone.items[inbox][phone.item(inbox, "Bounce")]
            self.assertEqual(data.get("Email:MessageClass"), "REPORT.IPM.NOTE.NDR")
            self.assertEqual(data.get("Email2:LastVerbExecuted"), verb)
            self.assertEqual(data.get("Email2:LastVerbExecutionTime"), verb and "2026-01-02T03:04:05.000Z")

    def test_the_verb_of_one_phone_is_told_to_another(self):
        self.deliver("Question")
        phone, inbox = self.primed()
        phone.send("To: ann@example.org\r\nSubject: Re: Question\r\n\r\nYes\r\n", "verb-1", command="SmartReply",
                   source=(inbox, phone.item(inbox, "Question")))
        other, _ = self.primed(device="OTHER", version="16.1")
        data = other.items[inbox][other.item(inbox, "Question")]
        self.assertEqual(data.get("Email2:LastVerbExecuted"), "1")
        self.assertRegex(data.get("Email2:LastVerbExecutionTime"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_smime_is_kept_whole_when_it_is_asked_for(self):
        self.server.deliver(SIGNED.format(subject="Signed").encode(), to=self.user)
        self.deliver("Plain")
        for support, types in (("0", ("1", "1")), ("1", ("4", "1")), ("2", ("4", "4"))):
            phone, inbox = self.primed(Phone.options(0, (1, None), (4, None), mime=support), device="MIME" + support)
            bodies = [phone.items[inbox][phone.item(inbox, s)].find("AirSyncBase:Body") for s in ("Signed", "Plain")]
            self.assertEqual(tuple(b.get("AirSyncBase:Type") for b in bodies), types)
            if support != "0":
                self.assertIn("Signed  words \r\n--s", bodies[0].get("AirSyncBase:Data"), "not an octet is changed")
        data = phone.items[inbox][phone.item(inbox, "Signed")]
        self.assertEqual(data.get("Email:MessageClass"), "IPM.Note.SMIME.MultipartSigned")
        self.assertIsNone(data.find("AirSyncBase:Attachments"))

    def test_mime_truncation(self):
        self.deliver("Long", text="0123456789\r\n" * 2000)
        for value, size in (("0", None), ("1", 4096), ("5", 20480), ("8", 24000)):
            options = Node("AirSync:Options", Node("AirSync:MIMESupport", "2"), Node("AirSync:MIMETruncation", value),
                           preference(Node("AirSyncBase:Type", "4")))
            phone, inbox = self.primed(options, device="T" + value)
            body = phone.items[inbox][phone.item(inbox, "Long")].find("AirSyncBase:Body")
            data = body.get("AirSyncBase:Data")
            self.assertIn("Subject: Long", data)
            if value == "0":
                self.assertTrue(data.endswith("\r\n\r\n"), "the header alone")
            elif value == "8":
                self.assertGreater(len(data), size)
            else:
                self.assertEqual(len(data.encode()), size)
            self.assertEqual(body.get("AirSyncBase:Truncated"), None if value == "8" else "1")
            self.assertGreater(int(body.get("AirSyncBase:EstimatedDataSize")), 24000)

    def test_a_text_that_is_bigger_than_what_is_looked_at(self):
        line = "0123456789" * 7 + "\r\n"
        self.deliver("Huge", text=line * 70000)
        phone, inbox = self.primed(Phone.options(0, (1, None)))
        body = phone.items[inbox][phone.item(inbox, "Huge")].find("AirSyncBase:Body")
        self.assertEqual(body.get("AirSyncBase:Truncated"), "1")
        self.assertEqual(len(body.get("AirSyncBase:Data")), 4 << 20)
        self.assertEqual(int(body.get("AirSyncBase:EstimatedDataSize")), len(line) * 70000)

    def test_body_part(self):
        self.deliver("Part")
        part = Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", "2"), Node("AirSyncBase:Preview", "10"))
        phone, inbox = self.primed(Node("AirSync:Options", part))
        data = phone.items[inbox][phone.item(inbox, "Part")]
        self.assertIsNone(data.find("AirSyncBase:Body"), "only the part was asked for")
        self.assertEqual(data.get("AirSyncBase:BodyPart", "AirSyncBase:Status"), "1")
        self.assertEqual(data.get("AirSyncBase:BodyPart", "AirSyncBase:Preview"), "Good morni")
        whole = Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", "2"), Node("AirSyncBase:TruncationSize", "4"),
                     Node("AirSyncBase:AllOrNone", "1"))
        phone, inbox = self.primed(Node("AirSync:Options", whole), device="ALL")
        found = phone.items[inbox][phone.item(inbox, "Part")].find("AirSyncBase:BodyPart")
        self.assertIsNone(found.find("AirSyncBase:Data"), "whole or not at all")
        self.assertEqual(found.get("AirSyncBase:Truncated"), "1")
        phone, inbox = self.primed(Node("AirSync:Options", part), device="OLD", version="14.0")
        data = phone.items[inbox][phone.item(inbox, "Part")]
        self.assertIsNone(data.find("AirSyncBase:BodyPart"), "14.1 has it first")
        self.assertIsNotNone(data.find("AirSyncBase:Body"))

    def test_statuses_of_bad_preferences(self):
        self.deliver("One")
        phone, inbox = self.primed()
        item = phone.item(inbox, "One")
        kind, size, whole = Node("AirSyncBase:Type", "1"), Node("AirSyncBase:TruncationSize", "5"), "AirSyncBase:AllOrNone"
        rows = (("a type twice", (preference(kind), preference(kind)), "4", "2"),
                ("wrong order", (preference(size, kind),), "4", "2"),
                ("no boolean", (preference(kind, size, Node(whole, "5")),), "4", "2"),
                ("twice", (preference(kind, size, Node(whole, "1"), Node(whole, "1")),), "4", "2"),
                ("no type", (preference(size),), "4", "2"),
                ("no number", (preference(kind, Node("AirSyncBase:TruncationSize", "x")),), "4", "2"),
                ("a part that is no HTML", (Node("AirSyncBase:BodyPartPreference", kind),), "164", "164"))
        for name, content, sync, fetch in rows:
            with self.subTest(name):
                answer = phone.post("Sync", phone.sync_request(phone.collection(inbox, Node("AirSync:Options", *content))))
                collections = answer.root.find("AirSync:Collections")
                found = answer.root.get("AirSync:Status") if collections is None else \
                    collections.get("AirSync:Collection", "AirSync:Status")
                self.assertEqual(found, sync)
                answer = phone.fetch(Node("AirSync:CollectionId", inbox), Node("AirSync:ServerId", item),
                                     Node("ItemOperations:Options", *content)).root
                found = answer.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Status")
                self.assertEqual(found or answer.get("ItemOperations:Status"), fetch)
        answer = phone.fetch(Node("AirSyncBase:FileReference", "")).root
        self.assertEqual(answer.get("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Status"), "15")
        drafts = self.phone(version="16.1", device="NEW")
        folder = drafts.folder("Drafts")
        drafts.sync(folder)
        for name, body in (("no number", (Node("AirSyncBase:Type", "x"), Node("AirSyncBase:Data", "y"))),
                           ("no such type", (Node("AirSyncBase:Type", "9"), Node("AirSyncBase:Data", "y")))):
            answer = drafts.command(folder, Node("AirSync:Add", Node("AirSync:ClientId", name), Node(
                "AirSync:ApplicationData", Node("Email:Subject", "S"), Node("AirSyncBase:Body", *body))))
            self.assertEqual(answer.get("AirSync:Responses", "AirSync:Add", "AirSync:Status"), "6", name)
        answer = phone.command(inbox, phone.change(item, Node("Email:Read", "maybe")))
        self.assertEqual(answer.get("AirSync:Responses", "AirSync:Change", "AirSync:Status"), "6")


class Damaged(EasTest):
    def test_one_bad_message_never_stops_a_folder(self):
        big = "x" * 70 + "\r\n"
        for subject in ("First", "No description", "No octets", "Broken octets", "No blob", "Last"):
            self.deliver(subject)
        self.server.deliver(message("Lost piece", text="".join(f"{i} {big}" for i in range(30000)), to=self.user), to=self.user)
        sql = Sql(self.server)
        account = f"(select account_id from directory where login = '{self.user}')"
        ids = sql(f"select m.message_id || ' ' || m.blob_id from placement p join message m using (account_id, message_id)"
                  f" where p.account_id = {account} order by p.uid")
        messages, blobs = zip(*(row.split() for row in ids))
        sql(f"update message set meta = '\\x00ffff' where message_id = {messages[1]}")
        sql(f"delete from chunk where blob_id = {blobs[2]}")
        sql(f"update chunk set data = '\\x0102030405' where blob_id = {blobs[3]}")
        sql(f"delete from blob where blob_id = {blobs[4]}")
        sql(f"delete from chunk where blob_id = {blobs[6]} and n > 0")
        lines = len(self.server.log.lines)
        phone, inbox = self.primed(Phone.options(0, (2, None)))
        self.assertEqual(len(phone.items[inbox]), 7)
        for subject in ("First", "Last"):
            self.assertIn("Good morning", phone.items[inbox][phone.item(inbox, subject)].get("AirSyncBase:Body", "AirSyncBase:Data"))
        for subject in ("No description", "No octets", "Broken octets", "No blob", "Lost piece"):
            data = phone.items[inbox][phone.item(inbox, subject)]
            self.assertIn("could not be read", data.get("AirSyncBase:Body", "AirSyncBase:Data"), subject)
            self.assertEqual(data.get("Email:From"), "Ann <ann@example.org>", "what is known is told")
        phone.sync_all(inbox)
        self.deliver("Later")
        phone.sync_all(inbox)
        self.assertEqual(len(phone.items[inbox]), 8, "the folder goes on")
        self.primed(Phone.options(0, (2, None)), device="OTHER")
        said = [line for line in self.server.log.lines[lines:] if " eas_message_unreadable " in line]
        self.assertEqual(len(said), 5, "each is said once")
        listed = self.server.cli("doctor", "messages", "--account", self.user).out
        self.assertEqual(len(listed.splitlines()), 6)
        self.assertIn("description: ", listed)
        self.assertIn("body: ", listed)
        self.assertIn("OTHER", listed)
        self.assertIn(" 2 ", listed, "two devices asked")
        desktop = self.imap()
        desktop.store("1:7", "+FLAGS", "\\Deleted")
        desktop.expunge()
        self.assertIn("could be read", self.server.cli("doctor", "messages", "--account", self.user).out)
        self.assertNotIn(self.user, self.server.cli("doctor", "messages").out)

    def test_attachments_of_what_is_damaged(self):
        self.deliver("Gone")
        phone, inbox = self.primed()
        item = phone.item(inbox, "Gone")
        sql = Sql(self.server)
        sql(f"update message set meta = '\\x' where account_id = (select account_id from directory where login = '{self.user}')")
        answer = phone.fetch(Node("AirSync:CollectionId", inbox), Node("AirSync:ServerId", item)).root
        fetch = answer.find("ItemOperations:Response", "ItemOperations:Fetch")
        self.assertEqual(fetch.get("ItemOperations:Status"), "1")
        self.assertEqual(fetch.get("ItemOperations:Properties", "Email:Subject"), "Gone")
        self.assertIn("could not be read", fetch.get("ItemOperations:Properties", "AirSyncBase:Body", "AirSyncBase:Data"))


if __name__ == "__main__":
    unittest.main()
