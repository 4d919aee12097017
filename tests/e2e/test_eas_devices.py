"""ActiveSync: which phones may sync, how often, what is wiped, traced and counted."""
import glob
import os
import re
import stat
import unittest

from eas_base import VERSIONS, EasTest
from eas_client import Node, Phone

KEY0 = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))


def refusal(phone, command="FolderSync", body=KEY0):
    """What a refused phone hears: Status from 14.0 on, HTTP before."""
    answer = phone.post(command, body)
    if answer.root is None:
        return answer.status
    return answer.root.get(f"{'FolderHierarchy' if command == 'FolderSync' else command}:Status")


def wipe_answer(status, kind="RemoteWipe"):
    return Node("Provision:Provision", Node(f"Provision:{kind}", Node("Provision:Status", status)))


class Access(EasTest):
    settings = {"log__level": "debug"}

    def test_an_account_without_activesync(self):
        phone, inbox = self.primed()
        pending = self.waits(phone.ping, 600, inbox)
        self.server.cli("account", "eas", "off", self.user)
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1", "its parked request ends at once")
        self.assertEqual(refusal(phone), "126")
        self.assertEqual(refusal(self.phone(version="12.1")), 403)
        desktop = self.imap()
        self.assertEqual(desktop.noop()[0], "OK", "IMAP goes on")
        self.server.cli("account", "eas", "on", self.user)
        self.assertIn(b"BYE", desktop.readline(), "the server has heard of it, so that no kept login counts")
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")

    def test_a_device_id_is_of_one_account_only(self):
        other = f"other-{self.user}"
        self.server.add_account(other)
        mine, theirs = self.phone(device="SHARED"), Phone(self.server, login=other, device="SHARED")
        for phone in (mine, theirs):
            self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")
        self.server.cli("device", "block", self.user, "SHARED")
        self.assertEqual(refusal(mine), "129")
        self.assertEqual(theirs.folder_sync().get("FolderHierarchy:Status"), "1")

    def test_what_is_known_is_shown(self):
        phone = self.phone(device="SHOWN")
        values = {"Model": "Modell 7", "IMEI": "490154203237518", "FriendlyName": "Mine", "OS": "OS 9",
                  "OSLanguage": "German", "PhoneNumber": "+49 1", "MobileOperator": "Oper"}
        phone.call("Settings", Node("Settings:Settings", Node("Settings:DeviceInformation", Node("Settings:Set", *[
            Node("Settings:" + name, value) for name, value in values.items()]))))
        shown = self.server.cli("device", "show", self.user, "shown").out
        for value in values.values():
            self.assertIn(value, shown)
        self.assertRegex(shown, r"access +allowed, by eas.new_devices")
        self.assertIn("Modell 7", self.server.cli("device", "list", self.user).out)
        self.assertRegex(self.server.cli("device", "list").out, rf"{self.user} +SHOWN ")
        wrong = self.server.cli("device", "show", self.user, "NONE", check=False)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("has no device NONE", wrong.err)


class Quarantine(EasTest):
    settings = {"eas__new_devices": "quarantine", "log__level": "debug"}

    def test_a_new_phone_waits_for_approval(self):
        for version in VERSIONS:
            with self.subTest(version):
                phone = self.phone(device="NEW" + version.replace(".", ""), version=version)
                self.assertEqual(refusal(phone), "129" if version >= "14" else 403)
                refusal(phone)
        imap = self.imap()
        numbers = imap.search(None, "SUBJECT", '"waits for approval"')[1][0].split()
        self.assertEqual(len(numbers), len(VERSIONS), "one mail for each phone, not for each try")
        mail = imap.fetch(numbers[0], "(BODY[])")[1][0][1].decode()
        self.assertIn(f"godwit device allow {self.user} NEW120", mail)
        self.assertIn("Auto-Submitted: auto-generated", mail)
        phone = self.phone(device="NEW161")
        self.server.cli("device", "allow", self.user, "NEW161")
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")
        self.server.cli("device", "quarantine", self.user, "NEW161")
        self.assertEqual(refusal(phone), "129")
        self.assertRegex(self.server.cli("device", "show", self.user, "NEW161").out, "quarantined, decided by an admin")

    def test_account_tests_send_no_mail(self):
        self.assertEqual(refusal(self.phone(device="validate")), "129")
        self.assertEqual(self.imap().search(None, "ALL")[1][0].split(), [])


