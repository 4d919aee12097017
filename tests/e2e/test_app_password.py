"""App passwords: one for each program, good on every protocol, ended alone; their last use is gathered in memory."""
import http.client
import re
import unittest

from eas_base import Sql
from harness import LIMIT_S, PASSWORD, RawImap, Server, ServerTest

ALICE, BOB = "alice@example.test", "bob@example.test"
SHAPE = r"([a-km-np-z2-9]{4}-){5}[a-km-np-z2-9]{4}"


class AppPasswords(ServerTest):
    def add(self, name, login=ALICE):
        return self.server.cli("account", "app-password", "add", login, name).out.strip()

    def revoke(self, name, login=ALICE):
        self.server.cli("account", "app-password", "revoke", login, name)

    def list(self, login=ALICE):
        return self.server.cli("account", "app-password", "list", login).out

    def imap(self, password, login=ALICE):
        client = RawImap(self.server)
        self.addCleanup(client.close)
        return client, b" OK" in client.command(f'LOGIN "{login}" "{password}"')[-1][:9]

    def eas(self, password, login=ALICE):
        client = http.client.HTTPConnection("127.0.0.1", self.server.ports["http"], timeout=LIMIT_S)
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync",
                       headers={"Authorization": self.server.basic(login, password)})
        status = client.getresponse().status
        client.close()
        return status

    def test_good_on_every_protocol_for_its_account_only(self):
        text = self.add("laptop")
        self.assertRegex(text, f"^{SHAPE}$")
        self.assertTrue(self.imap(text)[1])
        self.assertEqual(self.eas(text), 200)
        self.assertTrue(self.imap(PASSWORD)[1], "the account's own password stays good")
        self.assertFalse(self.imap(text, BOB)[1])
        self.assertEqual(self.eas(text, BOB), 401)
        wrong = text[:-1] + ("a" if text[-1] != "a" else "b")
        self.assertFalse(self.imap(wrong)[1])

    def test_only_its_hash_is_kept(self):
        text = self.add("hashed")
        row = Sql(self.server)("select encode(hash, 'hex') = encode(sha256(convert_to('%s', 'UTF8')), 'hex')"
                               " from app_password where name = 'hashed'" % text)
        self.assertEqual(row, ["t"])
        self.assertNotIn(text, self.list())

    def test_revoking_ends_sessions_and_what_was_cached(self):
        lost, kept = self.add("lost"), self.add("kept")
        client, good = self.imap(lost)
        self.assertTrue(good)
        self.assertEqual((self.eas(lost), self.eas(kept)), (200, 200))
        self.revoke("lost")
        self.assertRegex(client.line(), rb"^\* BYE")
        self.assertEqual((self.eas(lost), self.eas(kept)), (401, 200))
        self.assertNotIn("lost", self.list())
        audit = Sql(self.server)("select detail from audit where what = 'app_password_revoke' and detail = 'lost'")
        self.assertEqual(audit, ["lost"])

    def test_a_disabled_or_deleted_account_has_none(self):
        self.server.add_account("carol@example.test")
        text, fresh = self.add("phone", "carol@example.test"), self.add("fresh", "carol@example.test")
        client, good = self.imap(text, "carol@example.test")
        self.assertTrue(good)
        sql = Sql(self.server)
        sql("update directory set status = 1 where login = 'carol@example.test'")
        self.assertFalse(self.imap(fresh, "carol@example.test")[1])
        sql("update directory set status = 0 where login = 'carol@example.test'")
        self.assertTrue(self.imap(fresh, "carol@example.test")[1])
        self.server.cli("account", "delete", "carol@example.test")
        self.assertRegex(client.line(), rb"^\* BYE")
        self.assertFalse(self.imap(text, "carol@example.test")[1])

    def test_refusals(self):
        self.add("twice")
        for words, why in ((("add", ALICE, "twice"), "already"), (("add", ALICE, ""), "syntax"),
                           (("add", ALICE, "n" * 65), "syntax"), (("add", ALICE, "a/b"), "syntax"),
                           (("add", "nobody@example.test", "x"), "nobody"), (("revoke", ALICE, "none"), "no app password"),
                           (("add", ALICE), "usage"), (("list",), "usage"), (("revoke", ALICE), "usage")):
            with self.subTest(words):
                result = self.server.cli("account", "app-password", *words, check=False)
                self.assertEqual(result.returncode, 1)
                self.assertIn(why, result.err.lower())
        self.add("n" * 64)

    def test_at_most_a_hundred(self):
        Sql(self.server)("insert into app_password (account_id, app_id, name, hash) select d.account_id, n, 'n' || n,"
                         " sha256(convert_to(n::text, 'UTF8')) from directory d, generate_series(1, 99) n"
                         f" where d.login = '{BOB}'")
        self.add("last", BOB)
        refused = self.server.cli("account", "app-password", "add", BOB, "more", check=False)
        self.assertIn("at most 100", refused.err)
        self.revoke("n1", BOB)
        self.add("more", BOB)


class LastUse(unittest.TestCase):
    def test_written_together_and_at_the_stop(self):
        with Server(accounts=(ALICE,)) as server:
            add = server.cli("account", "app-password", "add", ALICE, "used").out.strip()
            server.cli("account", "app-password", "add", ALICE, "idle")
            for _ in range(3):
                client = RawImap(server)
                client.ok(f'LOGIN {ALICE} {add}')
                client.close()
            listed = server.cli("account", "app-password", "list", ALICE).out
            self.assertEqual(len(re.findall("last used never", listed)), 2, "not at each login")
            server.stop()
            server.start()
            listed = server.cli("account", "app-password", "list", ALICE).out
            self.assertRegex(listed, r"idle .* last used never")
            self.assertRegex(listed, r"used .* last used \d{4}-\d\d-\d\d \d\d:\d\d")


if __name__ == "__main__":
    unittest.main()
