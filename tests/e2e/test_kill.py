"""Accepted means kept: the server, or its database connections, are killed in the middle of many deliveries."""
import os
import re
import secrets
import signal
import subprocess
import threading
import unittest

from harness import LIMIT_S, Server, message, wait_for
from test_lmtp import Lmtp, without_prefix

LOGINS = [f"user{i}@example.test" for i in range(4)]
CLIENTS = 6
BIG = "".join(f"line {i} {'x' * 70}\r\n" for i in range(18000))  # over 1 MiB: passes by a spool file


class Deliveries:
    """LMTP clients that deliver until they are stopped or lose the server; what was sent, and what was answered."""

    def __init__(self, server):
        self.server, self.stopping = server, False
        self.changed = threading.Condition()
        self.sent = {}     # guarded by changed; message id: (octets, recipients)
        self.answers = {}  # guarded by changed; (message id, recipient): code
        self.failures = []  # guarded by changed
        self.threads = []

    def start(self):
        self.stopping = False
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        try:
            client = Lmtp(self.server)
            for i in range(10000):
                if self.stopping:
                    break
                self.deliver(client, number + i)
            client.close()
        except OSError:
            pass  # the server is gone, or ended this connection: what was not answered stays without an answer
        except EOFError:
            pass
        except Exception as error:  # pylint: disable=broad-except
            with self.changed:
                self.failures.append(error)

    def deliver(self, client, turn):
        name = f"<{secrets.token_hex(12)}@kill.example>"
        recipients = [LOGINS[(turn + k) % len(LOGINS)] for k in range(1 + turn % 3)]
        octets = message(f"turn {turn}", BIG if turn % 12 == 0 else "small\r\n", message_id=name)
        accepted = []
        if not client.open_mail()[0].startswith("250"):
            client.ask("RSET")
            return
        for recipient in recipients:
            if client.ask(f"RCPT TO:<{recipient}>").startswith("250"):
                accepted.append(recipient)
        if not accepted:
            client.ask("RSET")
            return
        with self.changed:
            self.sent[name] = (octets, accepted)
        client.send("DATA\r\n")
        if not client.reply().startswith("354"):
            raise AssertionError("DATA was refused")
        client.send(octets + b".\r\n")
        for recipient in accepted:
            code = client.reply()[:3]
            with self.changed:
                self.answers[(name, recipient)] = code
                self.changed.notify_all()

    def wait_for_accepted(self, more):
        """Until so many further recipients got their 250."""
        with self.changed:
            goal = self.accepted() + more
            if not self.changed.wait_for(lambda: self.accepted() >= goal or self.failures, LIMIT_S):
                raise AssertionError(f"only {self.accepted()} of {goal} deliveries in {LIMIT_S} s")

    def accepted(self):
        return sum(code == "250" for code in self.answers.values())

    def stop(self):
        self.stopping = True
        self.join()

    def join(self):
        for thread in self.threads:
            thread.join(LIMIT_S)
            if thread.is_alive():
                raise AssertionError("a client hangs")


