"""Automatic replies: what phones and the command line set, and what an absent user answers (RFC 3834)."""
import re
import unittest

from eas_base import BOB, EasTest, Sql
from eas_client import Node, Phone
from harness import PASSWORD, message, wait_for
from test_lmtp import Lmtp

AUDIENCES = ("AppliesToInternal", "AppliesToExternalKnown", "AppliesToExternalUnknown")


def oof_message(audience, text=None, kind="Text", enabled="1"):
    return Node("Settings:OofMessage", Node(f"Settings:{audience}"), Node("Settings:Enabled", enabled),
                Node("Settings:ReplyMessage", text) if text is not None else None,
                Node("Settings:BodyType", kind) if kind is not None else None)


class Oof(EasTest):
    """Settings Oof: MS-ASCMD 2.2.3.123."""

    def set(self, *content, phone=None):
        root = (phone or self.phone()).call("Settings", Node("Settings:Settings", Node("Settings:Oof", Node("Settings:Set", *content))))
        return root.get("Settings:Oof", "Settings:Status")

    def get(self, kind="Text", phone=None):
        root = (phone or self.phone()).call("Settings", Node("Settings:Settings", Node("Settings:Oof", Node(
            "Settings:Get", Node("Settings:BodyType", kind)))))
        return root.find("Settings:Oof", "Settings:Get")

    def messages(self, got):
        return {audience: (one.get("Settings:Enabled"), one.get("Settings:ReplyMessage"), one.get("Settings:BodyType"))
                for one in got.all("Settings:OofMessage") for audience in AUDIENCES if one.find(f"Settings:{audience}") is not None}

    def test_nothing_set(self):
        got = self.get()
        self.assertEqual(got.get("Settings:OofState"), "0")
        self.assertIsNone(got.find("Settings:StartTime"))
        self.assertEqual(self.messages(got), dict.fromkeys(AUDIENCES, ("0", None, None)))

    def test_all_forms(self):
        start, end = "2026-12-24T10:00:00.000Z", "2027-01-02T08:00:00.000Z"
        self.assertEqual(self.set(Node("Settings:OofState", "2"), Node("Settings:StartTime", start), Node("Settings:EndTime", end),
                                  oof_message("AppliesToInternal", "Gone skiing & more"),
                                  oof_message("AppliesToExternalKnown", "<p>Gone <b>away</b></p>", "hTmL"),
                                  oof_message("AppliesToExternalUnknown", "", "TEXT", "0")), "1")
        for version in ("12.1", "14.1", "16.1"):
            phone = self.phone(version=version, device=f"D{version[:2]}")
            got = self.get("TEXT", phone)
            self.assertEqual((got.get("Settings:OofState"), got.get("Settings:StartTime"), got.get("Settings:EndTime")), ("2", start, end))
            found = self.messages(got)
            self.assertEqual(found["AppliesToInternal"], ("1", "Gone skiing & more", "Text"))
            self.assertEqual(found["AppliesToExternalKnown"][1].strip(), "Gone away", "converted to what was asked for")
            self.assertEqual(found["AppliesToExternalUnknown"], ("0", None, None))
            found = self.messages(self.get("html", phone))
            self.assertIn("Gone skiing &amp; more", found["AppliesToInternal"][1])
            self.assertEqual(found["AppliesToExternalKnown"], ("1", "<p>Gone <b>away</b></p>", "HTML"))
        self.assertEqual(self.set(Node("Settings:OofState", "0")), "1")
        got = self.get()
        self.assertEqual((got.get("Settings:OofState"), self.messages(got)["AppliesToInternal"][1]), ("0", "Gone skiing & more"), "the rest stays")

    def test_statuses(self):
        start, end = Node("Settings:StartTime", "2026-12-24T10:00:00.000Z"), Node("Settings:EndTime", "2026-12-25T10:00:00.000Z")
        early = Node("Settings:EndTime", "2026-12-23T10:00:00.000Z")
        on, between, internal = Node("Settings:OofState", "1"), Node("Settings:OofState", "2"), oof_message("AppliesToInternal", "x")
        for name, content, status in (
                ("nothing", (), "2"), ("a state that is none", (Node("Settings:OofState", "3"),), "2"), ("between without times", (between, internal), "2"),
                ("one time", (on, start, internal), "2"), ("times that do not count", (on, start, end, internal), "1"),
                ("in the wrong order", (between, start, early, internal), "5"),
                ("no date", (between, Node("Settings:StartTime", "soon"), end, internal), "5"),
                ("no audience", (on, Node("Settings:OofMessage", Node("Settings:Enabled", "1"))), "2"),
                ("no BodyType", (on, oof_message("AppliesToInternal", "x", None)), "2"),
                ("a BodyType that is none", (on, oof_message("AppliesToInternal", "x", "RTF")), "5"),
                ("twice", (on, internal, oof_message("AppliesToInternal", "y")), "6"), ("good", (on, internal), "1")):
            with self.subTest(name):
                self.assertEqual(self.set(*content), status)

        def oof(*content):
            return self.phone().call("Settings", Node("Settings:Settings", Node("Settings:Oof", *content))).get("Settings:Oof", "Settings:Status")
        self.assertEqual(oof(), "2")
        self.assertEqual(oof(Node("Settings:Get")), "2")
        self.assertEqual(oof(Node("Settings:Get", Node("Settings:BodyType", "RTF"))), "5")

    def test_the_longest_message(self):
        """VACATION_BODY_MAX 65,536."""
        self.assertEqual(self.set(Node("Settings:OofState", "1"), oof_message("AppliesToInternal", "x" * 65536)), "1")
        done = self.server.cli("vacation", "set", self.user, stdin="x" * 65537, check=False)
        self.assertEqual(done.returncode, 1)


