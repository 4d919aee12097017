"""The command line beside a running server, and without one."""
import imaplib
import os
import subprocess
import threading
import unittest

from harness import LIMIT_S, PASSWORD, RawImap, Server, ServerTest, message, program, smtplib

ALICE = "alice@example.test"


class Cli(ServerTest):
    def imap(self, password=PASSWORD, login=ALICE):
        client = imaplib.IMAP4("127.0.0.1", self.server.ports["imap"])
        client.login(login, password)
        return client

    def test_words_that_are_wrong(self):
        rows = [
            (["nonsense"], 2, 'there is no command "nonsense"'),
            (["account"], 2, "godwit account list"),
            (["account", "delete", "nobody@example.test"], 1, "there is no account nobody@example.test"),
            (["account", "delete"], 1, "usage: godwit account delete LOGIN"),
            (["account", "list", "all"], 1, "usage: godwit account list"),
            (["account", "list", "--all"], 1, "account list has no option --all"),
            (["deleted", "list", ALICE, "--folder"], 1, "--folder needs a value"),
            (["deleted", "restore", ALICE], 1, "usage: godwit deleted restore ACCOUNT ID..."),
            (["deleted", "restore", ALICE, "12"], 1, "12 is no id"),
            (["deleted", "restore", ALICE, "1:9999"], 1, "1:9999 is no deleted mail"),
            (["deleted", "restore", ALICE, "1:1", "--to", "Nowhere"], 1, "there is no folder Nowhere"),
            (["deleted", "list", ALICE, "--since", "yesterday"], 1, "--since yesterday"),
            (["device", "block", ALICE, "phone"], 1, "has no device phone"),
            (["token", "add", "x", "--scopes", "all"], 1, "read,restore,manage"),
            (["token", "revoke", "nothing"], 1, "there is no token nothing"),
        ]
        for words, code, story in rows:
            with self.subTest(" ".join(words)):
                result = self.server.cli(*words, check=False)
                self.assertEqual(result.returncode, code, result.err)
                self.assertIn(story, result.err)
        taken = self.server.cli("account", "add", ALICE, "--password-stdin", check=False, stdin="x\n")
        self.assertEqual(taken.returncode, 1)
        self.assertIn("exists already", taken.err)

    def test_help_names_every_command(self):
        result = self.server.cli("--help")
        for name in ("serve", "config show", "account add", "deleted restore", "device block", "token add", "purge"):
            self.assertIn("  " + name, result.out)
        self.assertIn("LOGIN", self.server.cli("account", "add", "--help").out)
        self.assertIn("LOGIN", self.server.cli("account", "add", "-h").out)
        self.assertIn("godwit account list", self.server.cli("account", "--help").out)

    def test_a_changed_password_counts_at_once(self):
        login = "dora@example.test"
        self.server.add_account(login)
        session = RawImap(self.server)
        session.ok(f"LOGIN {login} {PASSWORD}")  # fills the cache
        self.server.cli("account", "password", login, "--password-stdin", stdin="other\n")
        self.assertIn(b"BYE", session.line())  # the server has heard of it
        session.close()
        with self.assertRaises(imaplib.IMAP4.error):
            self.imap(login=login)
        self.imap("other", login).logout()

    def test_deleted_mail_comes_back_at_once(self):
        for subject in ("Keep", "Läuft weg\x1b[2J"):
            with smtplib.LMTP("127.0.0.1", self.server.ports["lmtp"], timeout=LIMIT_S) as lmtp:
                lmtp.sendmail("ann@example.org", [ALICE],
                              message("=?utf-8?q?" + "".join("=%02X" % b for b in subject.encode()) + "?="))
        desktop = RawImap(self.server)
        desktop.ok(f"LOGIN {ALICE} {PASSWORD}")
        desktop.ok("SELECT INBOX")
        desktop.ok("STORE 2 +FLAGS (\\Answered \\Deleted)")
        before = desktop.ok("FETCH 2 INTERNALDATE")[-1]
        desktop.ok("EXPUNGE")
        listed = self.server.cli("deleted", "list", ALICE, "--folder", "inbox", "--from", "ann").out
        self.assertIn("Läuft weg", listed)
        self.assertIn("imap", listed)
        self.assertNotIn("\x1b", listed)
        self.assertNotIn("Keep", listed)
        self.assertNotIn("Läuft", self.server.cli("deleted", "list", ALICE, "--subject", "something else").out)
        ids = self.server.cli("deleted", "list", ALICE, "--ids").out.split()
        self.assertEqual(len(ids), 1)
        desktop.idle()
        self.assertIn("is back in INBOX", self.server.cli("deleted", "restore", ALICE, ids[0]).out)
        desktop.idle_wait(rb"^\* 2 EXISTS")
        desktop.done()
        after = desktop.ok("FETCH 2 (FLAGS INTERNALDATE)")[-1]
        self.assertIn(b"\\Answered", after)
        self.assertIn(before.split(b'"')[1], after)
        self.assertIn("brought back before", self.server.cli("deleted", "restore", ALICE, ids[0]).out)
        self.assertEqual(self.server.cli("deleted", "list", ALICE, "--ids").out, "")
        desktop.close()

    def test_all_that_was_deleted_is_listed(self):
        """More than one page, all removed at once."""
        login, count = "many@example.test", 1003
        self.server.add_account(login)
        self.server.delete_many(login, count)
        ids = self.server.cli("deleted", "list", login, "--ids").out.split()
        self.assertEqual(len(ids), count)
        self.assertEqual(len(set(ids)), count)
        self.assertIn("number 0 ", self.server.cli("deleted", "list", login, "--subject", "number 0").out)
        back = self.server.cli("deleted", "restore", login, *ids).out
        self.assertEqual(back.count("is back in INBOX"), count)
        self.assertEqual(self.server.cli("deleted", "list", login, "--ids").out, "")

    def test_a_deleted_account_is_gone(self):
        login = "gone@example.test"
        self.server.add_account(login)
        client = RawImap(self.server)
        client.ok(f"LOGIN {login} {PASSWORD}")
        client.idle()
        self.server.cli("account", "delete", login)
        with self.assertRaises((EOFError, ConnectionError)):
            while True:
                client.line()  # the session is ended by the server
        client.close()
        with self.assertRaises(imaplib.IMAP4.error):
            self.imap(login=login)
        self.assertNotIn(login, self.server.cli("account", "list").out)


