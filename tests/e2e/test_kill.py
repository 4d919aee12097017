"""Accepted means kept: the server is killed, or loses its database, in the middle of many deliveries."""
import hashlib
import os
import re
import secrets
import signal
import subprocess
import threading
import unittest

from harness import Server, message, wait_for
from test_lmtp import Lmtp, without_prefix

USERS = [f"u{n}@example.test" for n in range(3)]
CLIENTS = 6
SIZES = (0, 0, 3000, 0, 90000, 0, 1500000)  # octets of text; the last one passes by a spool file


class Traffic:
    """Clients that deliver until the server goes or they are told to stop; what each recipient was answered is written down."""

    def __init__(self, server):
        self.server, self.lock, self.stopping = server, threading.Lock(), threading.Event()
        self.octets = {}    # Message-ID -> the message
        self.answers = {}   # (Message-ID, recipient) -> code; absent: never answered
        self.accepted = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self.deliver, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def deliver(self, number):
        count = number
        while not self.stopping.is_set():
            try:
                client = Lmtp(self.server)
            except (OSError, EOFError):
                return  # killed
            try:
                while not self.stopping.is_set():
                    count += 1
                    self.one(client, USERS[count % 3:][:1 + count % 3] or USERS[:1], SIZES[count % len(SIZES)])
            except (OSError, EOFError):
                pass  # the connection was lost: the next one tells whether the server is still there
            finally:
                client.close()

    def one(self, client, recipients, size):
        name = f"<{secrets.token_hex(12)}@example.org>"
        octets = message("k", text=f"{name}\r\n" + "x" * 70 * (size > 0) + ("\r\n" + "y" * 70) * (size // 72) + "\r\n",
                         message_id=name)
        with self.lock:
            self.octets[name] = octets
        taken = [recipient for recipient, reply in zip(recipients, client.open_mail(*recipients)[1:])
                 if reply.startswith("250")]
        if not taken:
            client.ask("RSET")
            return
        client.send(b"DATA\r\n")
        if not client.reply().startswith("354"):
            client.ask("RSET")
            return
        client.send(octets + b".\r\n")
        for recipient in taken:
            code = client.reply()[:3]
            with self.lock:
                self.answers[name, recipient] = code
            if code == "250":
                self.accepted.release()

    def wait_accepted(self, count, limit):
        for _ in range(count):
            if not self.accepted.acquire(timeout=limit):
                raise AssertionError(f"fewer than {count} deliveries were accepted in time")

    def join(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            if thread.is_alive():
                raise AssertionError("a client hangs")

    def check(self, test, in_doubt=False):
        """Every 250 is there once and whole; what was never answered is there at most once and whole. in_doubt: so is what
        was put off (451): with the store away nobody can tell whether the commit was made, and the sender tries again."""
        found = {}
        for user in USERS:
            imap = self.server.imap(user, select="INBOX")
            count = int(imap.select("INBOX")[1][0])
            for part in imap.fetch("1:*", "(BODY.PEEK[])")[1] if count else []:
                if not isinstance(part, tuple):
                    continue
                name = re.search(rb"^Message-ID: (<[^>]+>)", part[1], re.M | re.I).group(1).decode()
                found[name, user] = found.get((name, user), 0) + 1
                test.assertEqual(hashlib.sha256(without_prefix(part[1])).digest(),
                                 hashlib.sha256(self.octets[name]).digest(), "half a message")
            imap.shutdown()
        kept = {key for key, code in self.answers.items() if code == "250"}
        test.assertEqual([key for key in kept if found.get(key) != 1], [], "accepted, and not there once")
        test.assertEqual([key for key, count in found.items() if count != 1], [], "there more than once")
        others = {key: code for key, code in self.answers.items() if code != "250" and key in found}
        test.assertEqual([key for key, code in others.items() if not in_doubt or code != "451"], [],
                         "refused, and there all the same")
        return len(kept), len(found)


class Killed(unittest.TestCase):
    ROUNDS = 3

    def test_sigkill_in_the_middle_of_deliveries(self):
        with Server(accounts=USERS) as server:
            runs = []
            for number in range(self.ROUNDS):
                traffic = Traffic(server)
                runs.append(traffic)
                traffic.wait_accepted(40 + 35 * number, 60)
                server.kill()
                traffic.join()
                server.start()
                kept, found = Traffic.check(self.joined(server, runs), self)
                self.assertGreaterEqual(kept, 40)
                self.assertGreaterEqual(found, kept)

    @staticmethod
    def joined(server, runs):
        """All rounds as one: what was accepted before the last kill must not have gone since."""
        whole = Traffic.__new__(Traffic)
        whole.server, whole.octets, whole.answers = server, {}, {}
        for run in runs:
            whole.octets.update(run.octets)
            whole.answers.update(run.answers)
        return whole


class WithoutDatabase(unittest.TestCase):
    """The database ends every session while mail comes in: a lost commit answer is looked up, never repeated blindly."""

    def test_lost_sessions_lose_and_double_nothing(self):
        with Server(store="url", accounts=USERS) as server:
            traffic = Traffic(server)
            for _ in range(12):
                traffic.wait_accepted(15, 60)
                done = subprocess.run(["psql", "-qXAt", "-d", os.environ["GODWIT_TEST_ADMIN_URL"], "-c",
                                       "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = "
                                       f"'{server.database}'"], capture_output=True, text=True, check=True)
                self.assertGreater(int(done.stdout), 0)
            traffic.wait_accepted(15, 60)  # it found back by itself
            traffic.join()
            kept, _ = traffic.check(self)
            self.assertGreaterEqual(kept, 12 * 15)

    def test_a_killed_cluster_comes_back(self):
        """The embedded PostgreSQL loses a backend to SIGKILL and recovers from its log: nothing accepted is gone."""
        with Server(store="embedded", accounts=USERS, database__unsafe_no_fsync="false") as server:
            traffic = Traffic(server)
            traffic.wait_accepted(40, 60)
            before = set(self.backends(server))
            self.assertTrue(before)
            os.kill(min(before), signal.SIGKILL)  # PostgreSQL ends all others and starts anew
            wait_for(lambda: self.recovered(server, before), "PostgreSQL to be back")
            traffic.wait_accepted(40, 60)
            traffic.join()
            traffic.check(self, in_doubt=True)

    @staticmethod
    def backends(server):
        postmaster = int(open(os.path.join(server.data, "postgres", "postmaster.pid"), encoding="ascii").readline())
        done = subprocess.run(["pgrep", "-P", str(postmaster), "-f", r"postgres: \S+ \S+ \[local\]"],
                              capture_output=True, text=True, check=False)
        return [int(line) for line in done.stdout.split()]

    def recovered(self, server, before):
        now = set(self.backends(server))
        return now and not now & before


if __name__ == "__main__":
    unittest.main()