class Replies(EasTest):
    def away(self, *words, text="I am away.", login=None):
        self.server.cli("vacation", "set", login or self.user, *words, stdin=text)

    def came(self, raw=None, sender="ann@elsewhere.invalid", **more):
        """Delivers and waits until the account's job has decided; its word."""
        seen = len(self.server.log.lines)
        self.server.deliver(raw or message("Hello", to=self.user, message_id="<hello@x>", **more), to=self.user, sender=sender)
        return self.server.log.wait(r" auto_reply .*result=(\S+)", seen).group(1)

    def outbox(self, address):
        return Sql(self.server)(f"select sender from outbox where '{address}' = any (recipients)")

    def text_of(self, address):
        return self.server.cli("outbox", "list").out.count(f"<{address}>")

    def test_answer_within_the_domain(self):
        self.away()
        friend = f"friend{EasTest.counter}@example.test"
        self.server.add_account(friend)
        self.assertEqual(self.came(f"From: {friend}\r\nTo: Me <{self.user.upper()}>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <q@x>\r\n"
                                   "References: <p@x>\r\n\r\nHello\r\n", sender=friend), "sent")
        got = self.server.imap(friend, PASSWORD, select="INBOX").fetch("1", "(BODY[])")[1][0][1]
        for line in (rb"Return-Path: <>", rb"Auto-Submitted: auto-replied", rb"In-Reply-To: <q@x>", rb"References: <p@x> <q@x>",
                     rb"To: " + friend.encode(), rb"From: " + self.user.encode(), rb"Subject: Auto: =\?utf-8\?.*"):
            self.assertRegex(got, rb"(?im)^" + line + rb"\r$")
        self.assertIn(b"I am away.", got)

    def test_answer_to_far_people_once_a_period(self):
        self.away()
        self.assertEqual(self.came(), "sent")
        self.assertEqual(self.outbox("ann@elsewhere.invalid"), [""], "the null path")
        self.assertEqual(self.came(sender="Ann@Elsewhere.invalid"), "answered_before")
        self.assertEqual(self.came(sender="other@elsewhere.invalid"), "sent", "another one")
        sql = Sql(self.server)
        mine = f"account_id = (select account_id from directory where login = '{self.user}')"
        sql(f"update vacation_answered set at = at - interval '6 days 23 hours' where {mine}")
        self.assertEqual(self.came(), "answered_before")
        sql(f"update vacation_answered set at = at - interval '1 hour' where {mine}")
        self.assertEqual(self.came(), "sent", "vacation.period_days")
        self.away(text="Still away.")
        self.assertEqual(self.came(), "answered_before", "the same absence")
        self.server.cli("vacation", "clear", self.user)
        self.away(text="Away again.")
        self.assertEqual(self.came(), "sent", "another absence")

    def test_never(self):
        self.away()
        head = f"From: x@elsewhere.invalid\r\nTo: {self.user}\r\nSubject: s\r\n"
        for extra, sender, word in (
                ("", "", "no_return_path"), ("Auto-Submitted: auto-generated\r\n", "a1@x.invalid", "automatic"),
                ("Auto-Submitted: auto-replied (vacation)\r\n", "a2@x.invalid", "automatic"), ("Auto-Submitted: No\r\n", "a3@x.invalid", "sent"),
                ("Precedence: bulk\r\n", "a4@x.invalid", "list"), ("Precedence: LIST\r\n", "a5@x.invalid", "list"), ("Precedence: junk\r\n", "a6@x.invalid", "list"),
                ("List-Id: <l.x>\r\n", "a7@x.invalid", "list"), ("List-Unsubscribe: <mailto:u@x>\r\n", "a8@x.invalid", "list"),
                ("X-Auto-Response-Suppress: DR, OOF\r\n", "a9@x.invalid", "automatic"), ("X-Auto-Response-Suppress: RN\r\n", "b1@x.invalid", "sent"),
                ("Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n", "b2@x.invalid", "automatic"),
                ("", "owner-l@x.invalid", "robot"), ("", "l-request@x.invalid", "robot"), ("", "MAILER-DAEMON@x.invalid", "robot"),
                ("", "no-reply@x.invalid", "robot"), ("", self.user, "own"), ("", self.user.replace("@", "+tag@"), "own")):
            with self.subTest(extra or sender):
                self.assertEqual(self.came(head + extra + "\r\nx\r\n", sender=sender), word)
        for to, word in ((BOB, "not_named"), (f"{BOB}\r\nCc: {self.user.replace('@', '+shop@')}", "sent")):
            self.assertEqual(self.came(f"From: y@elsewhere.invalid\r\nTo: {to}\r\nSubject: s\r\n\r\nx\r\n", sender="y@elsewhere.invalid"), word)

    def test_two_who_are_away(self):
        other = f"other{EasTest.counter}@example.test"
        self.server.add_account(other)
        self.away()
        self.away(login=other)
        seen = len(self.server.log.lines)
        self.assertEqual(self.came(f"From: {other}\r\nTo: {self.user}\r\nSubject: s\r\n\r\nx\r\n", sender=other), "sent")
        self.server.deliver(message("last", to=other), to=other, sender="z@x.invalid")  # its answer comes behind what the reply led to
        self.server.log.wait(r" auto_reply .*to=z@x.invalid result=sent", seen)
        words = [re.search(r"result=(\S+)", line).group(1) for line in self.server.log.lines[seen:] if " auto_reply " in line]
        self.assertEqual(sorted(words), ["sent", "sent"], "an answer is not even looked at")

    def test_who_gets_which_message(self):
        phone = self.phone()
        phone.call("Settings", Node("Settings:Settings", Node("Settings:Oof", Node(
            "Settings:Set", Node("Settings:OofState", "1"), oof_message("AppliesToInternal", "for colleagues"),
            oof_message("AppliesToExternalKnown", "<b>for friends</b>", "HTML"), oof_message("AppliesToExternalUnknown", "for all", enabled="0")))))
        phone.send(f"From: me\r\nTo: x@y.invalid\r\nCc: Friend <Friend@elsewhere.invalid>\r\nSubject: s\r\n\r\nx\r\n", "k1")
        self.assertEqual(self.came(sender="friend@elsewhere.invalid"), "sent")
        self.assertEqual(self.came(sender="stranger@elsewhere.invalid"), "not_for_this_sender")
        colleague = f"colleague{EasTest.counter}@example.test"
        self.server.add_account(colleague)
        self.assertEqual(self.came(sender=colleague), "sent")
        self.assertIn(b"for colleagues", self.server.imap(colleague, PASSWORD, select="INBOX").fetch("1", "(BODY[])")[1][0][1])

    def test_only_in_its_time(self):
        self.away("--from", "2001-01-01", "--until", "2001-01-02 12:00")
        self.assertEqual(self.came(), "not_away")
        self.away("--from", "2001-01-01", "--until", "2901-01-02")
        self.assertEqual(self.came(), "sent")
        self.assertIn("until    2901-01-02 00:00 UTC", self.server.cli("vacation", "show", self.user).out)

    def test_a_long_header(self):
        """AUTOREPLY_HEADER_MAX 65,536: what forbids an answer may stand at its end."""
        self.away()
        head = f"From: x@elsewhere.invalid\r\nTo: {self.user}\r\n"
        for size, word in ((65536, "sent"), (65537, "long_header")):
            lines = "X-Pad: " + "x" * 60 + "\r\n"
            pad = lines * ((size - len(head) - 100) // len(lines))
            pad += "X-Pad: " + "x" * (size - len(head) - len(pad) - 11) + "\r\n"
            self.assertEqual(len(head + pad) + 2, size)
            self.assertEqual(self.came(head + pad + "\r\nx\r\n", sender=f"long{size}@x.invalid"), word)

    def test_how_far_back_correspondents_are_known(self):
        """AUTOREPLY_KNOWN_LOOK 1,000."""
        phone, desktop = self.phone(), self.imap("Sent")
        phone.call("Settings", Node("Settings:Settings", Node("Settings:Oof", Node(
            "Settings:Set", Node("Settings:OofState", "1"), oof_message("AppliesToExternalKnown", "for friends")))))
        desktop.append("Sent", None, None, b"To: old@x.invalid\r\n\r\nx\r\n")
        desktop.append("Sent", None, None, b"To: new@x.invalid\r\n\r\nx\r\n")
        desktop.select("Sent")
        count = 1
        while count < 999:  # by COPY into itself
            more = min(count, 999 - count)
            desktop.copy(f"2:{more + 1}", "Sent")
            count += more
        self.assertEqual(self.came(sender="old@x.invalid"), "sent", "the last of a thousand")
        Sql(self.server)("delete from vacation_answered")
        desktop.copy("2", "Sent")
        self.assertEqual(self.came(sender="old@x.invalid"), "not_for_this_sender")
        self.assertEqual(self.came(sender="new@x.invalid"), "sent")

    def test_how_many_are_under_way(self):
        """AUTOREPLY_QUEUE_MAX 1,000; deliveries go on all the while."""
        self.away()
        seen, lock = len(self.server.log.lines), Sql(self.server)
        lock("begin")
        lock("lock table vacation in access exclusive mode")
        client = Lmtp(self.server)
        for number in range(1002):
            client.open_mail(self.user)
            self.assertTrue(client.data(f"To: {self.user}\r\nSubject: {number}\r\n\r\nx\r\n".encode())[0].startswith("250"))
        client.close()
        lines = self.server.log.lines
        self.assertEqual([line.split("result=")[1] for line in lines[seen:] if " auto_reply " in line], ["too_many"] * 2)
        lock("rollback")
        wait_for(lambda: sum(" auto_reply " in line for line in lines[seen:]) == 1002, "all to be decided")
        self.assertEqual(sum("result=sent" in line for line in lines[seen:]), 1)

    def test_who_is_there_costs_nothing(self):
        """No job, no line: the delivery itself says that there is nothing to answer."""
        seen = len(self.server.log.lines)
        self.deliver("quiet")
        self.server.cli("vacation", "set", self.user, stdin="x")
        self.server.cli("vacation", "clear", self.user)
        self.deliver("quiet again")
        self.away(login=BOB)
        self.addCleanup(self.server.cli, "vacation", "clear", BOB)
        self.server.deliver(message("loud", to=BOB), to=BOB, sender=f"loud{EasTest.counter}@x.invalid")
        self.server.log.wait(r" auto_reply ", seen)
        self.assertEqual(sum(" auto_reply " in line for line in self.server.log.lines[seen:]), 1)

    def test_a_phones_mail_is_answered_too(self):
        self.away()
        sender = f"sender{EasTest.counter}@example.test"
        self.server.add_account(sender)
        seen = len(self.server.log.lines)
        Phone(self.server, login=sender).send(f"From: x\r\nTo: {self.user}\r\nSubject: Are you there?\r\n\r\nx\r\n", "p1")
        self.server.log.wait(r" auto_reply .*result=sent", seen)
        got = self.server.imap(sender, PASSWORD, select="INBOX").fetch("1", "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1]
        self.assertIn(b"Auto: Are you there?", got)


class CommandLine(EasTest):
    def test_vacation(self):
        self.assertIn("state    off", self.server.cli("vacation", "show", self.user).out)
        self.server.cli("vacation", "set", self.user, "--to", "internal", "--html", stdin="<p>away</p>")
        shown = self.server.cli("vacation", "show", self.user).out
        for line in ("state    on", "internal answered, HTML, 11 octets", "unknown  not answered"):
            self.assertIn(line, shown)
        for words in (("--to", "nobody"), ("--from", "2026-12-24"), ("--from", "soon", "--until", "later"), ("--from", "2026-12-24", "--until", "2026-12-23")):
            self.assertEqual(self.server.cli("vacation", "set", self.user, *words, stdin="x", check=False).returncode, 1, words)
        self.assertEqual(self.server.cli("vacation", "set", self.user, check=False).returncode, 1, "no message")
        self.assertEqual(self.server.cli("vacation", "show", "nobody@example.test", check=False).returncode, 1)
        self.server.cli("vacation", "clear", self.user)
        self.assertIn("state    off", self.server.cli("vacation", "show", self.user).out)

    def test_outbox(self):
        self.phone().send(f"From: x\r\nTo: far{EasTest.counter}@elsewhere.invalid\r\nSubject: s\r\n\r\nx\r\n", "o1")
        line, = [line for line in self.server.cli("outbox", "list").out.splitlines() if f"<far{EasTest.counter}@" in line]
        self.assertIn(f"<{self.user}> to", line)
        number = line.split()[0]
        Sql(self.server)(f"update outbox set claimed_until = now() + interval '1 hour' where outbox_id = {number}")
        self.assertIn("a relay is at it", self.server.cli("outbox", "drop", number, check=False).err)
        Sql(self.server)(f"update outbox set claimed_until = null where outbox_id = {number}")
        self.assertEqual(self.server.cli("outbox", "drop", number).out, f"dropped: {number}\n")
        self.assertNotIn(number, self.server.cli("outbox", "list").out)
        for words in ((number,), ("x",), ()):
            self.assertEqual(self.server.cli("outbox", "drop", *words, check=False).returncode, 1)


if __name__ == "__main__":
    unittest.main()
