"""Sending is one transaction: it happens once and whole, or not at all and the phone is told why."""
import http.client
import secrets
import threading
import unittest

from eas_base import BOB, RICH, VERSIONS, EasTest, Sql
from eas_client import Node, Phone
from harness import PASSWORD, Server, message, wait_for


def mail(subject, to=BOB, headers="", text="x"):
    return f"From: me@example.test\r\nTo: {to}\r\nSubject: {subject}\r\n{headers}\r\n{text}\r\n"


def smart(command, client_id, mime, *source, more=()):
    return Node(f"ComposeMail:{command}", Node("ComposeMail:ClientId", client_id), *more,
                Node("ComposeMail:Source", *source) if source else None,
                Node("ComposeMail:Mime", mime.encode()) if mime else None)


class Statuses(EasTest):
    settings = {"lmtp__size_max": 65536}

    def status(self, phone, node):
        answer = phone.post(node.tag.split(":")[1], node)
        self.assertEqual(answer.status, 200)
        return answer.root.get("ComposeMail:Status") if answer.body else "1"

    def raw(self, phone, mime, command="SendMail", **query):
        return phone.post(command, body=mime if isinstance(mime, bytes) else mime.encode(), query=query,
                          Content_Type="message/rfc822").status

    def test_by_version(self):
        """MS-ASCMD 2.2.2 from 14.0 on, HTTP before."""
        far = ", ".join(f"p{i}@elsewhere.invalid" for i in range(1001)).replace(", ", ",\r\n ")
        for name, mime, status, http in (
                ("no header", "just words\r\nand more\r\n", "107", 400), ("blank", "\r\n\r\n", "107", 400),
                ("nobody of ours", mail("s", to="nobody-here@example.test"), "116", 400),
                ("no recipient", "Subject: s\r\n\r\nx\r\n", "119", 400), ("too many", mail("s", to=far), "120", 500),
                ("too big", mail("s", text="y" * 65536), "122", 413), ("good", mail("s"), "1", 200)):
            for version in VERSIONS:
                phone = self.phone(version=version)
                with self.subTest(name, version=version):
                    if version < "14":
                        self.assertEqual(self.raw(phone, mime), http)
                    else:
                        self.assertEqual(self.status(phone, smart("SendMail", secrets.token_hex(8), mime)), status)
        self.assertEqual(self.raw(self.phone(version="12.1"), b"\x03\x01\x6a\x00\x00\x15\x45\x01"), 400, "WBXML came with 14.0")
        self.assertEqual(self.raw(self.phone(version="12.1"), b""), 400)

    def test_the_own_mailbox_is_full(self):
        """113 (12.1: 507): the copy does not fit, and nothing goes out; without a copy it does."""
        Sql(self.server)(f"update account set quota_bytes = 1 where account_id = (select account_id from directory where login = '{self.user}')")
        phone, subject = self.phone(), f"Full {EasTest.counter}"
        answer = phone.send(mail(subject), "f1")
        self.assertEqual(answer.root.get("ComposeMail:Status"), "113")
        self.assertEqual(self.raw(self.phone(version="12.1"), mail(subject), SaveInSent="T"), 507)
        self.assertEqual(self.found(subject), 0)
        self.assertEqual(phone.send(mail(subject), "f1", save=False).body, b"", "the ClientId is not used up")
        self.assertEqual(self.found(subject), 1)

    def test_the_store_is_in_trouble(self):
        """111 and 503: the phone tries again; the ClientId is not used up."""
        sql, phone, subject = Sql(self.server), self.phone(), f"Trouble {EasTest.counter}"
        sql("create function broken() returns trigger language plpgsql as $$ begin raise sqlstate '53200'; end $$;"
            " create trigger broken before insert on message for each row execute function broken()")
        try:
            self.assertEqual(self.status(phone, smart("SendMail", "t1", mail(subject))), "111")
            answer = self.phone(version="12.1").post("SendMail", body=mail(subject).encode(), Content_Type="message/rfc822")
            self.assertEqual((answer.status, answer.headers["Retry-After"] is not None), (503, True))
        finally:
            sql("drop trigger broken on message; drop function broken()")
        self.assertEqual(self.status(phone, smart("SendMail", "t1", mail(subject))), "1")
        self.assertEqual(self.found(subject), 1)

    def found(self, subject):
        return len(self.server.imap(BOB, PASSWORD, select="INBOX").search(None, "SUBJECT", f'"{subject}"')[1][0].split())

    def test_what_the_request_says(self):
        self.server.deliver(RICH, to=self.user)
        phone, inbox = self.primed()
        item = phone.item(inbox, "Rich")
        by_id = (Node("ComposeMail:FolderId", inbox), Node("ComposeMail:ItemId", item))
        by_long = (Node("ComposeMail:LongId", item),)
        words = mail("s")
        for name, node, status in (
                ("no ClientId", Node("ComposeMail:SendMail", Node("ComposeMail:Mime", words.encode())), "103"),
                ("no Mime", smart("SendMail", "a1", None), "103"),
                ("an account that is not ours", smart("SendMail", "a2", words, more=(Node("ComposeMail:AccountId", "7"),)), "166"),
                ("no Source", smart("SmartReply", "a3", words), "103"),
                ("both kinds of id", smart("SmartReply", "a4", words, *by_id, *by_long), "105"),
                ("a bad date", smart("SmartReply", "a5", words, *by_id, Node("ComposeMail:InstanceId", "tomorrow")), "104"),
                ("no series", smart("SmartReply", "a6", words, *by_id, Node("ComposeMail:InstanceId", "2026-11-27T10:00:00.000Z")), "146"),
                ("gone", smart("SmartForward", "a7", words, Node("ComposeMail:LongId", f"{inbox}:99")), "150"),
                ("gone, but replaced", smart("SmartForward", "a8", words, Node("ComposeMail:LongId", f"{inbox}:99"),
                                             more=(Node("ComposeMail:ReplaceMime"),)), "1"),
                ("by LongId", smart("SmartForward", "a9", words, *by_long), "1")):
            with self.subTest(name):
                self.assertEqual(self.status(phone, node), status)
        phone = self.phone(version="16.1")
        for name, address, mime, status in (("words and people", BOB, words, "178"), ("nobody's address", "bob", None, "179"),
                                            ("people", BOB, None, "1")):
            with self.subTest(name):
                more = (Node("ComposeMail:Forwardees", Node("ComposeMail:Forwardee", Node("ComposeMail:ForwardeeEmail", address))),
                        Node("AirSyncBase:Body", Node("AirSyncBase:Type", "1"), Node("AirSyncBase:Data", "Come too")))
                self.assertEqual(self.status(phone, smart("SmartForward", name, mime, *by_id, more=more)), status)
        self.assertEqual(self.found("FW: Rich"), 1)

    def test_last_verb_is_kept(self):
        self.server.deliver(RICH, to=self.user)
        phone, inbox = self.primed()
        item, sql = phone.item(inbox, "Rich"), Sql(self.server)
        for command, to, verb in (("SmartReply", BOB, "1"), ("SmartReply", f"{BOB}, far@elsewhere.invalid", "2"), ("SmartForward", BOB, "3")):
            phone.send(mail("s", to=to), f"v{verb}", command=command, source=(inbox, item))
            self.assertEqual(sql("select extra->'verb'->>'n' from placement where extra ? 'verb' and removed_at is null and"
                                 f" account_id = (select account_id from directory where login = '{self.user}')"), [verb])
        commands = phone.sync(inbox).find("AirSync:Commands").children
        self.assertEqual([command.tag for command in commands], ["AirSync:Change"])
        self.assertEqual(commands[0].get("AirSync:ApplicationData", "Email:Subject"), "Rich", "the whole item: a lesser Change cannot tell the verb")
        self.assertIn(b"\\Answered", self.imap().fetch("1", "(FLAGS)")[1][0])

    def test_one_person_gets_one_mail(self):
        subject = f"Twice named {EasTest.counter}"
        self.phone().send(mail(subject, to=f"{BOB}, bob+list@example.test, Bob@Example.Test, far@elsewhere.invalid, FAR@elsewhere.invalid"), "t1")
        self.assertEqual(self.found(subject), 1)
        self.assertEqual(Sql(self.server)("select recipients from outbox order by outbox_id desc limit 1"), ["{far@elsewhere.invalid}"])

    def test_the_same_octets_at_12_1(self):
        """There is no ClientId: what says when it was written is the same mail, what does not may be meant twice."""
        phone = self.phone(version="12.1")
        for headers, copies in (("Message-ID: <once@x>\r\n", 1), ("Date: Fri, 27 Nov 2026 10:00:00 +0000\r\n", 1), ("", 2)):
            subject = f"Again {len(headers)} {EasTest.counter}"
            for _ in range(2):
                self.assertEqual(self.raw(phone, mail(subject, headers=headers), SaveInSent="T"), 200)
            self.assertEqual(self.found(subject), copies, headers)

    def test_parallel_repeats(self):
        subject, bodies = f"Parallel {EasTest.counter}", []
        pending = [self.phone().start("SendMail", smart("SendMail", "same", mail(subject), more=(Node("ComposeMail:SaveInSentItems"),)))
                   for _ in range(8)]
        for one in pending:
            answer = one.answer()
            bodies.append(answer.root.get("ComposeMail:Status") if answer.body else "")
        self.assertEqual(sorted(bodies), [""] + ["118"] * 7)
        self.assertEqual(self.found(subject), 1)
        self.assertEqual(len(self.imap("Sent").search(None, "ALL")[1][0].split()), 1)