class WithoutServer(unittest.TestCase):
    def test_commands_start_the_store_for_themselves(self):
        with Server(start=False) as server:
            server.add_account(ALICE)
            self.assertIn(ALICE, server.cli("account", "list").out)
            self.assertFalse(os.path.exists(os.path.join(server.data, "postgres", "postmaster.pid")))
            server.start()
            client = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
            client.login(ALICE, PASSWORD)
            client.logout()


    def test_whoever_calls_the_store_is_the_owner_s(self):
        """root becomes the owner of the data directory: PostgreSQL refuses root, and no file may become root's."""
        with Server(start=False, store="embedded") as server:
            def call(*words, stdin=""):
                return subprocess.run([program(), *words] + server.options(), input=stdin, capture_output=True, text=True,
                                      cwd=server.folder, env=server.environment(), timeout=LIMIT_S)
            made = call("account", "add", ALICE, "--password-stdin", stdin="demo\n")
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertIn(ALICE, call("account", "list").stdout)
            owner = os.stat(server.data).st_uid
            self.assertNotEqual(owner, 0)
            for folder, folders, files in os.walk(server.data):
                for name in folders + files:
                    self.assertEqual(os.lstat(os.path.join(folder, name)).st_uid, owner, os.path.join(folder, name))
            self.assertEqual(os.stat(os.path.join(server.data, "postgres")).st_mode & 0o077, 0)
            server.start()
            self.assertIn(ALICE, call("account", "list").stdout)  # beside the running server
            server.imap(ALICE)
            self.assertEqual(server.stop(), 0)

    def test_several_commands_at_once_share_one_cluster(self):
        with Server(start=False, store="embedded") as server:
            server.add_account(ALICE)
            results = []
            threads = [threading.Thread(target=lambda: results.append(server.cli("account", "list", check=False)))
                       for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(LIMIT_S)
            self.assertEqual([(r.returncode, ALICE in r.out) for r in results], [(0, True)] * 4, [r.err for r in results])
            self.assertFalse(os.path.exists(os.path.join(server.data, "postgres", "postmaster.pid")))

    def test_a_directory_that_is_not_ours(self):
        with Server(start=False, store="embedded") as server:
            os.chmod(server.data, 0o500)
            result = server.cli("account", "list", check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"the data directory {server.data} cannot be written: run me as its owner", result.err)
            os.chmod(server.data, 0o700)


if __name__ == "__main__":
    unittest.main()