class Block(EasTest):
    settings = {"eas__new_devices": "block"}

    def test_a_new_phone_is_refused(self):
        phone = self.phone(device="NEW")
        self.assertEqual(refusal(phone), "129")
        self.assertEqual(len(self.imap().search(None, "SUBJECT", '"may not read"')[1][0].split()), 1)
        self.server.cli("device", "allow", self.user, "NEW")
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")


class Throttle(EasTest):
    settings = {"eas__requests_per_minute": 5}

    def test_too_many_requests_come_back_later(self):
        phone = self.phone(device="BUSY")
        answers = [phone.post("FolderSync", KEY0) for _ in range(6)]
        self.assertEqual([answer.status for answer in answers], [200] * 5 + [503])
        self.assertEqual(answers[5].headers["X-MS-ASThrottle"], "CommandFrequency")
        self.assertIn(int(answers[5].headers["Retry-After"]), range(1, 13))
        self.assertEqual(self.phone(device="busy").post("FolderSync", KEY0).status, 503, "a DeviceId has no case")
        self.assertEqual(self.phone(device="OTHER").post("FolderSync", KEY0).status, 200)


class Wipe(EasTest):
    settings = {"eas__remote_wipe": "true", "log__level": "debug"}

    def ordered(self, *more, **how):
        phone, inbox = self.primed(device="LOST", **how)
        pending = self.waits(phone.ping, 600, inbox)
        self.server.cli("device", "wipe", self.user, "LOST", *more)
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1", "a parked request ends at once")
        return phone

    def state(self):
        return re.search(r"^wipe +(.*)$", self.server.cli("device", "show", self.user, "LOST").out, re.M)[1]

    def check(self, phone, kind, answer, state):
        empty = Node("Provision:Provision")
        root = phone.call("Provision", empty)
        self.assertEqual(root.names(), ["Provision:Status", "Provision:" + kind])
        self.assertEqual(self.state(), "sent")
        self.assertEqual(refusal(phone), "140", "until it has answered")
        self.assertEqual(phone.call("Provision", empty).names(), ["Provision:Status", "Provision:" + kind], "once more")
        self.assertEqual(phone.call("Provision", wipe_answer("9", kind)).get("Provision:Status"), "2")
        self.assertEqual(phone.call("Provision", wipe_answer(answer, kind)).get("Provision:Status"), "1")
        self.assertEqual(self.state(), state)
        self.assertEqual(refusal(phone), "129", "blocked from now on")
        self.assertEqual(refusal(phone, "Provision", empty), "129")
        shown = self.server.cli("device", "show", self.user, "LOST").out
        self.assertRegex(shown, r"ordered +20\d\d-.*, by cli\n +sent +20\d\d-.*\n +answered +20\d\d-")
        self.server.cli("device", "reset", self.user, "LOST")
        self.assertEqual(self.state(), "none")
        self.assertEqual(refusal(phone), "1", "it may begin anew")

    def test_the_account_alone(self):
        phone = self.ordered(version="16.1")
        self.assertEqual(refusal(phone), "140")
        self.check(phone, "AccountOnlyRemoteWipe", "1", "done")

    def test_the_whole_device(self):
        phone = self.ordered("--whole-device", version="14.1")
        self.assertEqual(refusal(phone), "140")
        self.check(phone, "RemoteWipe", "1", "done")

    def test_a_phone_that_cannot(self):
        self.check(self.ordered("--whole-device", version="14.1"), "RemoteWipe", "2", "refused by the phone")

    def test_old_versions_are_told_by_http(self):
        phone = self.ordered("--whole-device", version="12.1")
        phone.policy_key = None
        self.assertEqual(refusal(phone), 403)
        phone.policy_key = "0"
        self.assertEqual(refusal(phone), 449)

    def test_old_versions_know_no_wipe_of_the_account(self):
        phone = self.ordered(version="14.1")
        self.assertEqual(refusal(phone), "129")
        self.assertEqual(refusal(phone, "Provision", Node("Provision:Provision")), "129")
        self.assertEqual(self.state(), "ordered")

    def test_an_answer_that_nobody_asked_for(self):
        phone = self.phone(device="LOST")
        phone.folder_sync()
        self.assertEqual(phone.call("Provision", wipe_answer("1")).get("Provision:Status"), "1")
        self.assertEqual(self.state(), "none")
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")


