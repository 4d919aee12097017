"""Run by test_entry.py inside a network namespace: clients whose address is not loopback."""
import http.client
import imaplib
import subprocess
import unittest

from harness import LIMIT_S, PASSWORD, Server

HERE = "10.11.12.13"
ALICE = "alice@example.test"


def setUpModule():
    for words in (["link", "set", "lo", "up"], ["address", "add", HERE + "/32", "dev", "lo"]):
        subprocess.run(["ip", *words], check=True)


class Elsewhere(unittest.TestCase):
    def start(self, **settings):
        server = Server(store="url", imap__listen=HERE + ":0", http__listen=HERE + ":0", **settings)
        self.addCleanup(server.close)
        return server

    def imap(self, server):
        client = imaplib.IMAP4(HERE, server.ports["imap"], timeout=LIMIT_S)
        self.addCleanup(client.shutdown)
        return client

    def test_passwords_need_tls(self):
        server = self.start()
        client = self.imap(server)
        self.assertIn("LOGINDISABLED", client.capabilities)
        self.assertNotIn("AUTH=PLAIN", client.capabilities)
        for attempt in (lambda: client.login(ALICE, PASSWORD),
                        lambda: client.authenticate("PLAIN", lambda _: f"\0{ALICE}\0{PASSWORD}".encode())):
            with self.assertRaises(imaplib.IMAP4.error) as refused:
                attempt()
            self.assertIn("PRIVACYREQUIRED", str(refused.exception))
        context = server.tls_context()
        context.check_hostname = False
        client.starttls(context)
        client.login(ALICE, PASSWORD)

    def test_plaintext_by_setting(self):
        client = self.imap(self.start(auth__plaintext="true"))
        self.assertNotIn("LOGINDISABLED", client.capabilities)
        client.login(ALICE, PASSWORD)

    def phone(self, server, **headers):
        client = http.client.HTTPConnection(HERE, server.ports["http"], timeout=LIMIT_S)
        self.addCleanup(client.close)
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync", headers={"Authorization": server.basic(ALICE), **headers})
        return client.getresponse().status

    def test_phones_need_tls_or_a_proxy_that_is_trusted(self):
        server = self.start()
        self.assertEqual(self.phone(server), 403)
        self.assertEqual(self.phone(server, **{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}), 403)
        server = self.start(http__trusted_proxies=HERE)
        self.assertEqual(self.phone(server, **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}), 200)
        self.assertEqual(self.phone(server, **{"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}), 403)


if __name__ == "__main__":
    unittest.main()
