"""ActiveSync: policies, their keys, and every way in which a phone may fail to apply one (MS-ASPROV)."""
import unittest

from eas_base import EasTest, Sql
from eas_client import Node

KEY0 = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))
NAME = "MS-EAS-Provisioning-WBXML"


def refusal(phone):
    answer = phone.post("FolderSync", KEY0)
    return answer.status if answer.root is None else answer.root.get("FolderHierarchy:Status")


def provision(phone, *policy, information=False):
    inside = Node("Settings:DeviceInformation", Node("Settings:Set", Node("Settings:Model", "M"))) if information else None
    return phone.call("Provision", Node("Provision:Provision", inside, Node("Provision:Policies", Node(
        "Provision:Policy", *policy))))


def acknowledge(phone, status):
    """Both phases, with what the phone says of the policy; the last answer."""
    first = provision(phone, Node("Provision:PolicyType", NAME), information=True)
    key = first.get("Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
    return provision(phone, Node("Provision:PolicyType", NAME), Node("Provision:PolicyKey", key),
                     Node("Provision:Status", status))


class Strict(EasTest):
    settings = {"eas__provision": "true", "policy__device_password_enabled": "true",
                "policy__min_device_password_length": 6, "policy__max_device_password_failed_attempts": 2,
                "policy__allow_camera": "false", "policy__allow_external": "false",
                "policy__unapproved_in_rom_application_list": "games.exe, chat.exe"}

    def restart(self):
        self.server.stop()
        self.server.start()

    def test_what_is_asked_for(self):
        for version in ("12.1", "14.0", "14.1", "16.0", "16.1"):
            with self.subTest(version):
                first, second = self.phone(version=version, device="P" + version[:2] + version[3:]).provision()
                asked = first.find("Provision:Policies", "Provision:Policy", "Provision:Data", "Provision:EASProvisionDoc")
                self.assertEqual({node.tag.split(":")[1]: node.get() for node in asked.children
                                  if node.tag != "Provision:UnapprovedInROMApplicationList"},
                                 {"DevicePasswordEnabled": "1", "MinDevicePasswordLength": "6",
                                  "MaxDevicePasswordFailedAttempts": "4", "AllowCamera": "0"})
                names = asked.find("Provision:UnapprovedInROMApplicationList").all("Provision:ApplicationName")
                self.assertEqual([node.get() for node in names], ["games.exe", "chat.exe"])
                self.assertEqual(second.get("Provision:Status"), "1")
                self.assertEqual(second.get("Provision:Policies", "Provision:Policy", "Provision:Status"), "1")

    def test_a_version_that_lacks_some_of_it(self):
        """12.0 has the first group only; a camera is in the second."""
        phone = self.phone(version="12.0")
        self.assertEqual(refusal(phone), 403)
        self.assertEqual(provision(phone, Node("Provision:PolicyType", NAME)).get("Provision:Status"), "139")

    def test_a_policy_that_is_not_applied(self):
        for status, answer in (("2", "139"), ("3", "139"), ("4", "145")):
            with self.subTest(status):
                phone = self.phone(device="ACK" + status)
                root = acknowledge(phone, status)
                self.assertEqual(root.names(), ["Provision:Status"])
                self.assertEqual(root.get("Provision:Status"), answer)
                self.assertEqual(refusal(phone), "142", "no key was given")

    def test_malformed_provisions(self):
        phone = self.phone()
        key = provision(phone, Node("Provision:PolicyType", NAME), information=True).get(
            "Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
        kind, good = Node("Provision:PolicyType", NAME), Node("Provision:PolicyKey", key)
        for name, policy in (("status", (kind, good)), ("status 0", (kind, good, Node("Provision:Status", "0"))),
                             ("status 5", (kind, good, Node("Provision:Status", "5"))),
                             ("key", (kind, Node("Provision:PolicyKey", "x"), Node("Provision:Status", "1")))):
            with self.subTest(name):
                self.assertEqual(provision(phone, *policy).get("Provision:Status"), "2")
        self.assertEqual(phone.call("Provision", Node("Provision:Provision")).get("Provision:Status"), "2", "no wipe is due")

    def test_a_lost_acknowledgement_is_repeated(self):
        phone = self.phone()
        key = provision(phone, Node("Provision:PolicyType", NAME), information=True).get(
            "Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
        answers = [provision(phone, Node("Provision:PolicyType", NAME), Node("Provision:PolicyKey", key),
                             Node("Provision:Status", "1")).get("Provision:Policies", "Provision:Policy",
                                                                "Provision:PolicyKey") for _ in range(2)]
        self.assertEqual(answers[0], answers[1])
        phone.policy_key = answers[0]
        self.assertEqual(refusal(phone), "1")

    def test_a_changed_policy_is_asked_for_again(self):
        phone, old = self.phone(device="NEW"), self.phone(device="OLD", version="12.1")
        for one in (phone, old):
            one.provision()
            self.assertIn(refusal(one), ("1", 200))
        before = phone.policy_key
        self.server.settings["policy.allow_camera"] = "true"
        try:
            self.restart()
            self.assertEqual(refusal(phone), "144")
            self.assertEqual(refusal(old), 449)
            phone.provision()
            self.assertNotEqual(phone.policy_key, before)
            self.assertEqual(refusal(phone), "1")
        finally:
            self.server.settings["policy.allow_camera"] = "false"
            self.restart()


class Lenient(EasTest):
    settings = {"eas__provision": "true", "policy__allow_partial": "true", "policy__refresh_hours": 1,
                "policy__min_device_password_length": 6}

    def test_a_policy_that_is_not_applied_is_let_through(self):
        for status in ("2", "3", "4"):
            with self.subTest(status):
                phone = self.phone(device="ACK" + status)
                phone.policy_key = acknowledge(phone, status).get("Provision:Policies", "Provision:Policy",
                                                                  "Provision:PolicyKey")
                self.assertEqual(refusal(phone), "1")

    def test_without_a_password_nothing_is_asked_of_it(self):
        first, _ = self.phone().provision()
        asked = first.find("Provision:Policies", "Provision:Policy", "Provision:Data", "Provision:EASProvisionDoc")
        self.assertEqual(asked.names(), ["Provision:DevicePasswordEnabled"])

    def test_it_is_refreshed(self):
        phone, old = self.phone(device="NEW"), self.phone(device="OLD", version="12.1")
        for one in (phone, old):
            one.provision()
            self.assertIn(refusal(one), ("1", 200))
        self.sql("update device set policy_at = policy_at - interval '2 hours'")
        self.assertEqual(refusal(phone), "143")
        self.assertEqual(refusal(old), 449)
        phone.provision()
        self.assertEqual(refusal(phone), "1")

    def sql(self, text):
        Sql(self.server)(text)


class SettingsParts(EasTest):
    def ask(self, phone, *parts):
        return phone.call("Settings", Node("Settings:Settings", *parts))

    def test_who_i_am_by_version(self):
        part = Node("Settings:UserInformation", Node("Settings:Get"))
        for version in ("12.1", "14.0", "14.1", "16.0", "16.1"):
            with self.subTest(version):
                got = self.ask(self.phone(version=version), part).find("Settings:UserInformation", "Settings:Get")
                if version < "14.1":
                    self.assertEqual(got.names(), ["Settings:EmailAddresses"])
                    self.assertEqual(got.get("Settings:EmailAddresses", "Settings:SMTPAddress"), self.user)
                    continue
                account = got.find("Settings:Accounts", "Settings:Account")
                self.assertEqual(account.names(), ["Settings:AccountName", "Settings:UserDisplayName",
                                                   "Settings:SendDisabled", "Settings:EmailAddresses"])
                self.assertEqual(account.get("Settings:EmailAddresses", "Settings:PrimarySmtpAddress"), self.user)
                self.assertEqual(account.get("Settings:UserDisplayName"), self.user)
        self.server.cli("account", "name", self.user, "Ann Lee")
        account = self.ask(self.phone(), part).find("Settings:UserInformation", "Settings:Get", "Settings:Accounts", "Settings:Account")
        self.assertEqual((account.get("Settings:AccountName"), account.get("Settings:UserDisplayName")), (self.user, "Ann Lee"))

    def test_what_is_refused(self):
        def set_password(*inside):
            return Node("Settings:DevicePassword", Node("Settings:Set", *inside))
        rows = (("a recovery password", "DevicePassword", "7", set_password(Node("Settings:Password", "x" * 255))),
                ("too long", "DevicePassword", "5", set_password(Node("Settings:Password", "x" * 256))),
                ("none", "DevicePassword", "2", set_password()),
                ("nothing to get", "UserInformation", "2", Node("Settings:UserInformation")),
                ("nothing to set", "DeviceInformation", "2", Node("Settings:DeviceInformation")),
                ("a long value", "DeviceInformation", "2", Node("Settings:DeviceInformation", Node(
                    "Settings:Set", Node("Settings:IMEI", "1" * 1025)))),
                ("no values", "DeviceInformation", "1", Node("Settings:DeviceInformation", Node("Settings:Set"))),
                ("rights", "RightsManagementInformation", "168", Node("Settings:RightsManagementInformation",
                                                                      Node("Settings:Get"))))
        for name, part, status, request in rows:
            with self.subTest(name):
                root = self.ask(self.phone(), request)
                self.assertEqual(root.get("Settings:Status"), "1")
                self.assertEqual(root.get("Settings:" + part, "Settings:Status"), status)
        rights = self.ask(self.phone(version="14.0"), rows[-1][3])
        self.assertEqual(rights.get("Settings:RightsManagementInformation", "Settings:Status"), "2", "14.1 brought it")

    def test_malformed_requests(self):
        twice = Node("Settings:UserInformation", Node("Settings:Get"))
        for name, parts in (("empty", ()), ("twice", (twice, twice)), ("not a part", (Node("Settings:Model", "x"),))):
            with self.subTest(name):
                self.assertEqual(self.ask(self.phone(), *parts).get("Settings:Status"), "2")


if __name__ == "__main__":
    unittest.main()
