"""What parked requests cost and survive: workers, connections, vanished clients, the stop, other processes, lost events."""
import os
import signal
import socket
import struct
import threading

from eas_base import BOB, EasTest, Sql, wait_lines
from eas_client import Phone
from harness import PASSWORD, message, wait_for

BACKENDS = ("select pid, state, xact_start is null from pg_stat_activity where application_name like 'godwit%'"
            " and datname = current_database() order by 1")
# The latest statement of each connection, but the one that writes once a minute when phones were last seen.
STATEMENTS = ("select pid, state_change, query from pg_stat_activity where application_name like 'godwit%'"
              " and query not like '%last_seen%' and datname = current_database()")


class Parked(EasTest):
    """Far more parked requests than workers and connections."""
    COUNT = 300
    settings = {"log__level": "debug", "server__workers": 1, "eas__devices_max": 1000}

    def test_parked_pings_hold_no_worker_and_no_connection(self):
        self.deliver("before")
        phone, inbox = self.primed()
        sql = Sql(self.server)
        before = sql(BACKENDS)
        self.assertTrue(before)
        lines = len(self.server.log.lines)
        parked = []
        for i in range(self.COUNT):
            other = Phone(self.server, login=self.user, device=f"D{i}", tls=i % 10 == 0)
            parked.append(other.ping(600, inbox) if i % 3 else other.start("Ping", other.ping_request(600, inbox)))
        wait_lines(self.server.log, " eas_waiting ", self.COUNT, lines)
        self.assertEqual(self.server.log.text().count(" ready "), 1)
        now = sql(BACKENDS)
        self.assertEqual([row.split("|")[0] for row in now], [row.split("|")[0] for row in before], "no connection more")
        for row in now:
            self.assertEqual(row.split("|")[1:3], ["idle", "t"], "no connection is in a transaction")
        # The one worker serves everybody else meanwhile.
        self.assertEqual(self.phone(device="OTHER").folder_sync().get("FolderHierarchy:Status"), "1")
        self.assertEqual(self.imap().search(None, "ALL")[1], [b"1"])
        self.assertFalse(any(pending.has_answer() for i, pending in enumerate(parked) if i % 10))  # TLS has tickets to read
        self.deliver("news")
        for pending in parked:
            self.assertEqual(pending.answer().root.get("Ping:Status"), "2")
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["before", "news"])

    def test_hanging_syncs_hold_none_either(self):
        phones = [self.primed(device=f"S{i}") for i in range(20)]
        sql = Sql(self.server)
        before = sql(BACKENDS)
        lines = len(self.server.log.lines)
        parked = [(phone, inbox, phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=600)))
                  for phone, inbox in phones]
        wait_lines(self.server.log, " eas_waiting ", len(phones), lines)
        for row in sql(BACKENDS):
            self.assertEqual(row.split("|")[1:3], ["idle", "t"])
        self.assertEqual(len(sql(BACKENDS)), len(before))
        self.deliver("for all")
        for phone, inbox, pending in parked:
            phone.take(pending.answer().root)
            self.assertEqual(phone.subjects(inbox), ["for all"])


class Vanishing(EasTest):
    settings = {"log__level": "debug", "server__workers": 1}  # one connection: the descriptors can be counted

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def vanish(self, kind, tls, reset):
        phone, inbox = self.primed(device=f"V{kind}{tls:d}{reset:d}", tls=tls)
        before = self.descriptors()
        start = phone.ping(600, inbox) if kind == "Ping" else phone.start(
            "Sync", phone.sync_request(phone.collection(inbox), heartbeat=600))
        self.server.log.wait(r" eas_waiting .*kind=" + kind, self.lines)
        self.lines = len(self.server.log.lines)
        sock = start.connection.sock
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        start.connection.close()
        self.server.log.wait(r" http_parked_client_gone ", self.lines)
        wait_for(lambda: self.descriptors() <= before, "the descriptor to be closed")
        self.lines = len(self.server.log.lines)
        return phone, inbox

    def test_fin_and_rst_free_the_wait_plain_and_tls(self):
        self.lines = len(self.server.log.lines)
        for kind in ("Ping", "Sync"):
            for tls in (False, True):
                for reset in (False, True):
                    with self.subTest(kind=kind, tls=tls, reset=reset):
                        self.vanish(kind, tls, reset)

    def test_what_comes_while_a_phone_is_gone_is_told_when_it_is_back(self):
        self.lines = len(self.server.log.lines)
        phone, inbox = self.vanish("Sync", False, True)
        self.deliver("meanwhile")
        pending = phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=600))
        phone.take(pending.answer().root)
        self.assertEqual(phone.subjects(inbox), ["meanwhile"])


