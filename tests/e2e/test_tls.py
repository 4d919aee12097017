"""Certificates, protocol versions and STARTTLS, as openssl's own client and python's ssl see them."""
import hashlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import unittest

from harness import LIMIT_S, PASSWORD, Server

ALICE = "alice@example.test"


def make_certificate(folder, name, common_name):
    """Writes NAME.crt and NAME.key; gives the SHA-256 of the certificate."""
    cert, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={common_name}", "-addext", f"subjectAltName=DNS:{common_name}", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    os.chmod(key, 0o644)  # a throw-away key that the service user must read
    with open(cert, encoding="ascii") as file:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()


def shown(server, service, name="localhost"):
    """SHA-256 of the certificate that a client asking for `name` is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.ports[service]), timeout=LIMIT_S) as sock:
        with context.wrap_socket(sock, server_hostname=name) as tls:
            return hashlib.sha256(tls.getpeercert(True)).hexdigest()


def handshake(server, service, *words):
    """What openssl's client says of one handshake."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports[service]}", "-cipher", "ALL:@SECLEVEL=0",
                           *words], input=b"", capture_output=True, timeout=LIMIT_S)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


class Certificates(unittest.TestCase):
    def start(self, **settings):
        server = Server(start=False, **settings)
        self.addCleanup(server.close)
        self.folder = os.path.join(server.folder, "certificates")
        os.mkdir(self.folder)
        server.settings.update({"tls.cert": os.path.join(self.folder, "main.crt"), "tls.key": os.path.join(self.folder, "main.key")})
        self.main = make_certificate(self.folder, "main", "localhost")
        return server

    def test_a_reload_changes_the_certificate_and_drops_nobody(self):
        server = self.start()
        server.start()
        server.add_account(ALICE)
        context = ssl.create_default_context(cafile=os.path.join(self.folder, "main.crt"))
        with socket.create_connection(("127.0.0.1", server.ports["imaps"]), timeout=LIMIT_S) as sock:
            with context.wrap_socket(sock, server_hostname="localhost") as tls:
                lines = tls.makefile("rb")
                lines.readline()
                tls.sendall(f"a LOGIN {ALICE} {PASSWORD}\r\n".encode())
                self.assertIn(b"a OK", lines.readline())
                self.assertEqual({shown(server, s) for s in ("imaps", "https")}, {self.main})

                newer = make_certificate(self.folder, "main", "localhost")
                at = len(server.log.lines)
                server.process.send_signal(signal.SIGHUP)
                server.log.wait(r" reload.* result=ok", at)
                self.assertEqual({shown(server, s) for s in ("imaps", "https")}, {newer})
                tls.sendall(b"b NOOP\r\n")
                self.assertIn(b"b OK", lines.readline())

                shutil.copy(os.path.join(self.folder, "main.crt"), os.path.join(self.folder, "main.key"))
                at = len(server.log.lines)
                server.process.send_signal(signal.SIGHUP)
                server.log.wait(r" reload.* story=.*key", at)
                self.assertEqual(shown(server, "imaps"), newer, "a bad one changes nothing")
                tls.sendall(b"c NOOP\r\n")
                self.assertIn(b"c OK", lines.readline())

    def test_a_certificate_for_each_name(self):
        server = self.start()
        names = os.path.join(self.folder, "names")
        os.mkdir(names)
        mail = make_certificate(names, "mail.example.test", "mail.example.test")
        wild = make_certificate(names, "_.example.org", "*.example.org")
        server.settings["tls.sni_dir"] = names
        server.start()
        rows = (("mail.example.test", mail), ("MAIL.example.test", mail), ("phone.example.org", wild),
                ("a.b.example.org", self.main), ("example.org", self.main), ("else.example.test", self.main))
        for name, want in rows:
            for service in ("imaps", "https"):
                with self.subTest(name=name, service=service):
                    self.assertEqual(shown(server, service, name), want)


class Versions(unittest.TestCase):
    def test_tls_1_2_and_1_3_only(self):
        with Server(accounts=()) as server:
            for service in ("imaps", "https"):
                for version, good in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
                    with self.subTest(service=service, version=version):
                        code, text = handshake(server, service, version)
                        self.assertEqual(code == 0, good, text)
                        if not good:
                            self.assertIn("alert protocol version", text)

    def test_1_3_only_by_setting(self):
        with Server(accounts=(), tls__min_version="1.3") as server:
            self.assertIn("alert protocol version", handshake(server, "imaps", "-tls1_2")[1])
            self.assertEqual(handshake(server, "imaps", "-tls1_3")[0], 0)

    def test_no_renegotiation(self):
        with Server(accounts=()) as server:
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['imaps']}", "-tls1_2"],
                                  input=b"R\n", capture_output=True, timeout=LIMIT_S)
            self.assertIn(b"no renegotiation", done.stdout + done.stderr)


class StartTls(unittest.TestCase):
    def test_what_came_before_the_handshake_is_dropped(self):
        """IMAP: RFC 2595 3.1, the capabilities from before count no more, and commands injected behind STARTTLS are gone."""
        with Server() as server:
            with socket.create_connection(("127.0.0.1", server.ports["imap"]), timeout=LIMIT_S) as sock:
                lines = sock.makefile("rb")
                self.assertIn(b"STARTTLS", lines.readline())
                sock.sendall(b"a STARTTLS\r\nb NOOP\r\nc LOGIN evil evil\r\n")
                self.assertIn(b"a OK", lines.readline())
                with server.tls_context().wrap_socket(sock, server_hostname="localhost") as tls:
                    lines = tls.makefile("rb")
                    tls.sendall(b"d CAPABILITY\r\n")
                    first = lines.readline()
                    self.assertTrue(first.startswith(b"* CAPABILITY"), first)
                    self.assertNotIn(b"STARTTLS", first)
                    self.assertIn(b"d OK", lines.readline())
                    tls.sendall(f"e LOGIN {ALICE} {PASSWORD}\r\nf STARTTLS\r\n".encode())
                    self.assertIn(b"e OK", lines.readline())
                    self.assertIn(b"f BAD", lines.readline())


if __name__ == "__main__":
    unittest.main()