class Killing(unittest.TestCase):
    def mails(self, server, login):
        client = server.imap(login)
        count = int(client.select("INBOX", readonly=True)[1][0])
        for number in range(1, count + 1):
            yield client.fetch(str(number), "(BODY.PEEK[])")[1][0][1]
        client.logout()

    def check(self, server, deliveries):
        """Every 250 is there exactly once, whatever else was sent at most once, and all of it whole."""
        self.assertEqual(deliveries.failures, [])
        found = {}
        for login in LOGINS:
            for mail in self.mails(server, login):
                name = re.search(rb"^Message-ID: (\S+)\r$", mail, re.M).group(1).decode()
                self.assertIn(login, deliveries.sent[name][1])
                self.assertTrue(without_prefix(mail) == deliveries.sent[name][0], f"{name} of {login} is not whole")
                found[(name, login)] = found.get((name, login), 0) + 1
        self.assertEqual({key: count for key, count in found.items() if count != 1}, {}, "delivered twice")
        self.assertEqual([key for key, code in deliveries.answers.items() if code == "250" and key not in found], [],
                         "got 250 and is lost")
        return found

    def unanswered(self, deliveries):
        return [(name, recipient) for name, (_, recipients) in deliveries.sent.items() for recipient in recipients
                if (name, recipient) not in deliveries.answers]

    def postmaster(self, server):
        with open(os.path.join(server.data, "postgres", "postmaster.pid"), encoding="ascii") as f:
            return int(f.readline())

    def backends(self, postmaster):
        """The cluster's processes that serve a client."""
        found = []
        for name in os.listdir("/proc"):
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as f:
                    parent = int(f.read().rsplit(")", 1)[1].split()[1])
                with open(f"/proc/{name}/cmdline", "rb") as f:
                    command = f.read()
            except (OSError, ValueError, IndexError):
                continue
            if parent == postmaster and b"[local]" in command:
                found.append(int(name))
        return found

    def delivers_again(self, server):
        def delivered():
            client = Lmtp(server)
            try:
                replies = client.open_mail("probe@example.test")
                return replies[1].startswith("250") and client.data(message("probe"))[0].startswith("250")
            finally:
                client.close()
        wait_for(delivered, "a delivery after the database came back")


class Kill9(Killing):
    def test_sigkill_in_the_middle_of_deliveries(self):
        with Server(accounts=LOGINS) as server:
            deliveries = Deliveries(server)
            postmaster = None if server.database else self.postmaster(server)
            for accepted in (3, 20, 47, 90):
                deliveries.start()
                deliveries.wait_for_accepted(accepted)
                server.kill()
                deliveries.join()
                server.start()
                if postmaster:
                    self.assertEqual(self.postmaster(server), postmaster, "the cluster that lives on is adopted")
                self.check(server, deliveries)
                self.assertEqual(os.listdir(os.path.join(server.data, "spool")), [])
            self.assertNotEqual(self.unanswered(deliveries), [], "no delivery was on its way: the test proves nothing")
            self.assertEqual(set(deliveries.answers.values()), {"250"})
            self.assertEqual(server.stop(), 0)
            server.start()
            self.check(server, deliveries)


class Backends(Killing):
    def answers_only(self, deliveries):
        self.assertLessEqual(set(deliveries.answers.values()), {"250", "451"})
        self.assertEqual(self.unanswered(deliveries), [], "the server answers every message")

    def test_all_backends_are_terminated_again_and_again(self):
        with Server(accounts=LOGINS + ["probe@example.test"]) as server:
            deliveries = Deliveries(server)
            deliveries.start()
            for accepted in (5, 15, 10, 25, 8, 20):
                deliveries.wait_for_accepted(accepted)
                if server.database:
                    subprocess.run(["psql", "-qX", "-d", os.environ["GODWIT_TEST_ADMIN_URL"], "-c",
                                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = "
                                    f"'{server.database}'"], check=True, stdout=subprocess.DEVNULL)
                else:
                    for pid in self.backends(self.postmaster(server)):
                        os.kill(pid, signal.SIGTERM)  # what pg_terminate_backend does
            deliveries.wait_for_accepted(10)
            deliveries.stop()
            self.answers_only(deliveries)
            self.check(server, deliveries)
            self.delivers_again(server)

    def test_a_backend_is_killed_and_the_cluster_recovers(self):
        # kill -9 of one makes the postmaster end all and replay its log: always on a cluster of our own.
        with Server(store="embedded", accounts=LOGINS + ["probe@example.test"]) as server:
            deliveries = Deliveries(server)
            for accepted in (10, 30, 20):
                deliveries.start()
                deliveries.wait_for_accepted(accepted)
                os.kill(self.backends(self.postmaster(server))[-1], signal.SIGKILL)
                self.delivers_again(server)
                deliveries.wait_for_accepted(5)
                deliveries.stop()
                self.answers_only(deliveries)
            self.check(server, deliveries)


if __name__ == "__main__":
    unittest.main()
