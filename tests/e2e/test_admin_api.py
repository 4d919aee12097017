"""The admin API over its own listener: tokens, scopes, tenants, restore."""
import http.client
import imaplib
import json
import unittest

from harness import LIMIT_S, PASSWORD, RawImap, ServerTest, message, smtplib

ALICE = "alice@example.test"


class AdminApi(ServerTest):
    def call(self, method, path, body=None, token=None, port="admin"):
        client = http.client.HTTPConnection("127.0.0.1", self.server.ports[port], timeout=LIMIT_S)
        headers = {"Authorization": "Bearer " + token} if token else {}
        client.request(method, path, json.dumps(body) if body is not None else None, headers)
        reply = client.getresponse()
        text = reply.read()
        client.close()
        kind = reply.getheader("Content-Type") or ""
        return reply.status, json.loads(text) if "json" in kind else text, kind

    def deliver(self, subject):
        with smtplib.LMTP("127.0.0.1", self.server.ports["lmtp"], timeout=LIMIT_S) as client:
            client.sendmail("a@example.org", [ALICE], message(subject))

    def test_tokens_and_scopes(self):
        read, path = self.server.admin_token("read"), "/api/v1/accounts"
        self.assertEqual(self.call("GET", "/api/v1/health")[:2], (200, {"status": "ok"}))
        rows = [
            ("no token", "GET", path, None, 401),
            ("a made-up token", "GET", path, "gwt_" + "0" * 64, 401),
            ("a reader reads", "GET", path, read, 200),
            ("a reader makes no account", "POST", path, read, 403),
            ("a reader restores nothing", "POST", path + "/" + ALICE + "/deleted/restore", read, 403),
            ("no such path", "GET", "/api/v1/nothing", read, 404),
            ("wrong method", "PATCH", path, read, 405),
        ]
        for name, method, where, token, status in rows:
            with self.subTest(name):
                got, body, kind = self.call(method, where, token=token)
                self.assertEqual(got, status, body)
                if status >= 400:
                    self.assertEqual((kind, body["status"]), ("application/problem+json", status))

    def test_revoked_token(self):
        token = self.server.cli("token", "add", "short-lived").out.strip()
        self.assertEqual(self.call("GET", "/api/v1/version", token=token)[0], 200)
        self.assertNotIn(token, self.server.cli("token", "list").out)
        self.server.cli("token", "revoke", "short-lived")
        self.assertEqual(self.call("GET", "/api/v1/version", token=token)[0], 401)

    def test_not_where_eas_is(self):
        self.assertEqual(self.call("GET", "/api/v1/health", port="http")[0], 404)

    def test_accounts(self):
        token, path = self.server.admin_token(), "/api/v1/accounts"
        new = {"login": "Carol@example.test", "password": "one"}
        status, body, _ = self.call("POST", path, new, token)
        self.assertEqual((status, body.get("login")), (201, "carol@example.test"), body)
        self.assertEqual(self.call("POST", path, new, token)[0], 409)
        self.assertEqual(self.call("POST", path, {"login": "carol"}, token)[0], 422)
        imaplib.IMAP4("127.0.0.1", self.server.ports["imap"]).login("carol@example.test", "one")
        self.assertEqual(self.call("PUT", path + "/carol@example.test/password", {"password": "two"}, token)[0], 204)
        with self.assertRaises(imaplib.IMAP4.error):
            imaplib.IMAP4("127.0.0.1", self.server.ports["imap"]).login("carol@example.test", "one")
        self.assertEqual(self.call("DELETE", path + "/carol@example.test", token=token)[0], 204)
        logins = [a["login"] for a in self.call("GET", path, token=token)[1]["accounts"]]
        self.assertNotIn("carol@example.test", logins)
        self.assertIn(ALICE, logins)

    def test_domain_limit(self):
        token = self.server.admin_token("read,restore,manage", "--domain", "other.test")
        self.assertEqual(self.call("GET", "/api/v1/accounts", token=token)[1], {"accounts": []})
        self.assertEqual(self.call("GET", f"/api/v1/accounts/{ALICE}/deleted", token=token)[0], 404)
        self.assertEqual(self.call("POST", "/api/v1/accounts", {"login": "x@example.test", "password": "p"}, token)[0], 403)

    def test_pages_of_deleted_mail(self):
        login, count = "pages@example.test", 1001
        self.server.add_account(login)
        self.server.delete_many(login, count)
        token, path = self.server.admin_token("read"), f"/api/v1/accounts/{login}/deleted"
        first = self.call("GET", path, token=token)[1]
        second = self.call("GET", path + "?after=" + first["next"], token=token)[1]
        self.assertEqual((len(first["deleted"]), len(second["deleted"]), second["next"]), (1000, 1, None))
        self.assertEqual(len({row["id"] for row in first["deleted"] + second["deleted"]}), count)

    def test_restore_reaches_idle(self):
        token, path = self.server.admin_token(), f"/api/v1/accounts/{ALICE}/deleted"
        self.deliver("Lost and found")
        desktop = RawImap(self.server)
        desktop.ok(f"LOGIN {ALICE} {PASSWORD}")
        desktop.ok("SELECT INBOX")
        desktop.ok("STORE 1:* +FLAGS (\\Seen \\Deleted)")
        desktop.ok("EXPUNGE")
        desktop.idle()
        rows = self.call("GET", path + "?subject=lost+and", token=token)[1]["deleted"]
        self.assertEqual([(r["subject"], r["folder"], r["protocol"]) for r in rows], [("Lost and found", "INBOX", "imap")])
        body = {"ids": [rows[0]["id"]]}
        status, reply, _ = self.call("POST", path + "/restore", body, token)
        self.assertEqual((status, reply["restored"][0]["result"]), (200, "restored"))
        desktop.idle_wait(rb"^\* 1 EXISTS")
        desktop.done()
        self.assertIn(b"\\Seen", desktop.ok("FETCH 1 FLAGS")[-1])
        self.assertEqual(self.call("POST", path + "/restore", body, token)[1]["restored"][0]["result"], "exists")
        self.assertEqual(self.call("POST", path + "/restore", {"ids": ["nonsense"]}, token)[0], 422)
        self.assertEqual(self.call("GET", path + "?after=nonsense", token=token)[0], 422)
        desktop.close()


if __name__ == "__main__":
    unittest.main()