class Stopping(EasTest):
    settings = {"log__level": "debug"}

    def test_a_stop_sends_parked_requests_away_and_loses_nothing(self):
        """Hard case 31, and: what was accepted is there after the start."""
        count = 40
        phones = [self.primed(device=f"P{i}", tls=i % 4 == 0) for i in range(count)]
        lines = len(self.server.log.lines)
        parked = []
        for i, (phone, inbox) in enumerate(phones):
            parked.append(phone.start("Sync", phone.sync_request(phone.collection(inbox), heartbeat=600)) if i % 5 == 0
                          else phone.ping(600, inbox))
        wait_lines(self.server.log, " eas_waiting ", count, lines)
        accepted, started = [], threading.Event()

        def send_until_the_door_is_shut(kind):
            for i in range(10000):
                subject = f"{kind} {EasTest.counter} {i}"
                try:
                    if kind == "send":
                        answer = Phone(self.server, login=self.user, device="SENDER").send(
                            f"To: {BOB}\r\nSubject: {subject}\r\n\r\nx\r\n", subject)
                        good = answer.status == 200 and answer.body == b""
                    else:
                        self.server.deliver(message(subject, to=BOB), to=BOB)
                        good = True
                except Exception:  # refused, closed: it was not accepted
                    return
                if not good:
                    return
                accepted.append(subject)
                if i == 3:
                    started.set()

        senders = [threading.Thread(target=send_until_the_door_is_shut, args=(kind,)) for kind in ("send", "lmtp")]
        for sender in senders:
            sender.start()
        self.assertTrue(started.wait(60))
        self.server.process.send_signal(signal.SIGTERM)
        after = []
        for pending in parked:
            answer = pending.answer()
            self.assertEqual(answer.status, 503)
            after.append(int(answer.headers["Retry-After"]))
        self.assertTrue(all(1 <= seconds <= 60 for seconds in after), after)
        self.assertGreater(len(set(after)), count // 3, "spread over a minute")
        self.assertGreater(max(after) - min(after), 30, "spread over a minute")
        for sender in senders:
            sender.join()
        self.assertEqual(self.server.stop(0), 0)
        self.server.start()
        got = [data.decode() for data in self.subjects_of(BOB)]
        for subject in accepted:
            self.assertEqual(got.count(subject), 1, f"{subject}: accepted, so it is there, once")
        phone, inbox = phones[1]
        self.deliver("after the start")
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["after the start"], "the key of before still counts")

    def subjects_of(self, login):
        desktop = self.server.imap(login, PASSWORD, select="INBOX")
        rows = desktop.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        return [row[1].strip()[len("Subject: "):] for row in rows if isinstance(row, tuple)]


SEEN_BIT, INBOX = 1, 1  # FLAG_SEEN, ROLE_INBOX
SEEN = """
select count(*) from directory d join mailbox b using (account_id),
 store_flags_1(b.account_id, b.mailbox_id, '{{[1,2)}}', 0, {bit}, '{{}}', true, -1, 0)
 where d.login = '{login}' and b.role = {role}
"""


def silent_change(sql, login):
    """Another process marks the first mail of the Inbox read, and nobody hears of it."""
    if sql(SEEN.format(login=login, bit=SEEN_BIT, role=INBOX)) != ["1"]:
        raise AssertionError("nothing was changed")


