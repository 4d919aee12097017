"""TLS as clients and operators meet it: versions, names, certificates read again, and nothing smuggled before it."""
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from harness import LIMIT_S, PASSWORD, RawImap, Server

ALICE = "alice@example.test"


def make_certificate(folder, name, subject):
    cert, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={subject}", "-addext", f"subjectAltName=DNS:{subject}",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    os.chmod(key, 0o644)  # a throw-away key that the service user must read
    return cert, key


class Tls(unittest.TestCase):
    def setUp(self):
        self.server = Server(start=False, log__level="debug")
        self.addCleanup(self.server.close)
        self.folder = self.server.folder
        os.chmod(self.folder, 0o755)
        self.cert, self.key = os.path.join(self.folder, "cert.pem"), os.path.join(self.folder, "key.pem")
        self.install("first.example.test")
        self.sni = os.path.join(self.folder, "sni")
        os.mkdir(self.sni)
        make_certificate(self.sni, "mail.one.test", "mail.one.test")
        make_certificate(self.sni, "_.two.test", "any.two.test")
        self.server.settings.update({"tls.cert": self.cert, "tls.key": self.key, "tls.sni_dir": self.sni})

    def begin(self, **settings):
        self.server.settings.update({name.replace("__", "."): value for name, value in settings.items()})
        self.server.start()
        self.server.add_account(ALICE)

    def install(self, subject):
        made = make_certificate(self.folder, "made", subject)
        shutil.copy(made[0], self.cert)
        shutil.copy(made[1], self.key)
        os.chmod(self.key, 0o644)

    def s_client(self, *words, service="imaps"):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.server.ports[service]}", *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_S)

    def subject(self, *words, service="imaps"):
        """The name in the certificate that is shown."""
        return re.search(r"subject=.*CN ?= ?(\S+)", self.s_client(*words, service=service).stdout).group(1)

    def reload(self):
        start = len(self.server.log.lines)
        self.server.process.send_signal(signal.SIGHUP)
        return self.server.log.wait(r" reload .*result=(\S+)", start).group(1)

    def test_names(self):
        self.begin()
        rows = [
            (["-noservername"], "first.example.test"),
            (["-servername", "mail.one.test"], "mail.one.test"),
            (["-servername", "MAIL.One.Test"], "mail.one.test"),
            (["-servername", "x.two.test"], "any.two.test"),
            (["-servername", "a.x.two.test"], "first.example.test"),
            (["-servername", "two.test"], "first.example.test"),
            (["-servername", "unknown.test"], "first.example.test"),
        ]
        for words, name in rows:
            for service, more in (("imaps", []), ("https", []), ("imap", ["-starttls", "imap"]),
                                  ("lmtp", ["-starttls", "lmtp", "-name", "x"])):
                with self.subTest(f"{words} {service}"):
                    self.assertEqual(self.subject(*words, *more, service=service), name)

    def test_versions(self):
        self.begin()
        for version, good in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
            for service in ("imaps", "https"):
                with self.subTest(f"{version} {service}"):
                    # SECLEVEL 0: this client would refuse the old version by itself.
                    done = self.s_client(version, "-cipher", "DEFAULT@SECLEVEL=0", service=service)
                    self.assertEqual("Cipher is (NONE)" not in done.stdout and done.returncode == 0, good,
                                     done.stdout + done.stderr)
                    if not good:
                        self.assertIn("alert protocol version", done.stderr)

    def test_only_1_3_when_set(self):
        self.begin(tls__min_version="1.3")
        self.assertIn("alert protocol version", self.s_client("-tls1_2").stderr)
        self.assertEqual(self.s_client("-tls1_3").returncode, 0)

    def test_no_renegotiation(self):
        self.begin()
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.server.ports['imaps']}", "-tls1_2"],
                              input="R\n", capture_output=True, text=True, timeout=LIMIT_S)
        self.assertIn("no renegotiation", done.stdout + done.stderr)

    def test_reload_drops_nobody(self):
        self.begin()
        # The clients below do not check names: what they are shown is the matter here.
        old = RawImap.__new__(RawImap)
        context = self.server.tls_context()
        context.check_hostname, context.verify_mode = False, 0
        old.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", self.server.ports["imaps"]), LIMIT_S))
        old.file, old.tag = old.sock.makefile("rb"), 0
        self.addCleanup(old.close)
        old.line()
        old.ok(f"LOGIN {ALICE} {PASSWORD}")
        old.ok("SELECT INBOX")
        old.idle()
        plain = self.server.raw_imap(ALICE)
        self.install("second.example.test")
        shutil.rmtree(self.sni)
        os.mkdir(self.sni)
        make_certificate(self.sni, "mail.three.test", "mail.three.test")
        self.assertEqual(self.subject("-noservername"), "first.example.test", "nothing changes before the signal")
        self.assertEqual(self.reload(), "ok")
        for service in ("imaps", "https"):
            self.assertEqual(self.subject("-noservername", service=service), "second.example.test")
            self.assertEqual(self.subject("-servername", "mail.three.test", service=service), "mail.three.test")
            self.assertEqual(self.subject("-servername", "mail.one.test", service=service), "second.example.test")
        self.server.deliver(b"Subject: x\r\n\r\ny\r\n", ALICE)
        old.idle_wait(rb"^\* 1 EXISTS")
        old.done()
        plain.ok("NOOP")

    def test_a_bad_reload_keeps_what_works(self):
        self.begin()
        key = make_certificate(self.folder, "stranger", "stranger.test")[1]
        rows = [
            ("no certificate", self.cert, b""),
            ("rubbish", self.cert, b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"),
            ("the key of another", self.key, open(key, "rb").read()),
        ]
        for name, path, octets in rows:
            with self.subTest(name):
                kept = open(path, "rb").read()
                with open(path, "wb") as f:
                    f.write(octets)
                self.assertNotEqual(self.reload(), "ok")
                self.assertIn(os.path.basename(self.cert), self.server.log.text())
                self.assertEqual(self.subject("-noservername"), "first.example.test")
                with open(path, "wb") as f:
                    f.write(kept)
                self.assertEqual(self.reload(), "ok")

    def test_a_key_that_does_not_fit_is_said_at_the_start(self):
        self.install("first.example.test")
        key = make_certificate(self.folder, "stranger", "stranger.test")[1]
        self.server.settings["tls.key"] = key
        result = self.server.cli("serve", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"the private key {key} does not fit the certificate {self.cert}", result.err)


class StartTls(unittest.TestCase):
    def test_what_came_before_the_handshake_is_dropped(self):
        with Server(accounts=(ALICE,)) as server:
            client = RawImap(server)
            self.addCleanup(client.close)
            self.assertIn(b"STARTTLS", b" ".join(client.ok("CAPABILITY")))
            # One packet: the injected command would be answered inside TLS as if the client had sent it there.
            client.send(b"a STARTTLS\r\nb CREATE Injected\r\nc LOGIN alice@example.test demo\r\n")
            self.assertTrue(client.line().startswith(b"a OK"))
            client.sock = server.tls_context().wrap_socket(client.sock, server_hostname="localhost")
            client.file = client.sock.makefile("rb")
            self.assertEqual([line for line in client.ok("NOOP") if line[:2] in (b"b ", b"c ")], [])
            self.assertNotIn(b"STARTTLS", b" ".join(client.ok("CAPABILITY")))
            self.assertNotIn(b" OK", client.command("SELECT INBOX")[1], "not logged in")
            client.ok(f"LOGIN {ALICE} {PASSWORD}")
            self.assertNotIn(b"Injected", b" ".join(client.ok('LIST "" *')))
            self.assertIn(b" BAD", client.command("STARTTLS")[1])


if __name__ == "__main__":
    unittest.main()