class NoWipe(EasTest):
    def test_wipes_are_off(self):
        phone = self.phone(device="LOST")
        phone.folder_sync()
        result = self.server.cli("device", "wipe", self.user, "LOST", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("eas.remote_wipe", result.err)
        self.assertEqual(phone.folder_sync().get("FolderHierarchy:Status"), "1")


class Loops(EasTest):
    settings = {"eas__loop_repeats": 3}

    def loops(self, device):
        return re.search(r"^loops +(.*)$", self.server.cli("device", "show", self.user, device).out, re.M)[1]

    def episodes(self, device):
        return sum(" eas_loop " in line and device in line for line in self.server.log.lines)

    def test_the_same_key_again_and_again(self):
        phone, inbox = self.primed(device="STUCK")
        self.deliver("one", "two", "three")
        body = phone.sync_request(phone.collection(inbox))

        def ask():
            collection = phone.post("Sync", body).root.find("AirSync:Collections", "AirSync:Collection")
            added = collection.find("AirSync:Commands")
            items = [node for node in added.children if node.tag == "AirSync:Add"] if added else []
            return collection.get("AirSync:Status"), [
                "a note" if "could not be read" in (node.get(
                    "AirSync:ApplicationData", "AirSyncBase:Body", "AirSyncBase:Data") or "")
                else node.get("AirSync:ApplicationData", "Email:Subject") for node in items]
        for _ in range(3):
            self.assertEqual(ask(), ("1", ["one", "two", "three"]))
        for _ in range(3):
            self.assertEqual(ask(), ("1", ["one"]), "a small window")
        for _ in range(3):
            self.assertEqual(ask(), ("1", ["a note"]), "its degraded form")
        self.assertEqual(ask(), ("3", []), "starts over")
        self.assertEqual(ask(), ("1", ["one", "two", "three"]), "once only")
        self.assertRegex(self.loops("STUCK"), "^1, the last one .*: Sync with one key")
        self.assertEqual(self.episodes("STUCK"), 1)

    def test_the_way_out(self):
        """What a small window gives is taken: the phone goes on with the next key."""
        phone, inbox = self.primed(device="SAVED")
        self.deliver("one", "two")
        body = phone.sync_request(phone.collection(inbox))
        for _ in range(3):
            phone.post("Sync", body)
        phone.sync(inbox)
        self.assertEqual(phone.subjects(inbox), ["one"])
        phone.sync_all(inbox)
        self.assertEqual(phone.subjects(inbox), ["one", "two"])

    def paused(self, phone, what, ask):
        for _ in range(3):
            self.assertEqual(ask().status, 200)
        answer = ask()
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "60"))
        self.assertEqual(ask().status, 503)
        self.assertRegex(self.loops(phone.device), f"^1, the last one .*: {what}")
        self.assertEqual(self.episodes(phone.device), 1)

    def test_the_hierarchy_over_and_over(self):
        phone = self.phone(device="TREE")
        self.paused(phone, "FolderSync", lambda: phone.post("FolderSync", KEY0))

    def test_a_policy_over_and_over(self):
        phone = self.phone(device="POLICY")
        body = Node("Provision:Provision", Node("Settings:DeviceInformation", Node("Settings:Set", Node(
            "Settings:Model", "M"))), Node("Provision:Policies", Node("Provision:Policy", Node(
                "Provision:PolicyType", "MS-EAS-Provisioning-WBXML"))))
        self.paused(phone, "Provision", lambda: phone.post("Provision", body))

    def test_a_first_sync_over_and_over(self):
        phone = self.phone(device="ANEW")
        inbox = phone.folder("Inbox")
        self.paused(phone, "Sync from the start", lambda: phone.post("Sync", phone.sync_request(phone.collection(inbox, key="0"))))

    def test_polling_is_no_loop(self):
        phone, inbox = self.primed(device="POLLS")
        key = phone.folder_sync().get("FolderHierarchy:SyncKey")
        for _ in range(8):
            self.assertEqual(phone.post("Sync", phone.sync_request(phone.collection(inbox))).status, 200)
            self.assertEqual(phone.post("FolderSync", Node("FolderHierarchy:FolderSync", Node(
                "FolderHierarchy:SyncKey", key))).status, 200)
        self.assertEqual(self.loops("POLLS"), "0")


