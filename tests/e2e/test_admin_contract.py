"""The admin API's answers against its contract: every operation of api/openapi.yaml, done and refused."""
import http.client
import imaplib
import json
import os
import re
import unittest

import yaml

from eas_base import Sql
from eas_client import Phone
from harness import LIMIT_S, PASSWORD, ROOT, RawImap, ServerTest, message, smtplib

ALICE, CAROL = "alice@example.test", "carol@example.test"
KINDS = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}


class AdminContract(ServerTest):
    settings = {"eas__remote_wipe": "true"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(ROOT, "api", "openapi.yaml"), encoding="utf-8") as file:
            cls.contract = yaml.safe_load(file)
        cls.operations = {what["operationId"]: (method.upper(), path, what)
                          for path, methods in cls.contract["paths"].items() for method, what in methods.items()}

    def look_up(self, schema):
        while "$ref" in schema:
            name = schema["$ref"].split("/")[1:]
            schema = self.contract
            for part in name:
                schema = schema[part]
        return schema

    def fits(self, value, schema, where):
        schema = self.look_up(schema)
        if "const" in schema:
            self.assertEqual(value, schema["const"], where)
        if "enum" in schema:
            self.assertIn(value, schema["enum"], where)
        if "type" in schema:
            kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            self.assertIn(type(value), [KINDS[kind] for kind in kinds], where)
        if isinstance(value, str) and schema.get("format") == "date-time":
            self.assertRegex(value, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", where)
        if isinstance(value, dict):
            self.assertLessEqual(set(schema["required"]), set(value), where)
            self.assertLessEqual(set(value), set(schema["properties"]), f"{where}: not in the contract")
            for name, inner in value.items():
                self.fits(inner, schema["properties"][name], f"{where}.{name}")
        if isinstance(value, list):
            for inner in value:
                self.fits(inner, schema["items"], where + "[]")

    def call(self, operation, status, token, body=None, query="", **names):
        """Does it and holds the answer against what the contract promises for its status."""
        method, path, what = self.operations[operation]
        path = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], path)
        client = http.client.HTTPConnection("127.0.0.1", self.server.ports["admin"], timeout=LIMIT_S)
        client.request(method, path + query, body if isinstance(body, (str, type(None))) else json.dumps(body),
                       {"Authorization": "Bearer " + token} if token else {})
        answer = client.getresponse()
        text = answer.read()
        client.close()
        where = f"{operation} {answer.status}"
        self.assertEqual(answer.status, status, f"{operation}: {text}")
        self.assertIn(str(status), what["responses"], f"{where}: the contract does not name it")
        if status < 300:
            self.done.add(operation)
        content = self.look_up(what["responses"][str(status)]).get("content")
        if content is None:
            self.assertEqual(text, b"", where)
            return None
        (kind, inner), = content.items()
        self.assertEqual(answer.getheader("Content-Type"), kind, where)
        value = json.loads(text)
        self.fits(value, inner["schema"], where)
        return value

    def test_every_operation(self):
        self.done = set()
        token, reader = self.server.admin_token(), self.server.admin_token("read")
        Phone(self.server, login=ALICE, device="PHONE1").folder_sync()
        with smtplib.LMTP("127.0.0.1", self.server.ports["lmtp"], timeout=LIMIT_S) as lmtp:
            lmtp.sendmail("a@example.org", [ALICE], message("Gone"))
        desktop = RawImap(self.server)
        for line in (f"LOGIN {ALICE} {PASSWORD}", "SELECT INBOX", "STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE"):
            desktop.ok(line)
        desktop.close()

        self.call("getHealth", 200, None)
        self.call("getVersion", 200, token)
        self.call("createAccount", 201, token, {"login": CAROL, "password": "one", "quota_bytes": 1000})
        self.assertEqual(len(self.call("listAccounts", 200, token)["accounts"]), 3)
        self.call("setPassword", 204, token, {"password": "two"}, login=CAROL)
        imaplib.IMAP4("127.0.0.1", self.server.ports["imap"]).login(CAROL, "two")
        for name in ("Zo\u00eb Summer", "n" * 256, ""):
            self.call("setName", 204, token, {"name": name}, login=CAROL)
            shown = {one["login"]: one["name"] for one in self.call("listAccounts", 200, token)["accounts"]}
            self.assertEqual((shown[CAROL], shown[ALICE]), (name, ""))
        for name in ("a\tb", "n" * 257, "\u00eb" * 129, None, 7):
            self.call("setName", 422, token, {"name": name}, login=CAROL)
        made = self.call("createAppPassword", 201, token, {"name": "phone"}, login=CAROL)
        imaplib.IMAP4("127.0.0.1", self.server.ports["imap"]).login(CAROL, made["password"])
        self.call("createAppPassword", 409, token, {"name": "phone"}, login=CAROL)
        for name in ("", "n" * 65, "a b", "a/b", None, 7):
            self.call("createAppPassword", 422, token, {"name": name}, login=CAROL)
        listed = self.call("listAppPasswords", 200, token, login=CAROL)["app_passwords"]
        self.assertEqual([(one["name"], one["last_used"]) for one in listed], [("phone", None)])
        self.call("revokeAppPassword", 204, token, login=CAROL, name="phone")
        self.call("revokeAppPassword", 404, token, login=CAROL, name="phone")
        with self.assertRaises(imaplib.IMAP4.error):
            imaplib.IMAP4("127.0.0.1", self.server.ports["imap"]).login(CAROL, made["password"])
        self.call("deleteAccount", 204, token, login=CAROL)
        gone = self.call("listDeleted", 200, token, login=ALICE,
                         query="?folder=INBOX&since=2020-01-01T00:00:00Z&from=example&subject=gone")["deleted"]
        self.assertEqual(len(gone), 1)
        ids = [gone[0]["id"], "1:99999"]
        back = self.call("restoreDeleted", 200, token, {"ids": ids, "to": "INBOX"}, login=ALICE)["restored"]
        self.assertEqual([row["result"] for row in back], ["restored", "not_found"])
        self.assertEqual(len(self.call("listDevices", 200, token, login=ALICE)["devices"]), 1)
        for access in ("blocked", "quarantined", "allowed"):
            self.call("setDeviceAccess", 204, token, {"access": access}, login=ALICE, device="PHONE1")
        self.assertEqual(Sql(self.server)("select what, detail from audit where what like 'device_%' order by audit_id"),
                         ["device_block|PHONE1", "device_quarantine|PHONE1", "device_allow|PHONE1"], "as by the command line")
        self.call("traceDevice", 204, token, {"minutes": 5, "content": True}, login=ALICE, device="PHONE1")
        self.call("traceDevice", 422, token, {"minutes": 1441}, login=ALICE, device="PHONE1")
        self.call("wipeDevice", 422, token, {"kind": "all"}, login=ALICE, device="PHONE1")
        self.call("wipeDevice", 204, token, {"kind": "account"}, login=ALICE, device="PHONE1")
        device = self.call("getDevice", 200, token, login=ALICE, device="phone1")
        self.assertEqual((device["wipe"]["state"], device["wipe"]["kind"], device["access"]), ("ordered", "account", "allowed"))
        self.assertIsNotNone(device["traced_until"])
        for enabled in (False, True):
            self.call("setEas", 204, token, {"enabled": enabled}, login=ALICE)
        self.call("setEas", 422, token, {"enabled": "yes"}, login=ALICE)
        self.call("resetDevice", 204, token, login=ALICE, device="PHONE1")

        self.assertEqual(self.done, set(self.operations))
        names = {"login": ALICE, "device": "PHONE1", "name": "none"}
        for operation, (_, path, what) in self.operations.items():
            with self.subTest(operation):
                if what["x-scope"] == "none":
                    continue
                self.call(operation, 401, None, **names)
                self.call(operation, 401, "gwt_" + "0" * 64, **names)
                if what["x-scope"] != "read":
                    self.call(operation, 403, reader, **names)
                if "404" in what["responses"]:
                    right = {"setPassword": {"password": "x"}, "restoreDeleted": {"ids": ["1:1"]},
                             "setDeviceAccess": {"access": "blocked"}, "setEas": {"enabled": True},
                             "setName": {"name": "N"}, "createAppPassword": {"name": "N"}}.get(operation)
                    self.call(operation, 404, token, right, login="nobody@example.test", device="PHONE1",
                              name="none")
                if "{device}" in path:
                    right = {"access": "blocked"} if "requestBody" in what else None
                    self.call(operation, 404, token, right, login=ALICE, device="none")
                if "requestBody" in what:
                    self.call(operation, 400, token, "{", **names)
                    self.call(operation, 422, token, {}, **names)
        self.call("createAccount", 409, token, {"login": ALICE, "password": "x"})
        self.call("listDeleted", 422, token, login=ALICE, query="?since=yesterday")


if __name__ == "__main__":
    unittest.main()
