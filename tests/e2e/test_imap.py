"""IMAP by real clients and line by line: what they see, and what the session may tell when."""
import imaplib
import os
import re
import subprocess
import tempfile

from eas_base import Sql
from harness import LIMIT_S, PASSWORD, Certificate, ServerTest, message

ALICE = "alice@example.test"


class Imap(ServerTest):
    counter = 0

    def setUp(self):
        Imap.counter += 1
        self.user = f"imap{Imap.counter}@example.test"
        self.server.add_account(self.user)

    def deliver(self, *subjects, **more):
        for subject in subjects:
            self.server.deliver(message(subject, to=self.user, **more), to=self.user)

    def imap(self, select="INBOX", **more):
        return self.server.imap(self.user, PASSWORD, select=select, **more)

    def raw(self, select=True):
        client = self.server.raw_imap(self.user)
        if select:
            client.ok("SELECT INBOX")
        return client

    def test_login_refusals(self):
        client = self.server.imap(login=None)
        with self.assertRaises(imaplib.IMAP4.error) as caught:
            client.login(self.user, "wrong")
        self.assertIn("AUTHENTICATIONFAILED", str(caught.exception))
        client = self.server.raw_imap(login=None)
        self.assertIn(b"BAD", client.command("SELECT INBOX")[1])
        self.assertIn(b"BAD", client.command("NONSENSE")[1])
        self.assertIn(b"OK", client.command(f'LOGIN {self.user} "{PASSWORD}"')[1])

    def test_starttls_and_authenticate(self):
        client = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"], timeout=LIMIT_S)
        client.starttls(self.server.tls_context())
        client.authenticate("PLAIN", lambda _: f"\0{self.user}\0{PASSWORD}".encode())
        self.assertEqual(client.select()[0], "OK")
        client.logout()
        client = self.imap(tls=True)
        self.assertNotIn("STARTTLS", client.capabilities)
        client.logout()

    def test_fetch_gives_the_octets(self):
        text = "Line one.\r\n.dotted\r\n" + "x" * 5000 + "\r\n"
        self.deliver("Bytes", text=text)
        client = self.imap()
        whole = client.fetch("1", "(BODY.PEEK[])")[1][0][1]
        self.assertTrue(whole.endswith(text.encode()))
        self.assertEqual(client.fetch("1", "(BODY.PEEK[TEXT])")[1][0][1], text.encode())
        self.assertEqual(client.fetch("1", "(BODY.PEEK[TEXT]<6.5>)")[1][0][1], text.encode()[6:11])
        self.assertEqual(client.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1], b"Subject: Bytes\r\n\r\n")
        self.assertIn(b"RFC822.SIZE %d" % len(whole), client.fetch("1", "(RFC822.SIZE)")[1][0])
        self.assertNotIn(b"\\Seen", client.fetch("1", "(FLAGS)")[1][0])
        client.fetch("1", "(BODY[TEXT])")
        self.assertIn(b"\\Seen", client.fetch("1", "(FLAGS)")[1][0])

    def test_append_flags_date_and_big_message(self):
        client = self.imap()
        big = message("Big", text="0123456789abcdef\r\n" * 150000)  # 2.7 MB: over the memory limit
        code, data = client.append("INBOX", "(\\Flagged work)", '"17-Jul-1996 02:44:25 -0700"', big)
        self.assertEqual(code, "OK")
        self.assertRegex(data[0], rb"APPENDUID \d+ 1")
        client.noop()
        line = client.fetch("1", "(FLAGS INTERNALDATE)")[1][0]
        self.assertIn(b"\\Flagged", line)
        self.assertIn(b"work", line)
        self.assertIn(b"17-Jul-1996 09:44:25 +0000", line)
        self.assertEqual(client.fetch("1", "(BODY.PEEK[])")[1][0][1], big)
        self.assertIn("TRYCREATE", client.append("Nowhere", None, None, message())[1][0].decode())

    def test_mailboxes(self):
        client = self.imap()
        self.assertEqual(client.create('"Work/Pr&APY-jekt"')[0], "OK")
        self.assertIn(b'(\\HasChildren) "/" Work', client.list()[1])
        self.assertEqual(client.create("Work")[0], "NO")
        self.assertEqual(client.rename("Work", "Play")[0], "OK")
        self.assertTrue(any(line.endswith(b"Play/Pr&APY-jekt") for line in client.list()[1]))
        self.assertTrue(any(b"\\Trash" in line for line in client.list()[1]))
        self.assertEqual(client.unsubscribe("Play")[0], "OK")
        self.assertFalse(any(line.endswith(b'"/" Play') and b"Noselect" not in line for line in client.lsub()[1]))
        self.assertEqual(client.delete('"Play/Pr&APY-jekt"')[0], "OK")
        self.assertEqual(client.delete("INBOX")[0], "NO")
        self.assertEqual(client.select("Nowhere")[0], "NO")

    def test_copy_move_expunge_keep_numbers_exact(self):
        self.deliver("one", "two", "three", "four")
        mover, watcher = self.raw(), self.raw()
        lines, last = mover.command("UID MOVE 2 Archive")
        self.assertRegex(lines[0], rb"COPYUID \d+ 2 1")
        self.assertEqual(lines[1], b"* 2 EXPUNGE")
        # A session is not told in FETCH: number 2 stays message "two", answered from the store.
        lines, last = watcher.command("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        self.assertIn(b"two", lines[0])
        self.assertIn(b"* 2 EXPUNGE", watcher.command("NOOP")[0])
        self.assertIn(b"three", watcher.command("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[0][0])
        watcher.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        self.assertEqual(watcher.ok("UID EXPUNGE 3"), [b"* 2 EXPUNGE"])
        self.assertEqual(watcher.ok("EXPUNGE"), [b"* 2 EXPUNGE", b"* 1 EXPUNGE"])
        self.assertIn(b"BAD", watcher.command("FETCH 1 FLAGS")[1])

    def test_search(self):
        self.deliver("Apples", text="green and red\r\n")
        self.deliver("Übung", text="gelb\r\n", sender="Jörg <joerg@example.org>")
        client = self.raw()
        client.ok("STORE 1 +FLAGS (\\Seen)")
        for query, hits in (("ALL", b"1 2"), ("UNSEEN", b"2"), ("SUBJECT apple", b"1"), ("BODY RED", b"1"), ("FROM example.org", b"1 2"),
                            ("OR SUBJECT apples TEXT gelb", b"1 2"), ("NOT SEEN", b"2"), ("HEADER Subject apples", b"1"),
                            ("LARGER 100 SMALLER 100000", b"1 2"), ("SENTON 23-Nov-2026", b"1 2"), ("SINCE 1-Jan-2099", b"")):
            with self.subTest(query):
                self.assertEqual(client.ok("SEARCH " + query)[0], (b"* SEARCH " + hits).strip())
        self.assertRegex(client.ok("UID SEARCH RETURN (MIN MAX COUNT) ALL")[0], rb"ESEARCH \(TAG \"t\d+\"\) UID MIN 1 MAX 2 COUNT 2")
        self.assertIn(b"BADCHARSET", client.command("SEARCH CHARSET X-NONE ALL")[1])

    def test_condstore(self):
        self.deliver("one", "two")
        first, second = self.raw(), self.raw()
        lines = first.ok("FETCH 1:2 (MODSEQ)")
        self.assertIn(b"[HIGHESTMODSEQ ", lines[0])  # the first enabling command tells it (RFC 7162 3.1)
        modseq = max(int(line.split(b"MODSEQ (")[1].split(b")")[0]) for line in lines[1:])
        second.ok("STORE 2 +FLAGS (\\Flagged)")
        changed = first.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})")
        self.assertTrue(any(b"UID 2" in line and b"\\Flagged" in line for line in changed))
        self.assertFalse(any(b"UID 1 " in line for line in changed))
        self.assertIn(b"[MODIFIED 2]", first.command(f"STORE 2 (UNCHANGEDSINCE {modseq}) +FLAGS (\\Seen)")[1])

    def test_qresync_after_the_purge_tells_what_is_gone(self):
        """The store has forgotten when the mails went: everything that is not there is told, nothing that is."""
        self.deliver(*(f"mail {n}" for n in range(1, 8)))
        client = self.raw()
        state = b"\n".join(client.ok("SELECT INBOX"))
        uidvalidity, modseq = (re.search(rb"%s (\d+)" % word, state).group(1).decode() for word in (b"UIDVALIDITY", b"HIGHESTMODSEQ"))
        client.ok("STORE 1,3:4,7 +FLAGS.SILENT (\\Deleted)")
        client.ok("EXPUNGE")
        client.ok("LOGOUT")

        def resync(known):
            back = self.raw(select=False)
            back.ok("ENABLE QRESYNC")
            lines = back.ok(f"SELECT INBOX (QRESYNC ({uidvalidity} {modseq}{known}))")
            back.ok("LOGOUT")
            return [line for line in lines if b"VANISHED" in line]
        self.assertEqual(resync(""), [b"* VANISHED (EARLIER) 1,3:4,7"])
        Sql(self.server)(f"update mailbox set purged_modseq = modseq_items where total = 3 and name = 'INBOX' "
                         f"and uidvalidity = {uidvalidity} and uidnext = 8")
        self.assertEqual(resync(""), [b"* VANISHED (EARLIER) 1,3:4,7"])
        self.assertEqual(resync(" 2:3,6:4000"), [b"* VANISHED (EARLIER) 3,7"])
        self.assertEqual(resync(" 1:7 (1:2 2,5)"), [b"* VANISHED (EARLIER) 7"])
        self.assertEqual(resync(" 2,5"), [])

    def test_quota(self):
        Sql(self.server)(f"update account set quota_bytes = 2048 where account_id = (select account_id from directory where login = '{self.user}')")
        self.deliver("one")
        client = self.raw()
        size = int(re.search(rb"RFC822.SIZE (\d+)", client.ok("FETCH 1 RFC822.SIZE")[0]).group(1))
        lines = client.ok("GETQUOTAROOT INBOX")
        self.assertEqual(lines[0], b'* QUOTAROOT INBOX ""')
        self.assertEqual(lines[1], b'* QUOTA "" (STORAGE %d 2)' % -(-size // 1024))
        self.assertEqual(client.ok('GETQUOTA ""')[0], lines[1])
        for text in ("APPEND INBOX {2000+}\r\n" + "x" * 2000, "COPY 1 INBOX"):
            for _ in range(2048 // size + 1):
                last = client.command(text)[-1]
            self.assertIn(b"NO [OVERQUOTA]", last)

    def test_replace_counts_the_difference(self):
        """The draft of 3,000 octets becomes the sent mail of 3,500, though both together are over the quota; a bigger one does not."""
        client = self.raw()
        text = "Subject: x\r\n\r\n"
        client.ok("APPEND Drafts {3000+}\r\n" + text.ljust(3000, "y"))
        client.ok("SELECT Drafts")
        Sql(self.server)(f"update account set quota_bytes = 5000 where account_id = (select account_id from directory where login = '{self.user}')")
        self.assertIn(b"NO [OVERQUOTA]", client.command("UID REPLACE 1 Sent {5001+}\r\n" + text.ljust(5001, "y"))[-1])
        self.assertEqual(client.ok("STATUS Sent (MESSAGES)"), [b"* STATUS Sent (MESSAGES 0)"])
        lines = client.ok("UID REPLACE 1 Sent {3500+}\r\n" + text.ljust(3500, "y"))
        self.assertEqual(lines[1:], [b"* 1 EXPUNGE"])
        self.assertEqual(client.ok("STATUS Sent (MESSAGES SIZE)")[0].split(b" ")[-3:-2], [b"1"])

    def test_limits_of_append(self):
        """APPEND_MESSAGES_MAX, APPEND_PIECES_MAX, APPEND_URL_MAX; whatever is refused is thrown away whole."""
        client = self.raw()

        def append(rest):
            return client.command("APPEND INBOX" + rest)[-1]
        self.assertIn(b"OK [APPENDUID", append(" {12+}\r\nSubject: x\r\n" * 100))
        self.assertIn(b"BAD [LIMIT]", append(" {12+}\r\nSubject: x\r\n" * 101))
        text = " TEXT {12+}\r\nSubject: x\r\n"
        self.assertIn(b"OK [APPENDUID", append(" CATENATE (" + (text * 100)[1:] + ")"))
        self.assertIn(b"BAD [LIMIT]", append(" CATENATE (" + (text * 101)[1:] + ")"))
        self.assertIn(b"NO [BADURL", append(' CATENATE (URL "' + "u" * 2048 + '")'))
        self.assertIn(b"BAD [LIMIT]", append(' CATENATE (URL "' + "u" * 2049 + '")'))
        self.assertIn(b"NO [BADURL", append(" CATENATE (URL {2048+}\r\n" + "u" * 2048 + ")"))
        self.assertIn(b"BAD", append(" CATENATE (URL {2049+}\r\n" + "u" * 2049 + ")"))
        client.ok("NOOP")
        self.assertEqual(client.ok("STATUS INBOX (MESSAGES)"), [b"* STATUS INBOX (MESSAGES 101)"])

    def test_metadata_has_a_limit(self):
        client = self.raw()
        for start in (0, 128):
            entries = " ".join(f"/private/e{n} x" for n in range(start, start + 128)).replace(" x", ' "x"')
            client.ok(f"SETMETADATA INBOX ({entries})")
        before = client.ok("STATUS INBOX (HIGHESTMODSEQ)")[0]
        self.assertIn(b"NO [METADATA TOOMANY]", client.command('SETMETADATA INBOX (/private/e0 NIL /private/f "x" /private/g "x")')[-1])
        self.assertEqual(client.ok("STATUS INBOX (HIGHESTMODSEQ)")[0], before)
        self.assertEqual(client.ok("GETMETADATA INBOX (/private/e0 /private/f)")[0], b'* METADATA INBOX (/private/e0 "x")')
        client.ok('SETMETADATA INBOX (/private/e0 NIL /private/f "x")')
        self.assertNotEqual(client.ok("STATUS INBOX (HIGHESTMODSEQ)")[0], before)  # a change like others

    def test_idle_tells_all_at_once(self):
        watcher, other = self.raw(), self.raw()
        watcher.idle()
        self.deliver("news")
        self.assertEqual(watcher.idle_wait(rb"EXISTS"), b"* 1 EXISTS")
        other.ok("NOOP")
        other.ok("STORE 1 +FLAGS (\\Flagged)")
        self.assertIn(b"\\Flagged", watcher.idle_wait(rb"FETCH"))
        other.ok("STORE 1 +FLAGS (\\Deleted)")
        other.ok("EXPUNGE")
        self.assertEqual(watcher.idle_wait(rb"EXPUNGE"), b"* 1 EXPUNGE")
        watcher.done()

    def test_pipelined_commands_are_answered_in_order(self):
        self.deliver("one")
        client = self.raw()
        client.send("p1 NOOP\r\np2 FETCH 1 FLAGS\r\np3 UID FETCH 1 (BODY.PEEK[])\r\np4 STORE 1 +FLAGS (\\Seen)\r\np5 LOGOUT\r\n")
        tags = []
        with self.assertRaises(EOFError):
            while True:
                line = client.line()
                if line.startswith(b"p"):
                    tags.append(line.split()[0])
        self.assertEqual(tags, [b"p1", b"p2", b"p3", b"p4", b"p5"])

    def test_refused_literals_are_swallowed(self):
        client = self.raw()
        client.send("x1 CREATE {70000+}\r\n" + "y" * 70000 + "\r\nx2 NOOP\r\n")
        self.assertIn(b"x1 BAD", client.line())
        self.assertIn(b"x2 OK", client.line())
        client.send("x3 CREATE {3}\r\n")
        self.assertTrue(client.line().startswith(b"+ "))
        client.send("abc\r\n")
        self.assertIn(b"x3 OK", client.line())

    def test_a_changed_password_ends_sessions(self):
        client = self.raw()
        self.server.cli("account", "password", self.user, "--password-stdin", stdin="other\n")
        self.assertIn(b"BYE", client.line())
        with self.assertRaises(imaplib.IMAP4.error):
            self.server.imap(self.user, PASSWORD)
        self.server.imap(self.user, "other")

    def test_mbsync(self):
        self.deliver("one", "two", "three")
        folder = tempfile.mkdtemp(dir=self.server.folder)
        config = os.path.join(folder, "mbsyncrc")
        with open(config, "w", encoding="ascii") as f:
            f.write(f"IMAPAccount g\nHost 127.0.0.1\nPort {self.server.ports['imap']}\nUser {self.user}\nPass {PASSWORD}\n"
                    "SSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount g\n\nMaildirStore near\n"
                    f"Path {folder}/mail/\nInbox {folder}/mail/INBOX\nSubFolders Verbatim\n\n"
                    "Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n")
        run = lambda: subprocess.run(["mbsync", "-c", config, "c"], check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S,
                                     env=dict(os.environ, HOME=folder))
        os.mkdir(os.path.join(folder, "mail"))
        run()
        box = os.path.join(folder, "mail", "INBOX")
        files = lambda: [os.path.join(box, d, n) for d in ("new", "cur") for n in os.listdir(os.path.join(box, d))]
        self.assertEqual(len(files()), 3)
        os.unlink(files()[0])
        run()
        self.assertEqual(self.imap().select("INBOX")[1], [b"2"])

    def offlineimap(self, folder):
        """One sync of INBOX with folder/mail."""
        config = os.path.join(folder, "offlineimaprc")
        if not os.path.exists(config):
            with open(config, "w", encoding="ascii") as f:
                f.write(f"[general]\nmetadata = {folder}/state\naccounts = g\nui = basic\n\n"
                        "[Account g]\nlocalrepository = near\nremoterepository = far\n\n"
                        f"[Repository near]\ntype = Maildir\nlocalfolders = {folder}/mail\n\n"
                        f"[Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {self.server.ports['imaps']}\n"
                        f"remoteuser = {self.user}\nremotepass = {PASSWORD}\nssl = yes\n"
                        f"sslcacertfile = {Certificate.get()[0]}\nauth_mechanisms = PLAIN\n"
                        "folderfilter = lambda name: name in ('INBOX', 'Work')\n")
        done = subprocess.run(["offlineimap", "-o", "-1", "-c", config], capture_output=True, timeout=LIMIT_S,
                              env=dict(os.environ, HOME=folder))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        self.assertNotIn(b"ERROR", done.stdout + done.stderr)

    @staticmethod
    def maildir(folder, name="INBOX"):
        """{subject: (path, flags)} of a Maildir."""
        found = {}
        for part in ("new", "cur"):
            for file in os.listdir(os.path.join(folder, "mail", name, part)):
                path = os.path.join(folder, "mail", name, part, file)
                with open(path, "rb") as f:
                    subject = re.search(rb"(?m)^Subject: (.*?)\r?$", f.read()).group(1).decode()
                found[subject] = (path, file.partition(":2,")[2])
        return found

    def test_offlineimap(self):
        self.deliver("one", "two", "three")
        client = self.imap()
        client.store("2", "+FLAGS", "(\\Flagged \\Answered)")
        client.create("Work")
        folder = tempfile.mkdtemp(dir=self.server.folder)
        os.mkdir(os.path.join(folder, "mail"))
        self.offlineimap(folder)
        near = self.maildir(folder)
        self.assertEqual(sorted(near), ["one", "three", "two"])
        self.assertEqual(near["two"][1], "FR")
        self.assertEqual(self.maildir(folder, "Work"), {})
        # Here: one is read, two is deleted, a new one is put beside them. There: three is flagged, a fourth arrives.
        path = near["one"][0]
        os.rename(path, os.path.join(folder, "mail", "INBOX", "cur", os.path.basename(path).partition(":2,")[0] + ":2,S"))
        os.unlink(near["two"][0])
        with open(os.path.join(folder, "mail", "INBOX", "new", "1.2.host"), "wb") as f:
            f.write(message("from here").replace(b"\r\n", b"\n"))
        client.store("3", "+FLAGS", "(\\Flagged)")
        self.deliver("four")
        self.offlineimap(folder)
        near = self.maildir(folder)
        self.assertEqual({subject: flags for subject, (_, flags) in near.items()}, {"one": "S", "three": "F", "four": "", "from here": ""})
        client.noop()
        far = {}
        told = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        for head, octets in (part for part in told if isinstance(part, tuple)):
            far[octets.decode().partition(": ")[2].strip()] = {flag for flag in (b"\\Seen", b"\\Flagged", b"\\Deleted") if flag in head}
        self.assertEqual(far, {"one": {b"\\Seen"}, "three": {b"\\Flagged"}, "four": set(), "from here": set()})
        # There: one and the one from here are deleted.
        client.uid("STORE", "1", "+FLAGS.SILENT", "(\\Deleted)")
        uid = client.uid("SEARCH", "SUBJECT", '"from here"')[1][0].decode()
        client.uid("STORE", uid, "+FLAGS.SILENT", "(\\Deleted)")
        client.expunge()
        self.offlineimap(folder)
        self.assertEqual(sorted(self.maildir(folder)), ["four", "three"])
        # Nothing changed: a further sync changes nothing on either side.
        before = client.status("INBOX", "(MESSAGES UIDNEXT HIGHESTMODSEQ)")
        self.offlineimap(folder)
        self.assertEqual(sorted(self.maildir(folder)), ["four", "three"])
        self.assertEqual(client.status("INBOX", "(MESSAGES UIDNEXT HIGHESTMODSEQ)"), before)

    def test_curl(self):
        self.deliver("by curl")
        done = subprocess.run(["curl", "-sS", "--user", f"{self.user}:{PASSWORD}",
                               f"imap://127.0.0.1:{self.server.ports['imap']}/INBOX;UID=1"], capture_output=True, timeout=LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"Subject: by curl", done.stdout)
