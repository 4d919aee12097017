"""The main job, end to end, over TLS: mail arrives, phone and desktop know at once, an admin brings deleted mail back."""
import http.client
import json
import re

from eas_base import EasTest
from eas_client import Node, Phone, encode
from harness import LIMIT_S

MIME = Phone.options(0, (4, None), mime=2)


class Scenario(EasTest):
    settings = {"log__level": "debug"}

    def setUp(self):
        super().setUp()
        self.phone_ = self.phone(tls=True)
        self.inbox = self.phone_.folder("Inbox")
        self.phone_.sync_all(self.inbox, MIME)
        self.desktop = self.server.raw_imap(self.user, tls=True)
        self.desktop.ok("SELECT INBOX")

    # ---- both clients wait, something happens, both are told ----

    def wait(self, folders=None):
        """Parks a Ping and starts IDLE; returns the Ping once the server says that it is parked."""
        lines = len(self.server.log.lines)
        pending = self.phone_.ping(600, *(folders or [self.inbox]))
        self.server.log.wait(r" eas_waiting ", lines)
        self.desktop.idle()
        return pending

    def told(self, pending, pattern, status="2"):
        self.assertEqual(pending.answer().root.get("Ping:Status"), status)
        line = self.desktop.idle_wait(pattern)
        self.desktop.done()
        return line

    def sync(self, folder=None):
        return self.phone_.sync(folder or self.inbox, Node("AirSync:GetChanges"), MIME)

    @staticmethod
    def commands(collection):
        found = collection.find("AirSync:Commands") if collection else None
        return [(command.tag, command.get("AirSync:ServerId")) for command in found.children] if found else []

    def desktop_octets(self):
        line = self.desktop.ok("FETCH 1 (BODY.PEEK[])")[-1]
        size = int(re.search(rb"\{(\d+)\}", line).group(1))
        start = line.index(b"}\r\n") + 3
        return line[start:start + size]

    def both_have(self, subject):
        """The phone takes its Add; both read the same octets. Returns the phone's id of it."""
        self.sync()
        item = self.phone_.item(self.inbox, subject)
        body = self.phone_.items[self.inbox][item].find("AirSyncBase:Body")
        self.assertEqual(body.get("AirSyncBase:Type"), "4")
        octets = self.desktop_octets()
        self.assertEqual(body.get("AirSyncBase:Data").encode(), octets)
        self.assertIn(f"Subject: {subject}".encode(), octets)
        return item

    def restore_by_command_line(self):
        ids = self.server.cli("deleted", "list", self.user, "--ids").out.split()
        self.assertEqual(len(ids), 1)
        self.assertIn("is back in INBOX", self.server.cli("deleted", "restore", self.user, ids[0]).out)

    def restore_by_http(self):
        token, path = self.server.admin_token("read,restore"), f"/api/v1/accounts/{self.user}/deleted"

        def call(method, path, body=None):
            client = http.client.HTTPConnection("127.0.0.1", self.server.ports["admin"], timeout=LIMIT_S)
            client.request(method, path, json.dumps(body) if body else None, {"Authorization": "Bearer " + token})
            reply = client.getresponse()
            text = reply.read()
            client.close()
            self.assertEqual(reply.status, 200, text)
            return json.loads(text)
        rows = call("GET", path)["deleted"]
        self.assertEqual([row["folder"] for row in rows], ["INBOX"])
        self.assertEqual(call("POST", path + "/restore", {"ids": [rows[0]["id"]]})["restored"][0]["result"], "restored")

    def main_job(self, restore):
        pending = self.wait()
        self.deliver("The main job", text="Früh am Morgen.\r\n.dotted\r\n", headers="X-Odd:  kept as it is \r\n")
        self.told(pending, rb"^\* 1 EXISTS")
        item = self.both_have("The main job")
        date = self.desktop.ok("FETCH 1 INTERNALDATE")[-1].split(b'"')[1]

        self.desktop.idle()
        reply = self.phone_.command(self.inbox, self.phone_.change(item, Node("Email:Read", "1")))
        self.assertIsNone(reply.find("AirSync:Responses"), "a Change that went well has no reply")
        self.assertIn(b"\\Seen", self.desktop.idle_wait(rb"^\* 1 FETCH"))
        self.desktop.done()

        pending = self.wait()
        other = self.server.raw_imap(self.user, tls=True)
        other.ok("SELECT INBOX")
        other.ok("STORE 1 +FLAGS.SILENT (\\Answered \\Deleted)")
        other.ok("EXPUNGE")
        self.told(pending, rb"^\* 1 EXPUNGE")
        self.assertEqual(self.commands(self.sync()), [("AirSync:Delete", item)])
        self.assertEqual(self.phone_.items[self.inbox], {})

        pending = self.wait()
        restore()
        self.told(pending, rb"^\* 1 EXISTS")
        again = self.both_have("The main job")
        self.assertNotEqual(again, item, "what comes back is new mail to every client")
        self.assertEqual(self.phone_.items[self.inbox][again].get("Email:Read"), "1")
        line = self.desktop.ok("FETCH 1 (FLAGS INTERNALDATE)")[-1]
        self.assertIn(b"\\Seen", line)
        self.assertIn(b"\\Answered", line)
        self.assertNotIn(b"\\Deleted", line)
        self.assertIn(date, line)

    def test_by_command_line(self):
        self.main_job(self.restore_by_command_line)

    def test_by_admin_api(self):
        self.main_job(self.restore_by_http)

    # ---- the other direction ----

    def test_what_the_phone_deletes_comes_back(self):
        self.deliver("From the phone")
        self.sync()
        item = self.phone_.item(self.inbox, "From the phone")
        self.desktop.ok("NOOP")
        self.desktop.idle()
        self.phone_.sync(self.inbox, Node("AirSync:DeletesAsMoves", "0"),
                         Node("AirSync:Commands", Node("AirSync:Delete", Node("AirSync:ServerId", item))))
        self.desktop.idle_wait(rb"^\* 1 EXPUNGE")
        self.desktop.done()
        self.phone_.items[self.inbox].pop(item)
        self.assertIn("eas", self.server.cli("deleted", "list", self.user).out)
        pending = self.wait()
        self.restore_by_command_line()
        self.told(pending, rb"^\* 1 EXISTS")
        self.both_have("From the phone")

    def test_a_move_on_the_phone_is_seen_in_both_mailboxes(self):
        self.deliver("On the move")
        self.sync()
        item = self.phone_.item(self.inbox, "On the move")
        archive = self.server.raw_imap(self.user, tls=True)
        archive.ok("SELECT Archive")
        archive.idle()
        self.desktop.ok("NOOP")
        self.desktop.idle()
        target = self.phone_.folder("Archive")
        reply = self.phone_.move(item, self.inbox, target)
        self.assertEqual(reply.get("Move:Status"), "3")
        self.desktop.idle_wait(rb"^\* 1 EXPUNGE")
        archive.idle_wait(rb"^\* 1 EXISTS")
        archive.done()
        self.desktop.done()
        again = self.phone_.move(item, self.inbox, target)
        self.assertEqual((again.get("Move:Status"), again.get("Move:DstMsgId")), ("3", reply.get("Move:DstMsgId")))

    def test_a_folder_of_the_desktop_wakes_the_phone(self):
        pending = self.wait()
        other = self.server.raw_imap(self.user, tls=True)
        other.ok("CREATE Travel")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "7")
        self.desktop.done()
        self.phone_.folder_sync()
        self.assertTrue(self.phone_.folder("Travel"))

    # ---- the same request twice ----

    def test_a_repeated_request_gives_the_same_answer_and_changes_nothing_twice(self):
        self.deliver("one", "two", "three")
        key = self.phone_.keys[self.inbox]
        first = self.sync()
        item = self.phone_.item(self.inbox, "two")
        self.phone_.keys[self.inbox], known = key, self.phone_.items.pop(self.inbox)
        second = self.sync()
        self.assertEqual(self.commands(first), self.commands(second))
        self.assertEqual(sorted(known), sorted(self.phone_.items[self.inbox]))

        request = self.phone_.sync_request(self.phone_.collection(
            self.inbox, Node("AirSync:DeletesAsMoves", "1"),
            Node("AirSync:Commands", self.phone_.change(item, Node("Email:Read", "1")),
                 Node("AirSync:Delete", Node("AirSync:ServerId", self.phone_.item(self.inbox, "one"))))))
        answers, states = [], []
        for _ in range(2):
            answer = self.phone_.post("Sync", body=encode(request))
            self.assertEqual(answer.status, 200)
            collection = answer.root.find("AirSync:Collections", "AirSync:Collection")
            answers.append((collection.get("AirSync:Status"), repr(collection.find("AirSync:Commands")),
                            repr(collection.find("AirSync:Responses"))))
            self.desktop.ok("SELECT INBOX (CONDSTORE)")
            states.append(self.desktop.ok("STATUS INBOX (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)")
                          + self.desktop.ok("STATUS Trash (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)"))
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0][0], "1")
        self.assertEqual(states[0], states[1], "the second changed nothing, not even a modseq")
