"""Starts the real server on a data directory of its own and gives what tests need to talk to it.

Environment:
  GODWIT_BIN            the program (default: build/dev/godwit)
  GODWIT_TEST_STORE     "embedded" (default): each server makes its own cluster; "url": a fresh database on
  GODWIT_TEST_ADMIN_URL   this connection string
  GODWIT_TEST_USER      the user that runs the server when the tests run as root (default: godwit)
"""
import base64
import contextlib
import http.client
import imaplib
import os
import pwd
import re
import secrets

import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT_S = float(os.environ.get("GODWIT_TEST_LIMIT_S", "60"))  # the longest any test waits for one event
PASSWORD = "demo"

def service_user():
    """The account that runs server and PostgreSQL when we are root, else None."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam(os.environ.get("GODWIT_TEST_USER", "godwit"))

def drop_to(user):
    def drop():
        os.setsid()
        if user:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
    return drop

def program():
    return os.environ.get("GODWIT_BIN", os.path.join(ROOT, "build", "dev", "godwit"))

def wait_for(check, what, limit=LIMIT_S):
    """Waits until check() is true and returns its value. Only for things that send no event of their own."""
    end = time.monotonic() + limit
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s in vain for {what}")
        threading.Event().wait(0.01)

class Log:
    """The server's log, line by line; wait() blocks until a line matches."""

    def __init__(self, stream):
        self.lines, self.ended, self.changed = [], False, threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, pattern, start=0, limit=LIMIT_S):
        end = time.monotonic() + limit
        with self.changed:
            while True:
                for line in self.lines[start:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    raise AssertionError(f"no log line {pattern!r}; the log:\n" + "\n".join(self.lines[-60:]))
                self.changed.wait(left)

    def text(self):
        with self.changed:
            return "\n".join(self.lines)

class Certificate:
    """One self-signed certificate for the whole test run."""
    made = None

    @classmethod
    def get(cls):
        if cls.made is None:
            folder = tempfile.mkdtemp(prefix="godwit-cert-")
            os.chmod(folder, 0o755)
            cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                           check=True, capture_output=True)
            os.chmod(key, 0o644)  # a throw-away key that the service user must read
            cls.made = (cert, key)
        return cls.made