class Trace(EasTest):
    settings = {"eas__trace_max": 4096, "log__level": "debug"}

    def trace(self, *words):
        out = self.server.cli("device", "trace", *words[:1], self.user, "TRACED", *words[1:]).out
        return re.search(r"(/\S+\.txt)", out)[1]

    @staticmethod
    def read(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def test_requests_and_answers(self):
        phone, inbox = self.primed(device="TRACED")
        self.deliver("Geheim")
        path = self.trace("on")
        self.assertFalse(os.path.exists(path))
        phone.call("Settings", Node("Settings:Settings", Node("Settings:DevicePassword", Node(
            "Settings:Set", Node("Settings:Password", "hunter2")))))
        phone.sync_all(inbox)
        text = self.read(path)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        self.assertRegex(text, r"---- 20\S+Z Settings version=\S+ session=\d+ policy_key=0")
        self.assertIn("Settings:Password = [left out]", text)
        self.assertIn("< HTTP 200\n  Settings:Settings\n    Settings:Status = 1", text)
        self.assertIn("Email:Subject = [6 octets]", text)
        for secret in ("hunter2", "Geheim", "Basic", phone.password):
            self.assertNotIn(secret, text)

    def test_words_and_people_are_left_out_of_searches_too(self):
        phone, _ = self.primed(device="TRACED", version="16.1")
        path = self.trace("on")
        for store, query in (("GAL", Node("Search:Query", "Geheim")), ("Mailbox", Node("Search:Query", Node("Search:And", Node(
                "Search:FreeText", "Geheim"))))):
            phone.call("Search", Node("Search:Search", Node("Search:Store", Node("Search:Name", store), query)))
        phone.call("Find", Node("Find:Find", Node("Find:SearchId", "1"), Node("Find:ExecuteSearch", Node(
            "Find:MailBoxSearchCriterion", Node("Find:Query", Node("Find:FreeText", "Geheim"))))))
        phone.call("ResolveRecipients", Node("ResolveRecipients:ResolveRecipients", Node("ResolveRecipients:To", self.user)))
        text = self.read(path)
        for name in ("Search:Query", "Search:FreeText", "Find:FreeText"):
            self.assertIn(name + " = [6 octets]", text)
        self.assertIn("ResolveRecipients:Recipient", text, "somebody was found")
        self.assertNotIn("Geheim", text)
        self.assertNotIn(self.user, text)

    def test_content_on_demand(self):
        phone, inbox = self.primed(device="TRACED")
        self.deliver("Geheim")
        path = self.trace("on", "--content")
        phone.sync_all(inbox)
        self.assertIn("Email:Subject = Geheim", self.read(path))

    def test_it_is_bounded_and_ends(self):
        phone = self.phone(device="TRACED")
        phone.folder_sync()
        path = self.trace("on", "--minutes", "5")
        for _ in range(8):
            phone.post("FolderSync", KEY0)
        self.assertEqual(sorted(glob.glob(path + "*")), [path, path + ".1"])
        for name in (path, path + ".1"):
            self.assertLessEqual(os.path.getsize(name), 4096)
            self.assertEqual(stat.S_IMODE(os.stat(name).st_mode), 0o600)
        self.trace("off")
        before = self.read(path)
        phone.post("FolderSync", KEY0)
        self.assertEqual(self.read(path), before)
        for wrong in (("on", "--minutes", "0"), ("on", "--minutes", "1441"), ("maybe",)):
            result = self.server.cli("device", "trace", wrong[0], self.user, "TRACED", *wrong[1:], check=False)
            self.assertEqual(result.returncode, 1, wrong)

    def test_what_waited(self):
        phone, inbox = self.primed(device="TRACED")
        desktop = self.imap()
        pending = self.waits(phone.ping, 600, inbox)
        path = self.trace("on")
        self.assertEqual(pending.answer().root.get("Ping:Status"), "1", "it comes back and is traced at once")
        self.assertEqual(desktop.noop()[0], "OK", "a trace ends no sessions")
        pending = self.waits(phone.ping, 600, inbox)
        self.assertIn("< [waits]", self.read(path))
        lines = len(self.server.log.lines)
        self.deliver("news")
        pending.answer()
        self.server.log.wait(" eas_trace_followed ", lines)
        self.assertIn("Ping waited\n< HTTP 200\n  Ping:Ping\n    Ping:Status = 2", self.read(path))


if __name__ == "__main__":
    unittest.main()