class Recheck(EasTest):
    """push.recheck_s = 0 must really switch the look at the clocks off, or no other test here proves that events arrive. The
    account is not packed for searching meanwhile: that is a statement of its own, some time after the last mail."""
    settings = {"log__level": "debug", "search__quiet_ms": "3600000"}

    def test_nothing_polls(self):
        self.deliver("unread")
        phone, inbox = self.primed()
        sql = Sql(self.server)
        pending = self.waits(phone.ping, 3, inbox)
        before = sql(STATEMENTS)
        silent_change(sql, self.user)
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1", "nobody told, nobody looked")
        after = sql(STATEMENTS)
        self.assertTrue(after)
        self.assertLessEqual(set(after), set(before), "no connection of the server ran a statement while the phone waited")
        self.assertEqual(phone.ping(600, inbox).answer().root.get("Ping:Status"), "2", "the change was there")


class RecheckOn(EasTest):
    settings = {"log__level": "debug", "push__recheck_s": 1}

    def test_the_recheck_finds_a_lost_event(self):
        self.deliver("unread")
        phone, inbox = self.primed()
        sql = Sql(self.server)
        pending = self.waits(phone.ping, 600, inbox)
        silent_change(sql, self.user)
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")


class OtherProcesses(EasTest):
    settings = {"log__level": "debug"}

    def test_a_restore_by_the_command_line_wakes_ping_and_hanging_sync(self):
        """Hard case 13a: by NOTIFY, the recheck is off."""
        self.deliver("lost and found")
        ping, inbox = self.primed(device="PING")
        sync, _ = self.primed(device="SYNC")
        desktop = self.imap()
        desktop.store("1", "+FLAGS", "(\\Deleted)")
        desktop.expunge()
        for phone in (ping, sync):
            phone.sync(inbox)
            self.assertEqual(phone.items[inbox], {})
        waiting = self.waits(ping.ping, 600, inbox)
        hanging = self.waits(sync.start, "Sync", sync.sync_request(sync.collection(inbox), heartbeat=600))
        ids = self.server.cli("deleted", "list", self.user, "--ids").out.split()
        self.server.cli("deleted", "restore", self.user, *ids)
        self.assertEqual(waiting.answer().root.get("Ping:Status"), "2")
        sync.take(hanging.answer().root)
        self.assertEqual(sync.subjects(inbox), ["lost and found"])
        ping.sync(inbox)
        self.assertEqual(ping.subjects(inbox), ["lost and found"])

    def test_a_new_password_ends_waits_and_the_kept_login(self):
        """Hard case 13b."""
        phone, inbox = self.primed()
        pending = self.waits(phone.ping, 600, inbox)
        self.server.cli("account", "password", self.user, "--password-stdin", stdin="another\n")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1")
        self.assertEqual(phone.post("Ping").status, 401)
        phone.password = "another"
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")

    def test_a_blocked_phone_stops_waiting(self):
        phone, inbox = self.primed(device="BLOCKME")
        pending = self.waits(phone.ping, 600, inbox)
        self.server.cli("device", "block", self.user, "BLOCKME")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1")
        self.assertEqual(phone.post("Ping").root.get("Ping:Status"), "129")
        phone.version = "12.1"
        self.assertEqual(phone.post("Ping").status, 403)


class Cut(EasTest):
    """One worker, so that the server needs no other connection while none is let in."""
    settings = {"log__level": "debug", "server__workers": 1}

    def cut(self):
        """Ends the listening connection and keeps it from coming back; returns how to let it in again."""
        sql, admin = Sql(self.server), Sql(self.server, "postgres")
        name = sql("select current_database()")[0]
        self.assertEqual(len(sql("select 1 from pg_stat_activity where application_name = 'godwit-listen' and datname = current_database()")), 1)
        self.addCleanup(admin, f"alter database {name} with allow_connections true")
        admin(f"alter database {name} with allow_connections false")
        lines = len(self.server.log.lines)
        sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'godwit-listen'"
            " and datname = current_database()")
        self.server.log.wait(r" hub.database .*connection=godwit-listen", lines)
        return sql, lambda: admin(f"alter database {name} with allow_connections true")


