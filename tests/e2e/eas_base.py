"""What the ActiveSync tests share."""
import base64
import os
import subprocess

from eas_client import Phone
from harness import LIMIT_S, PASSWORD, ServerTest, drop_to, message

ALICE, BOB = "alice@example.test", "bob@example.test"
VERSIONS = ("12.0", "12.1", "14.0", "14.1", "16.0", "16.1")
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n0123456789").decode()
RICH = ("From: Ann <ann@example.org>\r\nTo: alice@example.test\r\nSubject: Rich\r\nMessage-ID: <rich@example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
        "--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
        "--i\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nPlain words\r\n"
        "--i\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>Rich words</p></body></html>\r\n--i--\r\n"
        "--o\r\nContent-Type: image/png; name=dot.png\r\nContent-Disposition: attachment; filename=dot.png\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{PIXEL}\r\n--o--\r\n")
SIGNED = ("From: Ann <ann@example.org>\r\nTo: alice@example.test\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
          "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=s\r\n\r\n"
          "--s\r\nContent-Type: text/plain\r\n\r\nSigned  words \r\n"
          "--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n"
          "MAAA\r\n--s--\r\n")


def wait_lines(log, pattern, count, start=0):
    """Blocks until the log has so many lines with the text behind line `start`."""
    with log.changed:
        def found():
            return sum(pattern in line for line in log.lines[start:])
        if not log.changed.wait_for(lambda: log.ended or found() >= count, LIMIT_S) or found() < count:
            raise AssertionError(f"only {found()} of {count} log lines with {pattern!r}:\n" + "\n".join(log.lines[-30:]))


class Sql:
    """psql on the server's own database, beside the server: what another process may do. Stays connected."""

    def __init__(self, server, database=None):
        self.server = server
        if server.database:
            url = f"{os.environ['GODWIT_TEST_ADMIN_URL']} dbname={database or server.database}"
        else:
            with open(os.path.join(server.data, "postgres", "postmaster.pid")) as file:
                socket = file.read().split("\n")[4]
            user = server.user.pw_name if server.user else os.environ["USER"]
            url = f"host={socket} port=5432 user={user} dbname={database or 'godwit'}"
        self.process = subprocess.Popen(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", url], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, cwd=server.folder, env=server.environment(),
                                        preexec_fn=drop_to(server.user if not server.database else None))
        server.opened.append(self.close)

    def __call__(self, text):
        """Runs statements and returns the rows of their results, as text."""
        self.process.stdin.write(text.encode() + b";\n\\echo end-of-answer\n")
        self.process.stdin.flush()
        rows = []
        for line in self.process.stdout:
            row = line.decode().rstrip("\n")
            if row == "end-of-answer":
                return rows
            rows.append(row)
        raise AssertionError(f"psql ended in {text!r}")

    def close(self):
        self.process.communicate()


class EasTest(ServerTest):
    """Each test has accounts of its own, so that none sees another's mail."""
    counter = 0

    def setUp(self):
        EasTest.counter += 1
        self.user = f"user{EasTest.counter}@example.test"
        self.server.add_account(self.user)

    def phone(self, **more):
        return Phone(self.server, login=self.user, **more)

    def imap(self, select="INBOX"):
        return self.server.imap(self.user, PASSWORD, select=select)

    def deliver(self, *subjects, **more):
        for subject in subjects:
            self.server.deliver(message(subject, to=self.user, **more), to=self.user)

    def primed(self, *content, **more):
        """A phone that has everything of its Inbox."""
        phone = self.phone(**more)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox, *content)
        return phone, inbox

    def waits(self, start, *arguments, **more):
        """Starts a request and returns it once the server has it parked. Needs log.level=debug."""
        lines = len(self.server.log.lines)
        pending = start(*arguments, **more)
        self.server.log.wait(r" eas_waiting ", lines)
        return pending