class Phones:
    """Phones that reply, each over and over, until they are told to stop or the server goes. What gets no answer, or one that
    asks for it, is sent again with the same ClientId."""

    def __init__(self, server, users, name):
        self.server, self.name, self.stopping, self.sent = server, name, threading.Event(), threading.Semaphore(0)
        self.meant, self.open_ones, self.wrong = [], {}, []
        self.threads = [threading.Thread(target=self.run, args=(user,), daemon=True) for user in users]
        for thread in self.threads:
            thread.start()

    def run(self, user):
        phone, count = Phone(self.server, login=user), 0
        try:
            while not self.stopping.is_set() or user in self.open_ones:
                if user not in self.open_ones:
                    count += 1
                    self.open_ones[user] = self.reply(user, f"{self.name}-{count}")
                if self.try_once(phone, user):
                    del self.open_ones[user]
                    self.sent.release()
        except (OSError, EOFError, http.client.HTTPException):
            pass  # killed: what is open stays open

    def reply(self, user, client_id):
        subject = f"{user} {client_id}"
        self.meant.append(subject)
        return smart("SmartReply", client_id, mail(subject, to=f"{BOB}, far@elsewhere.invalid"),
                     Node("ComposeMail:LongId", "1:1"), more=(Node("ComposeMail:SaveInSentItems"),))

    def try_once(self, phone, user):
        """Whether it has been sent."""
        answer = phone.post("SmartReply", self.open_ones[user])
        status = answer.root.get("ComposeMail:Status") if answer.body else ""
        if (answer.status, status) not in ((200, ""), (200, "118"), (200, "111"), (503, "")):
            self.wrong.append((answer.status, status))
        return answer.status == 200 and status in ("", "118")

    def wait_sent(self, count):
        for _ in range(count):
            if not self.sent.acquire(timeout=60):
                raise AssertionError(f"fewer than {count} were sent in time")

    def join(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            if thread.is_alive():
                raise AssertionError("a phone hangs")


class Trouble(unittest.TestCase):
    USERS = [f"s{n}@example.test" for n in range(4)]

    def check(self, server, *runs):
        def subjects(login, mailbox):
            imap = server.imap(login, PASSWORD, select=mailbox)
            found = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            imap.shutdown()
            return sorted(part[1].decode().split(":", 1)[1].strip() for part in found if isinstance(part, tuple))
        meant = sorted(subject for run in runs for subject in run.meant)
        self.assertEqual([run.wrong for run in runs], [[] for _ in runs])
        self.assertEqual(subjects(BOB, "INBOX"), meant, "each once")
        self.assertEqual(sorted(s for user in self.USERS for s in subjects(user, "Sent")), meant, "each once in Sent")
        self.assertEqual(Sql(server)("select count(*), count(distinct blob_id) from outbox"), [f"{len(meant)}|{len(meant)}"])

    def test_sigkill_neither_loses_nor_doubles(self):
        with Server(accounts=[*self.USERS, BOB]) as server:
            server.deliver(message("Question", to=self.USERS[0]), to=self.USERS)
            runs = []
            for number in range(3):
                runs.append(Phones(server, self.USERS, f"kill{number}"))
                runs[-1].wait_sent(20 + 15 * number)
                server.kill()
                runs[-1].join()
                server.start()
                for user in list(runs[-1].open_ones):
                    self.assertTrue(runs[-1].try_once(Phone(server, login=user), user))
            self.check(server, *runs)

    def test_lost_sessions_neither_lose_nor_double(self):
        """The database ends every session: whether a commit whose answer was lost took place, the ClientId tells."""
        with Server(store="url", accounts=[*self.USERS, BOB]) as server:
            server.deliver(message("Question", to=self.USERS[0]), to=self.USERS)
            phones, sql = Phones(server, self.USERS, "lost"), Sql(server, "postgres")
            for _ in range(8):
                phones.wait_sent(10)
                wait_for(lambda: sql("select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = "
                                     f"'{server.database}'") != ["0"], "sessions to be ended")
            phones.wait_sent(10)
            phones.join()
            self.assertEqual(phones.open_ones, {})
            self.check(server, phones)


if __name__ == "__main__":
    unittest.main()
