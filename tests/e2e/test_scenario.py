"""The main job end to end, over TLS: mail arrives, phone and desktop know at once, an admin brings deleted mail back."""
import email.utils
import http.client
import json
import re
import unittest

from eas_base import EasTest
from eas_client import Node, Phone
from harness import LIMIT_S, PASSWORD

MAIL = ("From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\r\nTo: {to}\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <scenario@example.org>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
        "--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
        "--a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nBis bald, schöne Grüße\r\n.\r\n"
        "--a\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "<p>Bis bald, sch=C3=B6ne Gr=C3=BC=C3=9Fe</p>\r\n--a--\r\n"
        "--m\r\nContent-Type: application/octet-stream; name=x.bin\r\nContent-Disposition: attachment; filename=x.bin\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nAAECAwQFBgcICQ==\r\n--m--\r\n")
SUBJECT = "Grüße"
WHOLE = Phone.options(0, (4, None), mime=2)  # the message as it is, whatever its size


class Scenario(EasTest):
    settings = {"log__level": "debug"}

    def setUp(self):
        super().setUp()
        self.phone_of_user = self.phone(tls=True)
        self.inbox = self.phone_of_user.folder("Inbox")
        self.trash = self.phone_of_user.folder("Trash")
        self.phone_of_user.sync_all(self.inbox, WHOLE)
        self.phone_of_user.sync_all(self.trash, WHOLE)

    def desktop(self, mailbox="INBOX"):
        client = self.server.raw_imap(self.user, tls=True)
        client.ok(f'SELECT "{mailbox}"')
        return client

    def deliver_mail(self):
        self.server.deliver(MAIL.format(to=self.user).encode(), to=self.user)

    def park(self, *folders):
        """A Ping that waits in the server when this returns."""
        start = len(self.server.log.lines)
        pending = self.phone_of_user.ping(600, *(folders or (self.inbox,)))
        self.server.log.wait(r" eas_waiting ", start)
        return pending

    def told(self, pending, *folders, status="2"):
        root = pending.answer().root
        self.assertEqual(root.get("Ping:Status"), status)
        if status == "2":
            self.assertEqual(sorted(n.text for n in root.find("Ping:Folders").children), sorted(folders or (self.inbox,)))

    def fetch(self, client, what, number=1):
        line = [line for line in client.ok(f"FETCH {number} ({what})") if line.startswith(b"* %d FETCH" % number)][-1]
        return line

    def octets(self, client):
        line = self.fetch(client, "BODY.PEEK[]")
        size = int(re.search(rb"BODY\[\] \{(\d+)\}\r\n", line).group(1))
        at = line.index(b"}\r\n") + 3
        return line[at:at + size]

    def on_phone(self, folder=None):
        phone, folder = self.phone_of_user, folder or self.inbox
        return phone.items[folder][phone.item(folder, SUBJECT)]

    def mime(self, data):
        body = data.find("AirSyncBase:Body")
        self.assertEqual(body.get("AirSyncBase:Type"), "4")
        text = body.get("AirSyncBase:Data")
        return text if isinstance(text, bytes) else text.encode()

    def restore_by_cli(self):
        (wanted,) = self.server.cli("deleted", "list", self.user, "--ids").out.split()
        self.server.cli("deleted", "restore", self.user, wanted)

    def restore_by_api(self):
        token = self.server.admin_token("read,restore")

        def call(method, path, body=None):
            client = http.client.HTTPConnection("127.0.0.1", self.server.ports["admin"], timeout=LIMIT_S)
            client.request(method, path, json.dumps(body) if body else None, {"Authorization": "Bearer " + token})
            reply = client.getresponse()
            text = reply.read()
            client.close()
            self.assertEqual(reply.status, 200, text)
            return json.loads(text)
        path = f"/api/v1/accounts/{self.user}/deleted"
        (row,) = call("GET", path)["deleted"]
        self.assertEqual(call("POST", path + "/restore", {"ids": [row["id"]]})["restored"][0]["result"], "restored")

    def from_arrival_to_restore(self, restore):
        phone, desktop = self.phone_of_user, self.desktop()
        # It arrives: both are told, both read the same.
        desktop.idle()
        ping = self.park()
        self.deliver_mail()
        desktop.idle_wait(rb"^\* 1 EXISTS")
        self.told(ping)
        desktop.done()
        phone.sync(self.inbox, WHOLE)
        octets = self.octets(desktop)
        self.assertTrue(octets.endswith(MAIL.format(to=self.user).encode()))
        self.assertEqual(self.mime(self.on_phone()), octets)
        date = re.search(rb'INTERNALDATE "([^"]+)"', self.fetch(desktop, "INTERNALDATE")).group(1).decode()
        received = self.on_phone().get("Email:DateReceived")
        self.assertEqual(email.utils.parsedate_to_datetime(date.strip().replace("-", " ")).strftime("%Y%m%d%H%M%S"),
                         re.sub(r"\D", "", received)[:14])

        # The phone reads it and flags it: the desktop sees that, the phone hears no echo.
        desktop.idle()
        item = phone.item(self.inbox, SUBJECT)
        phone.command(self.inbox, phone.change(item, Node("Email:Read", "1"), Node(
            "Email:Flag", Node("Email:Status", "2"), Node("Email:FlagType", "Follow up"))))
        while not re.search(rb"\\Seen", desktop.idle_wait(rb"^\* 1 FETCH")):
            pass
        desktop.done()
        self.assertIsNone(phone.sync(self.inbox))

        # The desktop deletes it: the phone is told.
        ping = self.park()
        desktop.ok("STORE 1 +FLAGS (\\Deleted)")
        self.assertIn(b"* 1 EXPUNGE", desktop.ok("EXPUNGE"))
        self.told(ping)
        collection = phone.sync(self.inbox)
        self.assertEqual([c.get("AirSync:ServerId") for c in collection.find("AirSync:Commands").all("AirSync:Delete")], [item])
        self.assertEqual(phone.items[self.inbox], {})

        # The admin brings it back: both are told and have it again, in its folder, with its flags and its date.
        desktop.idle()
        ping = self.park()
        restore()
        desktop.idle_wait(rb"^\* 1 EXISTS")
        self.told(ping)
        desktop.done()
        line = self.fetch(desktop, "FLAGS INTERNALDATE")
        self.assertIn(b"\\Seen", line)
        self.assertIn(b"\\Flagged", line)
        self.assertNotIn(b"\\Deleted", line)
        self.assertIn(date.encode(), line)
        self.assertEqual(self.octets(desktop), octets)
        phone.sync(self.inbox, WHOLE)
        data = self.on_phone()
        self.assertNotEqual(phone.item(self.inbox, SUBJECT), item, "a new item, since the old one was deleted")
        self.assertEqual((data.get("Email:Read"), data.get("Email:Flag", "Email:Status"), data.get("Email:DateReceived")),
                         ("1", "2", received))
        self.assertEqual(self.mime(data), octets)
        self.assertIsNone(phone.sync(self.inbox))

    def test_from_arrival_to_restore_by_command_line(self):
        self.from_arrival_to_restore(self.restore_by_cli)

    def test_from_arrival_to_restore_by_admin_api(self):
        self.from_arrival_to_restore(self.restore_by_api)

    def test_what_the_phone_deletes_comes_back(self):
        phone, desktop = self.phone_of_user, self.desktop()
        self.deliver_mail()
        desktop.ok("NOOP")
        desktop.ok("STORE 1 +FLAGS (\\Seen)")
        phone.sync(self.inbox, WHOLE)
        octets = self.octets(desktop)
        item = phone.item(self.inbox, SUBJECT)
        desktop.idle()
        phone.sync(self.inbox, Node("AirSync:DeletesAsMoves", "0"), Node("AirSync:Commands", Node(
            "AirSync:Delete", Node("AirSync:ServerId", item))))
        desktop.idle_wait(rb"^\* 1 EXPUNGE")
        del phone.items[self.inbox][item]
        ping = self.park()
        self.restore_by_cli()
        desktop.idle_wait(rb"^\* 1 EXISTS")
        self.told(ping)
        desktop.done()
        self.assertIn(b"\\Seen", self.fetch(desktop, "FLAGS"))
        self.assertEqual(self.octets(desktop), octets)
        phone.sync(self.inbox, WHOLE)
        self.assertEqual((self.on_phone().get("Email:Read"), self.mime(self.on_phone())), ("1", octets))

    def test_a_move_by_phone_reaches_both_mailboxes(self):
        phone, source, target = self.phone_of_user, self.desktop(), self.desktop("Archive")
        archive = phone.folder("Archive")
        phone.sync_all(archive, WHOLE)
        self.deliver_mail()
        source.ok("NOOP")
        octets = self.octets(source)
        phone.sync(self.inbox, WHOLE)
        source.idle()
        target.idle()
        response = phone.move(phone.item(self.inbox, SUBJECT), self.inbox, archive)
        self.assertEqual(response.get("Move:Status"), "3")
        source.idle_wait(rb"^\* 1 EXPUNGE")
        target.idle_wait(rb"^\* 1 EXISTS")
        target.done()
        self.assertEqual(self.octets(target), octets)
        self.assertEqual(self.server.cli("deleted", "list", self.user, "--ids").out, "", "a move is no deletion")

    def test_a_new_folder_by_desktop(self):
        phone, desktop = self.phone_of_user, self.desktop()
        ping = self.park()
        desktop.ok("CREATE Reisen")
        self.told(ping, status="7")
        phone.folder_sync()
        folder = phone.folder("Reisen")
        phone.sync_all(folder, WHOLE)
        self.deliver_mail()
        ping = self.park(folder)
        desktop.ok("NOOP")
        desktop.ok("COPY 1 Reisen")
        self.told(ping, folder)
        phone.sync(folder, WHOLE)
        self.assertEqual(self.mime(self.on_phone(folder)), self.octets(desktop))

    def test_the_same_request_twice(self):
        phone, desktop = self.phone_of_user, self.desktop()
        for _ in range(2):
            self.deliver_mail()
        desktop.ok("NOOP")
        desktop.ok("STORE 2 +FLAGS (\\Flagged)")
        phone.sync_all(self.inbox, WHOLE)
        deleted, read = sorted(phone.items[self.inbox], key=lambda item: int(item.split(":")[1]))
        self.deliver_mail()
        request = phone.sync_request(phone.collection(self.inbox, Node("AirSync:GetChanges"), WHOLE, Node(
            "AirSync:Commands", Node("AirSync:Delete", Node("AirSync:ServerId", deleted)),
            phone.change(read, Node("Email:Read", "1")))))
        desktop.ok("NOOP")
        first = phone.post("Sync", request)
        between = (desktop.ok("NOOP"), desktop.ok("STATUS INBOX (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ)"),
                   desktop.ok("STATUS Trash (MESSAGES UIDNEXT HIGHESTMODSEQ)"))
        self.assertNotEqual(between[0], [], "the first one did something")
        second = phone.post("Sync", request)

        def shape(root):
            collection = root.find("AirSync:Collections", "AirSync:Collection")
            return [repr(child) for child in collection.children if child.tag != "AirSync:SyncKey"]
        self.assertEqual(shape(first.root), shape(second.root))
        self.assertEqual((desktop.ok("NOOP"), desktop.ok("STATUS INBOX (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ)"),
                          desktop.ok("STATUS Trash (MESSAGES UIDNEXT HIGHESTMODSEQ)")), ([],) + between[1:])
        phone.take(second.root)
        del phone.items[self.inbox][deleted]
        self.assertIsNone(phone.sync(self.inbox))
        self.assertEqual(len(phone.items[self.inbox]), 2)


if __name__ == "__main__":
    unittest.main()