class LostListener(Cut):
    """The connection that LISTENs is lost and cannot come back while others go on changing things."""

    def test_what_happened_meanwhile_is_told_after_the_reconnect(self):
        self.deliver("unread")
        ping, inbox = self.primed(device="PING")
        sync, _ = self.primed(device="SYNC")
        desktop = self.server.raw_imap(self.user)
        desktop.ok("SELECT INBOX")
        desktop.idle()
        waiting = self.waits(ping.ping, 600, inbox)
        hanging = self.waits(sync.start, "Sync", sync.sync_request(sync.collection(inbox), heartbeat=600))
        sql, let_in = self.cut()
        silent_change(sql, self.user)
        let_in()
        self.assertEqual(waiting.answer().root.get("Ping:Status"), "2")
        sync.take(hanging.answer().root)
        self.assertEqual(sync.items[inbox][sync.item(inbox, "unread")].get("Email:Read"), "1")
        self.assertIn(b"\\Seen", desktop.idle_wait(rb"FETCH"))
        desktop.done()
        # And events arrive again.
        pending = self.waits(sync.ping, 600, inbox)
        self.deliver("later")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "2")

    def test_a_new_password_meanwhile_ends_waits_sessions_and_the_kept_login(self):
        phone, inbox = self.primed()
        pending = self.waits(phone.ping, 600, inbox)
        desktop = self.server.raw_imap(self.user)
        desktop.ok("SELECT INBOX")
        desktop.idle()
        sql, let_in = self.cut()
        sql(f"update directory set auth_version = auth_version + 1, password_hash = '*' where login = '{self.user}'")
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1", "nobody has told: the kept login counts")
        self.assertFalse(pending.has_answer())
        let_in()
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1")
        self.assertEqual(phone.post("Ping").status, 401)
        with self.assertRaises(EOFError):
            while True:
                desktop.line()

    def test_what_is_kept_of_accounts_that_nobody_watches_is_not_trusted_after_it(self):
        self.deliver("unread")
        desktop = self.imap()
        self.assertNotIn(b"\\Seen", desktop.fetch("1", "(FLAGS)")[1][0])
        desktop.logout()
        sql, let_in = self.cut()
        lines = len(self.server.log.lines)
        silent_change(sql, self.user)
        let_in()
        self.server.log.wait(r" hub.listening ", lines)
        self.assertIn(b"\\Seen", self.imap().fetch("1", "(FLAGS)")[1][0])


class LostDatabase(Cut):
    """All of its connections are lost, and none comes back for a while."""

    def cut(self):
        sql, let_in = super().cut()
        sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'godwit%'"
            " and datname = current_database()")
        return sql, let_in

    def test_trouble_of_our_own_costs_nobody_anything(self):
        """Traps 9, 10 and 11: trouble of our own is 503 with Retry-After, never 401, 500 or a lost state."""
        phone, inbox = self.primed()
        waiting = self.waits(phone.ping, 600, inbox)
        other, stranger = self.phone(device="OTHER"), self.phone(device="STRANGER")
        stranger.password = "not known yet"
        sql, let_in = self.cut()
        for version in ("12.1", "14.1", "16.1"):
            for who in (other, stranger):
                who.version = version
                for command in ("Sync", "FolderSync", "SendMail"):
                    answer = who.post(command, body=b"\x03\x01\x6a\x00\x05")
                    self.assertEqual(answer.status, 503, (version, command))
                    self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertFalse(waiting.has_answer(), "who waits goes on waiting")
        let_in()
        self.deliver("after it")
        self.assertEqual(waiting.answer().root.get("Ping:Status"), "2")
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["after it"], "the state is as it was")
