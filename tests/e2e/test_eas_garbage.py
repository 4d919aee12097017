"""Bad input: every request of the transcripts, at its version, spoilt in many ways. Whatever comes, the server answers with a
status that the protocol has, goes on, and loses nothing. Seeded; GODWIT_GARBAGE_SEED and GODWIT_GARBAGE_TURNS change it."""
import glob
import os
import random
import re

from eas_base import EasTest
from eas_client import TOKENS, Node, base64_query, encode
from test_eas_wire import FOLDER, FOLDERS, read, steps_of

SEED = int(os.environ.get("GODWIT_GARBAGE_SEED", "1"))
TURNS = int(os.environ.get("GODWIT_GARBAGE_TURNS", "2"))  # each request is spoilt so often
GOOD = {200, 400, 401, 403, 404, 413, 449, 501, 505, 507}  # never 500 or 503: nothing here is trouble of the server
ODD = ("", "0", "1", "2", "-1", "4294967296", "99999999999999999999", "x", "x" * 70, "x" * 70000, "1:1", "999:1", "1:4294967296", "\u00fc\u2028",
       "2026-13-45T99:99:99.000Z", "0-99999999999", "9-0", b"\x00\xff\xfe", b"")
TAGS = sorted(TOKENS)


def requests():
    """(command, version, document or None, its raw body) of all transcripts."""
    seen = set()
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.txt"))):
        with open(path, encoding="utf-8") as f:
            steps = steps_of(f.read().split("\n"))
        for step in steps:
            if not step.text.startswith("C: ") or step.text == "C: OPTIONS":
                continue
            lines = [line for _, line in step.body]
            row = (step.text[3:], os.path.basename(path).split("-")[0], "\n".join(lines))
            if row not in seen:
                seen.add(row)
                yield row


def every(node):
    yield node
    for child in node.children:
        yield from every(child)


class Spoiler:
    def __init__(self, seed):
        self.rnd = random.Random(seed)

    def document(self, root):
        """Spoils a tree in one or more places."""
        for _ in range(self.rnd.choice((1, 1, 1, 2, 5))):
            nodes = list(every(root))
            node = self.rnd.choice(nodes)
            what = self.rnd.choice(("text", "text", "drop", "twice", "order", "tag", "deep", "many"))
            if what == "text":
                node.text = self.rnd.choice(ODD)
            elif what == "drop" and node.children:
                node.children.pop(self.rnd.randrange(len(node.children)))
            elif what == "twice" and node.children:
                node.children.append(self.rnd.choice(node.children))
            elif what == "order":
                self.rnd.shuffle(node.children)
            elif what == "tag":
                node.tag = self.rnd.choice(TAGS)
            elif what == "deep" and len(nodes) < 50:
                for _ in range(self.rnd.choice((3, 40))):
                    node.children.append(Node(self.rnd.choice(TAGS), "x"))
                    node = node.children[-1]
                    node.text = None
            elif what == "many" and node.children and len(nodes) < 50:
                node.children += [self.rnd.choice(node.children)] * self.rnd.choice((10, 1200))
        return root

    def octets(self, body):
        """Spoils what goes over the line."""
        body, what = bytearray(body), self.rnd.random()
        if what < 0.7 or not body:
            return bytes(body)
        at = self.rnd.randrange(len(body))
        if what < 0.8:
            body[at] ^= 1 << self.rnd.randrange(8)
        elif what < 0.9:
            del body[at:]
        else:
            body[at:at] = bytes(self.rnd.randrange(256) for _ in range(self.rnd.randint(1, 6)))
        return bytes(body)