class Server:
    def __init__(self, start=True, store=None, tls=True, accounts=("alice@example.test", "bob@example.test"), **settings):
        """settings: section__key="value", for --set section.key=value."""
        self.user = service_user()
        self.folder = tempfile.mkdtemp(prefix="godwit-test-")
        self.data = os.path.join(self.folder, "data")
        os.mkdir(self.data, 0o700)
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
            os.chown(self.data, self.user.pw_uid, self.user.pw_gid)
        self.settings = {
            "data.dir": self.data,
            "server.hostname": "mail.example.test",
            "push.recheck_s": "0",
            "push.quiet_s": "0",
            "eas.heartbeat_min_s": "1",
        }
        for service in ("lmtp.listen", "imap.listen", "imap.listen_tls", "http.listen", "http.listen_tls", "admin.listen"):
            self.settings[service] = "127.0.0.1:0"
        if tls:
            cert, key = Certificate.get()
            self.settings.update({"tls.cert": cert, "tls.key": key})
        else:
            self.settings.update({"imap.listen_tls": "", "http.listen_tls": ""})
        self.database = None
        if (store or os.environ.get("GODWIT_TEST_STORE", "embedded")) == "url":
            self._make_database()
        else:
            self.settings["database.unsafe_no_fsync"] = "true"
        for name, value in settings.items():
            self.settings[name.replace("__", ".")] = str(value)
        self.process, self.log, self.ports = None, None, {}
        self.opened = []
        try:
            if start:
                self.start()
                for login in accounts:
                    self.add_account(login)
        except BaseException:
            self.close()
            raise

    # ---- life ----

    def _make_database(self):
        admin = os.environ["GODWIT_TEST_ADMIN_URL"]
        self.database = "e2e_" + secrets.token_hex(6)
        subprocess.run(["psql", "-qX", "-d", admin, "-c", f"create database {self.database}"], check=True)
        self.settings["database.url"] = f"{admin} dbname={self.database}"

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("GODWIT_")}
        env["HOME"] = self.folder
        return env

    def options(self):
        words = []
        for key, value in self.settings.items():
            words += ["--set", f"{key}={value}"]
        return words

    def start(self):
        self.process = subprocess.Popen([program(), "serve"] + self.options(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder,
                                        env=self.environment(), preexec_fn=drop_to(self.user))
        self.log = Log(self.process.stderr)
        self.log.wait(r" ready( |$)")
        self.ports = {}
        for line in self.log.lines:
            found = re.search(r" listening .*service=(\S+).* port=(\d+)", line)
            if found:
                self.ports[found.group(1)] = int(found.group(2))

    def stop(self, how=signal.SIGTERM, limit=LIMIT_S):
        """Ends the server and returns its exit code."""
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not stop; its log:\n" + self.log.text()[-6000:])
        self.log.thread.join(limit)
        self.process.stderr.close()
        self.process = None
        return code

    def kill(self):
        """SIGKILL: the embedded PostgreSQL lives on, as after a crash. The log's pipe may stay open with it."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def close(self):
        for thing in self.opened:
            with contextlib.suppress(Exception):
                thing()
        self.opened = []
        failure = None
        try:
            code = self.stop()
            if code not in (None, 0):
                failure = f"the server ended with {code}:\n" + self.log.text()[-6000:]
        except AssertionError as error:
            failure = str(error)
        self._stop_cluster()
        if self.database:
            subprocess.run(["psql", "-qX", "-d", os.environ["GODWIT_TEST_ADMIN_URL"], "-c",
                            f"drop database if exists {self.database} with (force)"], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        if failure:
            raise AssertionError(failure)

    def _stop_cluster(self):
        """A cluster that a killed server left behind."""
        pidfile = os.path.join(self.data, "postgres", "postmaster.pid")
        with contextlib.suppress(OSError, ValueError):
            pid = int(open(pidfile).readline())
            os.kill(pid, signal.SIGINT)
            wait_for(lambda: not os.path.exists(pidfile), "PostgreSQL to stop")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the command line ----

    def cli(self, *words, check=True, stdin=""):
        result = subprocess.run([program(), *words] + self.options(), input=stdin.encode(), capture_output=True,
                                cwd=self.folder, env=self.environment(), preexec_fn=drop_to(self.user), timeout=LIMIT_S)
        result.out, result.err = result.stdout.decode(), result.stderr.decode()
        if check and result.returncode:
            raise AssertionError(f"godwit {' '.join(words)} ended with {result.returncode}: {result.err}")
        return result

    def add_account(self, login, password=PASSWORD):
        return self.cli("account", "add", login, "--password-stdin", stdin=password + "\n")

    # ---- clients ----

    def tls_context(self):
        return ssl.create_default_context(cafile=Certificate.get()[0])

    def deliver(self, message, to=("alice@example.test",), sender="sender@example.org"):
        """By LMTP; message: bytes or text. Returns the replies: {recipient: (code, text)}; raises unless all got 250."""
        client = smtplib.LMTP("127.0.0.1", self.ports["lmtp"], timeout=LIMIT_S)
        try:
            if isinstance(to, str):
                to = (to,)
            refused = client.sendmail(sender, list(to), message if isinstance(message, bytes) else message.encode())
            if refused:
                raise AssertionError(f"delivery refused: {refused}")
        finally:
            client.close()

    def imap(self, login="alice@example.test", password=PASSWORD, tls=False, select=None):
        if tls:
            client = imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=self.tls_context(), timeout=LIMIT_S)
        else:
            client = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=LIMIT_S)
        self.opened.append(client.shutdown)
        if login:
            client.login(login, password)
        if select:
            client.select(select)
        return client

    def delete_many(self, login, count, password=PASSWORD):
        """Appends so many mails to the account's INBOX, "number 0" and on, and expunges them in one command."""
        client = self.raw_imap(login, password)
        for number in range(count):
            octets = b"Subject: number %d\r\n\r\nx\r\n" % number
            client.ok(b"APPEND INBOX {%d+}\r\n%s" % (len(octets), octets))
        client.ok("SELECT INBOX")
        client.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        client.ok("EXPUNGE")
        client.ok("LOGOUT")

    def raw_imap(self, login="alice@example.test", password=PASSWORD, tls=False):
        client = RawImap(self, tls)
        self.opened.append(client.close)
        if login:
            client.ok(f'LOGIN "{login}" "{password}"')
        return client

    def http(self, tls=False, service=None):
        port = self.ports[service or ("https" if tls else "http")]
        if tls:
            client = http.client.HTTPSConnection("localhost", port, timeout=LIMIT_S, context=self.tls_context())
        else:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
        self.opened.append(client.close)
        return client

    def admin_token(self, scopes="read,restore,manage", *words):
        """A fresh bearer token for the admin API."""
        return self.cli("token", "add", "t" + secrets.token_hex(6), "--scopes", scopes, *words).out.strip()

    @staticmethod
    def basic(login="alice@example.test", password=PASSWORD):
        return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()

class RawImap:
    """IMAP line by line, for what imaplib hides: untagged order, IDLE, pipelining."""

    def __init__(self, server, tls=False):
        self.sock = socket.create_connection(("127.0.0.1", server.ports["imaps" if tls else "imap"]), timeout=LIMIT_S)
        if tls:
            self.sock = server.tls_context().wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("rb")
        self.tag = 0
        self.greeting = self.line()

    def line(self):
        """One response line; literals are joined into it."""
        text = b""
        while True:
            part = self.file.readline()
            if not part:
                raise EOFError("the server closed the connection; last: %r" % text)
            text += part
            found = re.search(rb"\{(\d+)\}\r\n$", part)
            if not found:
                return text[:-2]
            text += self.file.read(int(found.group(1)))

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def command(self, text):
        """Sends one command; returns (untagged lines, tagged line)."""
        self.tag += 1
        tag = b"t%d" % self.tag
        self.send(tag + b" " + (text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        return self.finish(tag)

    def finish(self, tag):
        lines = []
        while True:
            line = self.line()
            if line.startswith(tag + b" "):
                return lines, line
            lines.append(line)

    def ok(self, text):
        lines, last = self.command(text)
        if b" OK" not in last[:12]:
            raise AssertionError(f"{text!r} was answered {last!r}")
        return lines

    def idle(self):
        self.tag += 1
        self.idle_tag = b"t%d" % self.tag
        self.send(self.idle_tag + b" IDLE\r\n")
        line = self.line()
        if not line.startswith(b"+"):
            raise AssertionError(f"IDLE was answered {line!r}")

    def idle_wait(self, pattern):
        """Reads untagged lines until one matches."""
        while True:
            line = self.line()
            if re.search(pattern, line):
                return line

    def done(self):
        self.send("DONE\r\n")
        return self.finish(self.idle_tag)

    def close(self):
        self.file.close()
        self.sock.close()

def message(subject="Hello", text="Good morning.\r\n", sender="Ann <ann@example.org>", to="alice@example.test",
            headers="", message_id=None):
    """A plain message, as bytes."""
    message_id = message_id or f"<{secrets.token_hex(8)}@example.org>"
    return (f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: {message_id}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"{headers}\r\n{text}").encode()

class ServerTest(unittest.TestCase):
    """One server for all tests of a class; settings as for Server."""
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(**cls.settings)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
