"""The log: a client's text can neither end a line nor fake a key, and no secret gets in."""
import base64
import http.client
import re
import unittest

from eas_client import Phone
from harness import LIMIT_S, RawImap, ServerTest, message, smtplib

NASTY = "mallory\r\n2026-01-01T00:00:00.000Z info login result=ok login=\"alice\\"


class Logs(ServerTest):
    settings = {"log__level": "debug"}

    def check_lines(self):
        for line in self.server.log.text().splitlines():
            if re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warn|error) ", line):
                fields = line.split(" ")[3:]
                for field in fields:
                    self.assertRegex(field, r"^[a-z_]+=[\x21\x23-\x3c\x3e-\x7e]*$", line)
                self.assertLessEqual(sum(f.startswith("result=") for f in fields), 1, line)
            self.assertNotIn("2026-01-01T00:00:00.000Z", line.split(" ")[0])

    def test_a_login_with_a_line_break(self):
        client = RawImap(self.server)
        sent = NASTY.encode()
        client.send(b"t1 LOGIN {%d}\r\n" % len(sent))
        self.assertTrue(client.line().startswith(b"+"))
        client.send(sent + b" s3cret-of-imap\r\n")
        self.assertIn(b"t1 NO", client.finish(b"t1")[1])
        client.close()
        found = self.server.log.wait(r" login .*login=(\S*mallory\S*)").group(1)
        self.assertIn(r"\x0d\x0a", found)
        self.assertIn(r"result\x3dok", found)
        self.check_lines()

    def test_headers_of_a_phone(self):
        client = http.client.HTTPConnection("127.0.0.1", self.server.ports["http"], timeout=LIMIT_S)
        credentials = base64.b64encode((NASTY + ":s3cret-of-eas").encode()).decode()
        client.request("POST", "/Microsoft-Server-ActiveSync?Cmd=Sync&User=a%0D%0Ab&DeviceId=x%0Aresult%3Dok&DeviceType=t",
                       headers={"Authorization": "Basic " + credentials, "MS-ASProtocolVersion": "14.1"})
        self.assertEqual(client.getresponse().status, 401)
        client.close()
        self.server.log.wait(r" login .*protocol=eas")
        self.check_lines()

    def test_who_did_what_and_how_long_it_took(self):
        phone = Phone(self.server)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox)
        self.server.deliver(message("logged"), "alice@example.test")
        client = RawImap(self.server)
        client.ok("LOGIN alice@example.test demo")
        client.ok("SELECT INBOX")
        client.command("SELECT Nowhere")
        client.command("NONSENSE")
        client.ok("APPEND INBOX {3+}\r\nabc")
        client.ok("LOGOUT")
        client.close()
        rows = [
            r"info delivery session=\d+ peer=127\.0\.0\.1 .*recipient=alice@example\.test account=\d+ .* ms=[\d.]+ result=ok$",
            r"info eas session=\d+ command=FolderSync account=\d+ device=PHONE1 .*status=1 .*ms=[\d.]+$",
            r"info eas session=\d+ command=Sync account=\d+ device=PHONE1 .*status=1 .*ms=[\d.]+$",
            r"info imap session=\d+ command=LOGIN account=\d+ peer=127\.0\.0\.1 result=ok ms=[\d.]+$",
            r"debug imap session=\d+ command=SELECT account=\d+ peer=127\.0\.0\.1 result=ok ms=[\d.]+$",
            r"debug imap session=\d+ command=SELECT account=\d+ peer=127\.0\.0\.1 result=no ms=[\d.]+$",
            r"debug imap session=\d+ command=- account=\d+ peer=127\.0\.0\.1 result=bad ms=[\d.]+$",
            r"debug imap session=\d+ command=APPEND account=\d+ peer=127\.0\.0\.1 result=ok ms=[\d.]+$",
            r"info imap\.end session=\d+ login=alice@example\.test peer=127\.0\.0\.1$",
        ]
        for row in rows:
            with self.subTest(row):
                self.server.log.wait(row)
        self.check_lines()

    def test_values_are_cut(self):
        client = RawImap(self.server)
        client.command(f'LOGIN "{"x" * 500}" y')
        client.close()
        value = self.server.log.wait(r" login .*login=(x+\S*)").group(1)
        self.assertEqual(value, "x" * 200 + "...")

    def test_no_content_and_no_secrets(self):
        with smtplib.LMTP("127.0.0.1", self.server.ports["lmtp"], timeout=LIMIT_S) as lmtp:
            lmtp.sendmail("a@example.org", ["alice@example.test"], message("Very private", "Only for Alice.\r\n"))
        client = RawImap(self.server)
        client.ok("LOGIN alice@example.test demo")
        client.ok("SELECT INBOX")
        client.ok("FETCH 1:* (ENVELOPE BODY[])")
        client.close()
        token = self.server.admin_token()
        api = http.client.HTTPConnection("127.0.0.1", self.server.ports["admin"], timeout=LIMIT_S)
        api.request("GET", "/api/v1/accounts", headers={"Authorization": "Bearer " + token})
        self.assertEqual(api.getresponse().status, 200)
        api.close()
        self.server.log.wait(r" admin .*path=/api/v1/accounts ")
        text = self.server.log.text()
        for secret in ("Very private", "Very\\x20private", "Only for Alice", "s3cret", "=demo", token, token[4:]):
            self.assertNotIn(secret, text)
        self.check_lines()


if __name__ == "__main__":
    unittest.main()