class Garbage(EasTest):
    settings = {"eas__heartbeat_max_s": "1", "eas__request_max": "3000000", "eas__requests_per_minute": "0"}

    def fill(self, phone, text):
        """Names of keys become the keys that the phone has."""
        labels = {label: folder for folder, label in FOLDERS.items()}

        def one(found):
            label = found.group(1).rsplit("_", 1)[0]
            return phone.hierarchy_key if label == "tree" else phone.keys.get(labels.get(label), "x")
        return re.sub(r"\{([a-z0-9_]+)\}", one, text)

    def send(self, spoiler, command, version, text):
        phone = self.phones[version]
        words = self.fill(phone, command).split()
        query = dict(word.split("=", 1) for word in words[1:])
        headers, text = {}, self.fill(phone, text)
        if text.strip().startswith("|"):
            body = "".join(re.sub(r"^ *\| ?", "", line) + "\r\n" for line in text.split("\n")).encode()
            headers["Content_Type"] = "message/rfc822"
        elif text:
            body = encode(spoiler.document(read(text.split("\n"))))
        else:
            body = b""
        if spoiler.rnd.random() < 0.05:
            headers["Content_Type"] = spoiler.rnd.choice(("text/plain", "", "application/vnd.ms-sync", "message/rfc822"))
        answer = phone.post(words[0], body=spoiler.octets(body), query=query, **headers)
        self.assertIn(answer.status, GOOD, (command, version, text))
        if answer.status == 200 and answer.body and "wbxml" in answer.headers["Content-Type"]:
            self.assertIsNotNone(answer.root, (command, version))  # it decodes
        return words[0]

    def test_spoilt_requests(self):
        self.deliver(*[f"m{i}" for i in range(5)])
        self.phones = {}
        spoiler, count = Spoiler(SEED), {}
        for row in requests():
            version = row[1]
            if version not in self.phones:
                self.phones[version] = self.phone(version=version, device="V" + version.replace(".", ""))
                self.phones[version].folder_sync()
                for folder in FOLDERS:
                    self.phones[version].sync(folder)
            for _ in range(TURNS):
                command = self.send(spoiler, *row)
                count[command] = count.get(command, 0) + 1
        self.assertGreater(len(count), 14)
        self.assertGreater(sum(count.values()), 1000)
        after = self.phone(device="AFTER", version="16.1")
        after.folder_sync()
        for folder in after.folders:
            after.sync_all(folder)
        self.assertNotIn("http_no_answer", self.server.log.text())

    def test_heads(self):
        """Queries, versions, headers: (what, how, HTTP status)."""
        phone = self.phone(version="14.1")
        root = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))
        good = "/Microsoft-Server-ActiveSync?Cmd=FolderSync&User=x&DeviceId=D1&DeviceType=T"
        raw = base64_query(141, 9, b"D1", "T")
        rows = [
            ("a good one", {}, 200), ("names in any case", {"path": good.replace("Cmd", "cmd").replace("DeviceId", "DEVICEID")}, 200),
            ("base64", {"path": raw, "MS_ASProtocolVersion": None}, 200),
            ("base64 without its padding", {"path": raw.rstrip("="), "MS_ASProtocolVersion": None}, 200),
            ("base64 of another alphabet", {"path": raw.replace("+", "-").replace("/", "_").replace("_Microsoft-Server-ActiveSync", "/Microsoft-Server-ActiveSync")}, 200),
            ("base64 cut off", {"path": raw[:-8], "MS_ASProtocolVersion": None}, 400),
            ("base64 with a length past its end", {"path": base64_query(141, 9, b"D1", "T", parameters=b"\x00\xff")}, 400),
            ("base64 with an unknown tag", {"path": base64_query(141, 9, b"D1", "T", parameters=b"\x63\x01x")}, 200),
            ("base64 of no command", {"path": base64_query(141, 200, b"D1", "T")}, 501),
            ("base64 of no version", {"path": base64_query(99, 9, b"D1", "T")}, 505),
            ("no base64", {"path": "/Microsoft-Server-ActiveSync?!!!!"}, 400), ("no query", {"path": "/Microsoft-Server-ActiveSync"}, 400),
            ("no command", {"path": good.replace("FolderSync", "Nonsense")}, 501), ("no word for it", {"path": good.replace("FolderSync", "")}, 400),
            ("a version that is none", {"MS_ASProtocolVersion": "14.1.1"}, 505), ("two versions", {"MS_ASProtocolVersion": "14.1,16.1"}, 505),
            ("an empty version", {"MS_ASProtocolVersion": ""}, 505), ("2.5", {"MS_ASProtocolVersion": "2.5"}, 505), ("1.0", {"MS_ASProtocolVersion": "1.0"}, 505),
            ("a policy key of letters", {"X_MS_PolicyKey": "abc"}, 200), ("one past 32 bits", {"X_MS_PolicyKey": "4294967296"}, 200),
            ("a parameter beside the type", {"Content_Type": "application/vnd.ms-sync.wbxml; charset=utf-8"}, 200),
            ("the short type", {"Content_Type": "Application/VND.MS-Sync"}, 200),
            ("%-signs that are none", {"path": good + "&Filler=%zz%"}, 400), ("one parameter twice", {"path": good + "&DeviceType=U"}, 200),
        ]
        for name, how, status in rows:
            with self.subTest(name):
                answer = phone.post("FolderSync", root, **how)
                self.assertEqual(answer.status, status)
                if status == 200:
                    self.assertEqual(answer.root.get("FolderHierarchy:Status"), "1")

    def test_documents(self):
        """What is no document: 102 from 14.0 on; what is none of this command: 103; at 12.x HTTP 400."""
        head = b"\x03\x01\x6a\x00"
        good = encode(Node("Move:MoveItems", Node("Move:Move", Node("Move:SrcMsgId", "x"))))
        rows = [
            ("nothing but the head", head, "102"), ("a head cut off", head[:2], "102"), ("another version of WBXML", b"\x09" + good[1:], "102"),
            ("another character set", b"\x03\x01\x04\x00" + good[4:], "102"), ("END first", head + b"\x01", "102"),
            ("an attribute", head + b"\x00\x05\x85", "102"), ("an entity", head + b"\x00\x05\x45\x02\x20\x01", "102"),
            ("cut off", good[:-1], "102"), ("text cut off", good[:-5], "102"), ("octets longer than all", head + b"\x00\x05\x45\xc3\x8f\xff\xff\xff\x7f", "102"),
            ("a length of six octets", head + b"\x00\x05\x45\xc3\x81\x81\x81\x81\x81\x01", "102"),
            ("too deep", head + b"\x00\x05" + b"\x45" * 33 + b"\x01" * 33, "102"),
            ("too many elements", head + b"\x00\x05\x45" + b"\x06" * 100001 + b"\x01", "102"),
            ("a text too long", encode(Node("Move:MoveItems", Node("Move:Move", Node("Move:SrcMsgId", "x" * 65537)))), "102"),
            ("text that is no UTF-8", good.replace(b"x", b"\xff"), "102"), ("a root of another command", encode(Node("Ping:Ping")), "103"),
            ("a root that nobody knows", head + b"\x00\x05\x7f\x01", "102"), ("a page that nobody knows", head + b"\x00\x63\x45\x01", "102"),
            ("an element that nobody knows, inside", good[:-1] + b"\x00\x63\x45\x03x\x00\x01\x01", None),
            ("octets behind the end", good + b"garbage", None), ("nothing", b"", "101"),
        ]
        for name, body, status in rows:
            for version in ("12.0", "12.1", "14.0", "16.1"):
                with self.subTest(name, version=version):
                    answer = self.phone(version=version).post("MoveItems", body=body)
                    if status and version < "14":
                        self.assertEqual(answer.status, 400)
                    else:
                        self.assertEqual((answer.status, answer.root.get("Move:Status")), (200, status))
