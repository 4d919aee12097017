"""LMTP against the real server: what it answers, and what is in the mailbox afterwards."""
import os
import re
import secrets
import socket
import subprocess
import threading
import unittest

from harness import LIMIT_S, Server, ServerTest, message, wait_for

ALICE, BOB = "alice@example.test", "bob@example.test"


class Lmtp:
    """The protocol line by line."""

    def __init__(self, server, hello=True):
        self.server = server
        self.sock = socket.create_connection(("127.0.0.1", server.ports["lmtp"]), timeout=LIMIT_S)
        self.file = self.sock.makefile("rb")
        self.greeting = self.reply()
        if hello:
            self.ask("LHLO client.example")

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """One reply, its lines joined: "250 2.1.0 ok"."""
        lines = []
        while True:
            line = self.file.readline().decode("utf-8")
            if not line.endswith("\r\n"):
                raise EOFError(f"the server closed the connection after {lines}")
            lines.append(line[:-2])
            if line[3:4] != "-":
                return "\n".join(lines)

    def ask(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def open_mail(self, *recipients, sender="sender@example.org", parameters=""):
        replies = [self.ask(f"MAIL FROM:<{sender}>{parameters}")]
        return replies + [self.ask(f"RCPT TO:<{recipient}>") for recipient in recipients]

    def data(self, octets, count=1):
        """octets: as they go over the wire, dots stuffed, without the end."""
        self.send("DATA\r\n")
        first = self.reply()
        if not first.startswith("354"):
            raise AssertionError(f"DATA was answered {first!r}")
        self.send(octets + b".\r\n")
        return [self.reply() for _ in range(count)]

    def at_end(self):
        return self.file.read(1) == b""

    def close(self):
        self.file.close()
        self.sock.close()


class LmtpTest(ServerTest):
    def lmtp(self, hello=True):
        client = Lmtp(self.server, hello)
        self.addCleanup(client.close)
        return client

    def account(self):
        login = f"u{secrets.token_hex(6)}@example.test"
        self.server.add_account(login)
        return login

    def mails(self, login):
        """Every message of INBOX, whole."""
        client = self.server.imap(login, select="INBOX")
        try:
            count = int(client.select("INBOX")[1][0])
            found = client.fetch(f"1:{count}", "(BODY.PEEK[])")[1] if count else []
            return [part[1] for part in found if isinstance(part, tuple)]
        finally:
            client.shutdown()

    def expect(self, reply, start):
        self.assertTrue(reply.startswith(start), f"{reply!r} is not {start!r}")


def without_prefix(mail):
    """The message as it was sent: without the lines that the server put in front."""
    found = re.match(rb"Return-Path: [^\r]*\r\nDelivered-To: [^\r]*\r\nReceived: [^\r]*\r\n(\t[^\r]*\r\n)*", mail)
    if not found:
        raise AssertionError(f"no prefix lines in {mail[:300]!r}")
    return mail[found.end():]


class Commands(LmtpTest):
    def test_greeting_and_capabilities(self):
        client = self.lmtp(hello=False)
        self.expect(client.greeting, "220 mail.example.test LMTP")
        lines = client.ask("LHLO client.example").split("\n")
        self.assertEqual(lines[0], "250-mail.example.test")
        words = {line[4:] for line in lines[1:]}
        self.assertEqual(words, {"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "STARTTLS",
                                 f"SIZE {64 * 1024 * 1024}"})

    def test_answers(self):
        rows = [
            ("HELO is not LMTP", ["HELO x"], "500"),
            ("EHLO is not LMTP", ["EHLO x"], "500"),
            ("LHLO without a name", ["LHLO"], "501"),
            ("unknown command", ["HELP"], "500 5.5.2"),
            ("MAIL before LHLO", ["!MAIL FROM:<a@b>"], "503 5.5.1"),
            ("RCPT before MAIL", [f"RCPT TO:<{ALICE}>"], "503 5.5.1"),
            ("DATA before MAIL", ["DATA"], "503 5.5.1"),
            ("MAIL twice", ["MAIL FROM:<a@b>", "MAIL FROM:<a@b>"], "503 5.5.1"),
            ("MAIL after RSET", ["MAIL FROM:<a@b>", "RSET", "MAIL FROM:<a@b>"], "250 2.1.0"),
            ("LHLO forgets the mail", ["MAIL FROM:<a@b>", "LHLO x", "MAIL FROM:<a@b>"], "250 2.1.0"),
            ("null sender", ["MAIL FROM:<>"], "250 2.1.0"),
            ("too big by its SIZE", ["MAIL FROM:<a@b> SIZE=99999999999"], "552 5.3.4"),
            ("unknown parameter", ["MAIL FROM:<a@b> FOO=BAR"], "555 5.5.4"),
            ("no such user", ["MAIL FROM:<a@b>", "RCPT TO:<nobody@example.test>"], "550 5.1.1"),
            ("no such domain", ["MAIL FROM:<a@b>", "RCPT TO:<alice@elsewhere.test>"], "550 5.1.1"),
            ("no domain", ["MAIL FROM:<a@b>", "RCPT TO:<alice>"], "550 5.1.1"),
            ("a user", ["MAIL FROM:<a@b>", f"RCPT TO:<{ALICE}>"], "250 2.1.5"),
            ("in capitals", ["MAIL FROM:<a@b>", "RCPT TO:<ALICE@Example.TEST>"], "250 2.1.5"),
            ("subaddress", ["MAIL FROM:<a@b>", "RCPT TO:<alice+lists@example.test>"], "250 2.1.5"),
            ("subaddress of nobody", ["MAIL FROM:<a@b>", "RCPT TO:<nobody+x@example.test>"], "550 5.1.1"),
            ("quoted", ["MAIL FROM:<a@b>", 'RCPT TO:<"alice"@example.test>'], "250 2.1.5"),
            ("source route", ["MAIL FROM:<a@b>", f"RCPT TO:<@relay.test:{ALICE}>"], "250 2.1.5"),
            ("DATA without a good recipient", ["MAIL FROM:<a@b>", "RCPT TO:<nobody@example.test>", "DATA"], "503 5.5.1"),
            ("8-bit address without SMTPUTF8", ["MAIL FROM:<jö@b>"], "553 5.6.7"),
            ("8-bit address with it", ["MAIL FROM:<jö@b> SMTPUTF8"], "250 2.1.0"),
            ("NOOP", ["NOOP"], "250 2.0.0"),
            ("VRFY", ["VRFY alice"], "252"),
            ("QUIT", ["QUIT"], "221 2.0.0"),
        ]
        for name, lines, last in rows:
            with self.subTest(name):
                client = self.lmtp(hello=not lines[0].startswith("!"))
                replies = [client.ask(line.lstrip("!")) for line in lines]
                self.expect(replies[-1], last)

    def test_nothing_is_answered_behind_quit(self):
        client = self.lmtp()
        client.send("QUIT\r\nNOOP\r\nNOOP\r\n")
        self.expect(client.reply(), "221")
        self.assertTrue(client.at_end())

    def test_too_many_bad_commands(self):
        client = self.lmtp()
        client.send("BAD\r\n" * 40)
        replies = [client.reply() for _ in range(21)]
        self.expect(replies[19], "500")
        self.expect(replies[20], "421 4.7.0")
        self.assertTrue(client.at_end())

    def test_line_without_an_end(self):
        client = self.lmtp()
        client.send("NOOP " + "x" * 5000)
        self.expect(client.reply(), "500 5.5.6")
        self.assertTrue(client.at_end())

    def test_starttls(self):
        client = self.lmtp()
        # What comes in the same packet was not protected: it is dropped (RFC 3207 6).
        client.send("STARTTLS\r\nNOOP injected\r\n")
        self.expect(client.reply(), "220")
        client.sock = self.server.tls_context().wrap_socket(client.sock, server_hostname="localhost")
        client.file = client.sock.makefile("rb")
        self.expect(client.ask("MAIL FROM:<a@b>"), "503 5.5.1")
        self.assertNotIn("STARTTLS", client.ask("LHLO x"))
        login = self.account()
        client.open_mail(login)
        self.expect(client.data(b"Subject: tls\r\n\r\nx\r\n")[0], "250")
        self.assertIn(b" with LMTPS ", self.mails(login)[0])


class Messages(LmtpTest):
    def test_octets_and_prefix(self):
        login = self.account()
        octets = message(subject="Prefix")
        client = self.lmtp()
        client.open_mail(login, sender="return@example.org")
        self.expect(client.data(octets)[0], "250 2.")
        (mail,) = self.mails(login)
        self.assertEqual(without_prefix(mail), octets)
        self.assertTrue(mail.startswith(b"Return-Path: <return@example.org>\r\nDelivered-To: %s\r\nReceived: from client.example "
                                        % login.encode()), mail[:200])
        self.assertIn(b"by mail.example.test", mail)
        self.server.log.wait(rf" delivery .*recipient={re.escape(login)} .*result=ok")

    def test_what_is_sent_and_what_is_kept(self):
        rows = [
            ("stuffed dots", b"A: b\r\n\r\n..\r\n..x\r\ny.\r\n", b"A: b\r\n\r\n.\r\n.x\r\ny.\r\n"),
            ("bare LF", b"A: b\n\nx\ny\r\n", b"A: b\r\n\r\nx\r\ny\r\n"),
            ("bare CR", b"A: b\r\n\r\nx\ry\r\n", b"A: b\r\n\r\nx\r\ny\r\n"),
            ("smuggled end LF.CRLF", b"A: b\r\n\r\nx\n.\r\nMAIL FROM:<evil@x>\r\n", b"A: b\r\n\r\nx\r\n.\r\nMAIL FROM:<evil@x>\r\n"),
            ("smuggled end LF.LF", b"A: b\r\n\r\nx\n.\nMAIL FROM:<evil@x>\r\n", b"A: b\r\n\r\nx\r\n.\r\nMAIL FROM:<evil@x>\r\n"),
            ("smuggled end CR.CR", b"A: b\r\n\r\nx\r.\rMAIL FROM:<evil@x>\r\n", b"A: b\r\n\r\nx\r\n.\r\nMAIL FROM:<evil@x>\r\n"),
            ("8 bits and NUL", b"A: \xe9\r\n\r\n\xff\xfe\x00z\r\n", b"A: \xe9\r\n\r\n\xff\xfe\x00z\r\n"),
            ("a very long line", b"A: b\r\n\r\n" + b"x" * 100000 + b"\r\n", b"A: b\r\n\r\n" + b"x" * 100000 + b"\r\n"),
            ("nothing", b"", b""),
            ("no header", b"\r\nx\r\n", b"\r\nx\r\n"),
        ]
        for name, sent, kept in rows:
            with self.subTest(name):
                login = self.account()
                client = self.lmtp()
                client.open_mail(login)
                self.expect(client.data(sent)[0], "250")
                self.expect(client.ask("NOOP"), "250 2.0.0")
                self.assertEqual([without_prefix(mail) for mail in self.mails(login)], [kept])

    def test_a_reply_for_each_recipient_in_order(self):
        one, two = self.account(), self.account()
        client = self.lmtp()
        replies = client.open_mail(one, "nobody@example.test", two, one.replace("@", "+tag@"))
        self.assertEqual([reply[:3] for reply in replies], ["250", "250", "550", "250", "250"])
        self.assertEqual([reply[:3] for reply in client.data(message(), 3)], ["250", "250", "250"])
        self.expect(client.ask("NOOP"), "250 2.0.0")
        self.assertEqual(len(self.mails(two)), 1)
        first, second = self.mails(one)
        self.assertIn(b"Delivered-To: %s\r\n" % one.encode(), first)
        self.assertIn(b"+tag@", second.split(b"\r\n")[1])

    def test_pipelined_in_one_packet_and_octet_by_octet(self):
        login = self.account()
        octets = message(subject="pipelined")
        session = (f"MAIL FROM:<a@b>\r\nRCPT TO:<{login}>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\n".encode() + octets +
                   b".\r\nRSET\r\n")
        want = ["250", "250", "550", "354", "250", "250"]
        client = self.lmtp()
        client.send(session)
        self.assertEqual([client.reply()[:3] for _ in want], want)
        slow = self.lmtp()
        for i in range(len(session)):
            slow.send(session[i:i + 1])
        self.assertEqual([slow.reply()[:3] for _ in want], want)
        self.assertEqual([without_prefix(mail) for mail in self.mails(login)], [octets, octets])

    def test_big_messages_pass_by_a_spool_file(self):
        login = self.account()
        octets = message(text="".join(f"line {i} {'x' * 60}\r\n" for i in range(80000)))
        self.assertGreater(len(octets), 5 << 20)
        client = self.lmtp()
        client.open_mail(login, BOB)
        self.assertEqual([reply[:3] for reply in client.data(octets, 2)], ["250", "250"])
        self.assertEqual([without_prefix(mail) for mail in self.mails(login)], [octets])
        self.assertEqual(os.listdir(os.path.join(self.server.data, "spool")), [])

    def test_hang_up_before_the_end_delivers_nothing(self):
        login = self.account()
        client = self.lmtp()
        client.open_mail(login)
        client.ask("DATA")
        client.send(message())
        client.close()
        self.server.deliver(message(subject="after"), login)
        (mail,) = self.mails(login)
        self.assertIn(b"Subject: after", mail)

    def test_many_clients_at_once(self):
        logins = [self.account() for _ in range(4)]
        failures = []

        def deliver(number):
            try:
                client = Lmtp(self.server)
                for i in range(20):
                    # Both orders of the same two accounts, so that locks are asked for in both.
                    pair = (logins[i % 4], logins[(i + 1 + number) % 4])
                    client.open_mail(*pair)
                    replies = client.data(message(subject=f"n{number}-{i}"), 2)
                    if [reply[:3] for reply in replies] != ["250", "250"]:
                        failures.append(replies)
                client.close()
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=deliver, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        self.assertEqual(failures, [])
        subjects = []
        for login in logins:
            subjects += [re.search(rb"Subject: (\S+)", mail).group(1) for mail in self.mails(login)]
        self.assertEqual(sorted(subjects), sorted(b"n%d-%d" % (n, i) for n in range(8) for i in range(20) for _ in range(2)))


class Limits(LmtpTest):
    settings = {"lmtp__size_max": "100K", "lmtp__recipients_max": 3, "lmtp__timeout_s": 2}

    def test_too_big_while_reading(self):
        login = self.account()
        client = self.lmtp()
        client.open_mail(login, BOB)
        replies = client.data(message(text="x" * 70 + "\r\n") + b"y" * (3 << 20) + b"\r\n", 2)
        for reply in replies:
            self.expect(reply, "552 5.3.4")
        client.open_mail(login)
        self.expect(client.data(message())[0], "250")
        self.assertEqual(len(self.mails(login)), 1)

    def test_size_as_the_limit_and_one_more(self):
        for size, want in ((100 * 1024, "250"), (100 * 1024 + 1, "552 5.3.4")):
            with self.subTest(size):
                client = self.lmtp()
                client.open_mail(ALICE)
                head = b"A: b\r\n\r\n"
                self.expect(client.data(head + b"x" * (size - len(head) - 2) + b"\r\n")[0], want)

    def test_too_many_recipients(self):
        client = self.lmtp()
        replies = client.open_mail(ALICE, BOB, ALICE, BOB)
        self.assertEqual([reply[:9] for reply in replies[3:]], ["250 2.1.5", "452 4.5.3"])
        self.assertEqual([reply[:3] for reply in client.data(message(), 3)], ["250"] * 3)

    def test_idle_clients_are_sent_away(self):
        client = self.lmtp()
        self.expect(client.reply(), "421 4.4.2")
        self.assertTrue(client.at_end())


class Stop(unittest.TestCase):
    def test_clients_without_a_whole_message_are_sent_away(self):
        with Server() as server:
            idle, busy = Lmtp(server), Lmtp(server)
            busy.open_mail(ALICE)
            busy.send("DATA\r\n")
            busy.reply()
            self.assertTrue(idle.ask("NOOP").startswith("250"))
            self.assertEqual(server.stop(), 0)
            self.assertTrue(idle.reply().startswith("421 4.3.2"))
            self.assertTrue(busy.reply().startswith("421 4.3.2"))
            self.assertTrue(idle.at_end() and busy.at_end())
            idle.close()
            busy.close()


class Store(unittest.TestCase):
    """On a database of its own, so that it can be taken away."""

    def sql(self, text, database="postgres"):
        # The admin URL is a list of "key=value" words; the last dbname wins.
        return subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", os.environ["GODWIT_TEST_ADMIN_URL"] + " dbname=" + database,
                               "-c", text], check=True, capture_output=True).stdout.decode().strip()

    def lock(self, server, login):
        """Holds the account's row until the process that is returned gets "commit"."""
        psql = subprocess.Popen(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d",
                                 os.environ["GODWIT_TEST_ADMIN_URL"] + " dbname=" + server.database],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(psql.communicate)
        psql.stdin.write(f"begin; select 'locked' from account where account_id = (select account_id from directory "
                         f"where login = '{login}') for update;\n".encode())
        psql.stdin.flush()
        self.assertEqual(psql.stdout.readline(), b"locked\n")
        return psql

    def release(self, psql):
        psql.stdin.write(b"commit;\n")
        psql.stdin.flush()

    def test_one_busy_account_holds_up_nobody_else(self):
        with Server(store="url") as server:
            lock = self.lock(server, ALICE)
            waiting = []
            for number in range(6):
                client = Lmtp(server)
                client.open_mail(ALICE)
                client.send(b"DATA\r\n")
                client.reply()
                client.send(message(subject=f"busy{number}") + b".\r\n")
                waiting.append(client)
            for number in range(5):
                server.deliver(message(subject=f"free{number}"), BOB)
            self.release(lock)
            for client in waiting:
                self.assertTrue(client.reply().startswith("250"))
                client.close()
            imap = server.imap(ALICE, select="INBOX")
            self.assertEqual(len([part for part in imap.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(part, tuple)]), 6)

    def test_a_delivery_in_flight_is_finished_before_the_stop(self):
        with Server(store="url") as server:
            lock = self.lock(server, ALICE)
            client = Lmtp(server)
            client.open_mail(ALICE)
            client.send(b"DATA\r\n")
            client.reply()
            client.send(message(subject="in flight") + b".\r\n")
            wait_for(lambda: self.sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = "
                                      f"'{server.database}'") == "1", "the delivery to wait for the lock")
            server.process.terminate()
            server.log.wait(r" stopping")
            self.release(lock)
            self.assertTrue(client.reply().startswith("250"))
            self.assertTrue(client.reply().startswith("421 4.3.2"))
            client.close()
            server.process.wait(LIMIT_S)  # a second signal would end it at once
            self.assertEqual(server.stop(), 0)
            server.start()
            imap = server.imap(ALICE, select="INBOX")
            self.assertIn(b"in flight", imap.fetch("1", "(BODY.PEEK[HEADER])")[1][0][1])

    def test_over_quota(self):
        with Server(store="url") as server:
            self.sql("update account set quota_bytes = 3000", server.database)
            client = Lmtp(server)
            client.open_mail(ALICE, BOB)
            self.assertEqual([reply[:3] for reply in client.data(message(text="x" * 2000 + "\r\n"), 2)], ["250", "250"])
            client.open_mail(ALICE)
            self.assertTrue(client.data(message(text="y" * 2000 + "\r\n"))[0].startswith("552 5.2.2"))
            client.close()

    def test_database_trouble_is_temporary(self):
        with Server(store="url") as server:
            client = Lmtp(server)
            client.open_mail(ALICE)
            gone = (f"alter database {server.database} with allow_connections false;",
                    f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{server.database}'")
            for text in gone:
                self.sql(text)
            self.assertTrue(client.data(message())[0].startswith("451 4.3.0"))
            self.assertTrue(client.open_mail(BOB)[1].startswith("451 4.3.0"))
            self.sql(f"alter database {server.database} with allow_connections true")

            def delivered():
                client.ask("RSET")
                if not client.open_mail(ALICE)[1].startswith("250"):
                    return False
                return client.data(message(subject="later"))[0].startswith("250")

            wait_for(delivered, "a delivery after the database came back")
            client.close()
            imap = server.imap(ALICE, select="INBOX")
            found = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            self.assertEqual([part[1].strip() for part in found if isinstance(part, tuple)], [b"Subject: later"])


if __name__ == "__main__":
    unittest.main()
