"""Every status of ActiveSync that can arise for mail, made to arise; and why each other one cannot.

ROWS has the tables of MS-ASCMD (2.2.2 common, 2.2.3.177 per command), MS-ASPROV and MS-ASAIRS as data: chapter and command, then
status -> how it comes about (a function, which gives the status it saw) or why it does not (a text). TABLES says which codes
the documents have; a command that OPTIONS lists has its table.
"""
import importlib
import inspect
import os

from eas_base import BOB, EasTest, Sql
from eas_client import Node
from harness import ROOT, message

MEETING = "MeetingResponse:"
SYNC, TREE, MOVE, ITEM, COMPOSE, PROVISION = "AirSync:", "FolderHierarchy:", "Move:", "ItemOperations:", "ComposeMail:", "Provision:"
NEVER = "nothing that this server does can say it: "
NO_GAL_PICTURES, NO_CALENDAR = NEVER + "no pictures are kept", NEVER + "no calendar items are kept"
NO_IRM, NO_DOCUMENTS = NEVER + "rights management is not offered", NEVER + "no document library is offered"
NO_LISTS = NEVER + "no lists of revoked certificates are fetched: 16 says so"
SEE = "see "  # the test that makes it arise
ONE_STORE = NEVER + "there is one store, and what it cannot do now is HTTP 503 with Retry-After"


# ---- what the rows share ----

def tree(phone, key="0", **more):
    return phone.post("FolderSync", Node(TREE + "FolderSync", Node(TREE + "SyncKey", key)), **more)


def tree_status(phone, key="0", **more):
    return tree(phone, key, **more).root.get(TREE + "Status")


def folder_command(phone, command, **words):
    phone.folder_sync()
    key = words.pop("SyncKey", phone.hierarchy_key)
    nodes = [Node(TREE + "SyncKey", key)] if key is not None else []
    nodes += [Node(TREE + name, text) for name, text in words.items()]
    return phone.call(command, Node(TREE + command, *nodes)).get(TREE + "Status")


def create(phone, **words):
    return folder_command(phone, "FolderCreate", **{"ParentId": "0", "DisplayName": "New", "Type": "12", **words})


def update(phone, **words):
    return folder_command(phone, "FolderUpdate", **{"ServerId": "5", "ParentId": "0", "DisplayName": "Other", **words})


def sync_root(phone, *parts, **more):
    return phone.call("Sync", Node(SYNC + "Sync", *parts), **more)


def collection_status(phone, *content, folder="1", key=None):
    root = phone.call("Sync", phone.sync_request(phone.collection(folder, *content, key=key)))
    return root.get(SYNC + "Status") or root.get(SYNC + "Collections", SYNC + "Collection", SYNC + "Status")


def item_status(phone, folder, command):
    collection = phone.command(folder, command)
    responses = collection.find(SYNC + "Responses")
    return responses.children[0].get(SYNC + "Status") if responses else collection.get(SYNC + "Status")


def primed(t, *subjects, folder="Inbox", version="16.1"):
    t.deliver(*subjects)
    phone = t.phone(version=version)
    box = phone.folder(folder)
    phone.sync_all(box)
    return phone, box


def draft(*content, client_id="d1"):
    return Node(SYNC + "Add", Node(SYNC + "ClientId", client_id), *content)


def text_body(text="x"):
    return Node("AirSyncBase:Body", Node("AirSyncBase:Type", 1), Node("AirSyncBase:Data", text))


def ping(phone, *content, **more):
    return phone.call("Ping", Node("Ping:Ping", *content) if content else None, **more).get("Ping:Status")


def folders(*ids):
    return Node("Ping:Folders", *[Node("Ping:Folder", Node("Ping:Id", folder), Node("Ping:Class", "Email")) for folder in ids])


def estimate(phone, folder, key, *options):
    root = phone.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node("GetItemEstimate:Collections", Node(
        "GetItemEstimate:Collection", Node(SYNC + "SyncKey", key), Node("GetItemEstimate:CollectionId", folder), *options))))
    return root.get("GetItemEstimate:Status") or root.get("GetItemEstimate:Response", "GetItemEstimate:Status")


def operation(phone, *content, tag="Fetch"):
    root = phone.call("ItemOperations", Node(ITEM + "ItemOperations", Node(ITEM + tag, *content)))
    item = root.find(ITEM + "Response", ITEM + tag)
    return item.get(ITEM + "Status") if item else root.get(ITEM + "Status")


def fetch(phone, *content):
    return operation(phone, Node(ITEM + "Store", "Mailbox"), *content)


def send(phone, mime, client_id="c1", **more):
    answer = phone.send(mime, client_id, **more)
    return answer.root.get(COMPOSE + "Status") if answer.root else f"HTTP {answer.status} {len(answer.body)}"


def settings(phone, *content):
    return phone.call("Settings", Node("Settings:Settings", *content))


def provision(phone, *content, **more):
    return phone.call("Provision", Node(PROVISION + "Provision", *content), **more)


def policy(*content, name="MS-EAS-Provisioning-WBXML"):
    return Node(PROVISION + "Policies", Node(PROVISION + "Policy", Node(PROVISION + "PolicyType", name), *content))


INFORMATION = Node("Settings:DeviceInformation", Node("Settings:Set", Node("Settings:Model", "M")))
TO_BOB = f"To: {BOB}\r\nSubject: statuses\r\n\r\nx\r\n"


# ---- how they come about ----

def over_quota(t, phone):
    Sql(t.server)(f"update account set quota_bytes = 1 where account_id = (select account_id from directory"
                  f" where login = '{t.user}')")
    drafts = phone.folder("Drafts")
    phone.sync_all(drafts)
    return item_status(phone, drafts, draft(Node(SYNC + "ApplicationData", Node("Email:Subject", "s"), text_body())))


def in_trouble(t, table, holds, do):
    """What `do` gives while the store takes no row of the table for which `holds` is not so."""
    sql = Sql(t.server)
    sql(f"alter table {table} add constraint broken check ({holds}) not valid")
    try:
        return do()
    finally:
        sql(f"alter table {table} drop constraint broken")


def new_folder_in_trouble(t, holds, do):
    """With folder 7, which another phone has made."""
    create(t.phone())
    return in_trouble(t, "mailbox", holds, lambda: do(t.phone(device="P2")))


def gone_folder(t):
    t.imap().create("Gone")
    phone = t.phone(version="16.1")
    gone = phone.folder("Gone")
    phone.sync_all(gone)
    t.imap().delete("Gone")
    return phone, gone


def sync_gone_folder(t):
    phone, gone = gone_folder(t)
    return collection_status(phone, folder=gone)


def ping_gone_folder(t):
    phone, gone = gone_folder(t)
    return ping(phone, Node("Ping:HeartbeatInterval", 60), folders(gone))


def provisioned_elsewhere(t):
    phone = t.phone(version="16.1")
    root = provision(phone, INFORMATION, policy())
    key = root.get(PROVISION + "Policies", PROVISION + "Policy", PROVISION + "PolicyKey")
    return provision(phone, policy(Node(PROVISION + "PolicyKey", str(int(key) ^ 1)), Node(PROVISION + "Status", 1))).get(
        PROVISION + "Policies", PROVISION + "Policy", PROVISION + "Status")


def moved(phone, item, source, target):
    return phone.move(item, source, target).get(MOVE + "Status")


def move_first(t, source=None, target=None, item=None):
    phone, inbox = primed(t, "m")
    return moved(phone, item or phone.item(inbox, "m"), source or inbox, target or phone.folder("Archive"))


def sent_twice(t):
    phone = t.phone(version="16.1")
    send(phone, TO_BOB, "twice")
    return send(phone, TO_BOB, "twice")


def changed(t, *content):
    phone, inbox = primed(t, "m")
    return item_status(phone, inbox, phone.change(phone.item(inbox, "m"), *content))


def partial_body(t):
    phone, inbox = primed(t, "m")
    options = Node(SYNC + "Options", Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", 1)))
    return collection_status(phone, options, folder=inbox)


def fetched_range(t):
    t.server.deliver(message("with a file", to=t.user, headers="").replace(
        b"Content-Type: text/plain; charset=utf-8\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n").replace(
        b"Good morning.\r\n", b"--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nwords\r\n--b--\r\n"), to=t.user)
    phone, inbox = primed(t)
    data = next(iter(phone.items[inbox].values()))
    reference = data.get("AirSyncBase:Attachments", "AirSyncBase:Attachment", "AirSyncBase:FileReference")
    return fetch(phone, Node("AirSyncBase:FileReference", reference), Node(ITEM + "Options", Node(ITEM + "Range", "900-999")))


def oof(*content):
    return Node("Settings:Oof", Node("Settings:Set", *content))


def oof_message(*audience, body="away", kind="Text"):
    return Node("Settings:OofMessage", *[Node("Settings:" + name) for name in audience], Node("Settings:Enabled", 1),
                Node("Settings:ReplyMessage", body), Node("Settings:BodyType", kind) if kind else None)


def oof_status(t, *content):
    return settings(t.phone(version="16.1"), oof(*content)).get("Settings:Oof", "Settings:Status")


ROWS = {
    "5 common": {
        101: lambda t: tree_status(t.phone(version="16.1"), Content_Type="text/plain"),
        102: lambda t: t.phone(version="16.1").post("FolderSync", body=b"\x03\x01\x6a\x00\x00\x07\x56").root.get(TREE + "Status"),
        103: lambda t: t.phone(version="16.1").call("MoveItems", Node(MOVE + "MoveItems")).get(MOVE + "Status"),
        104: lambda t: answered(t, "1:1", instance="nonsense"),
        105: SEE + "test_eas_operations.Conversations.test_statuses",
        106: NEVER + "each command has a status of its own for an id of no possible form: Sync 12, MoveItems 1 and 2",
        107: lambda t: send(t.phone(version="16.1"), "\r\n"),
        108: lambda t: tree_status(t.phone(version="16.1", device="D" * 33)),
        109: lambda t: tree_status(t.phone(version="16.1", device_type="T" * 33)),
        110: SEE + "test_eas_sync_rules.Refusals.test_estimate_by_filter",
        111: SEE + "test_eas_send_once.Statuses.test_the_store_is_in_trouble", 112: ONE_STORE,
        113: SEE + "test_eas_send_once.Statuses.test_the_own_mailbox_is_full",
        114: ONE_STORE,
        115: NEVER + "there is no limit on how much somebody sends",
        116: SEE + "test_eas_send_once.Statuses.test_by_version",
        117: NEVER + "nothing forbids replies",
        118: sent_twice,
        119: lambda t: send(t.phone(version="16.1"), "Subject: to nobody\r\n\r\nx\r\n"),
        120: lambda t: send(t.phone(version="16.1"), "To: " + ", ".join(f"r{i}@example.org" for i in range(1001)) + "\r\n\r\nx\r\n"),
        121: NEVER + "a reply is sent whole or said to have failed as any other mail",
        122: SEE + "test_eas_send_once.Statuses.test_by_version",
        123: NEVER + "an account is a mailbox", 124: NEVER + "nobody is anonymous", 125: NEVER + "who is unknown gets HTTP 401",
        126: SEE + "test_eas_devices.Access.test_an_account_without_activesync", 127: ONE_STORE, 128: ONE_STORE, 129: SEE + "test_eas_devices.Access.test_a_device_id_is_of_one_account_only",
        130: NEVER + "HTTP 403 at every version", 131: NEVER + "HTTP 401: a disabled account cannot log in",
        132: NEVER + "each command has a status of its own for a lost key", 133: ONE_STORE,
        134: NEVER + "each command has a status of its own for a lost key",
        135: NEVER + "the newer of two first requests wins", 136: NEVER + "states of older versions are read",
        137: NEVER + "HTTP 501, as before 14.0", 138: SEE + "test_eas_search.Find.test_statuses",
        145: SEE + "test_eas_policy.Strict.test_a_policy_that_is_not_applied",
        146: lambda t: answered(t, "1:1", instance="2026-12-01T09:00:00.000Z"), 147: NEVER + "classes other than Email are refused by each command itself", 148: NO_DOCUMENTS,
        149: NEVER + "Sync 13 and Ping 3 say it",
        150: lambda t: send(t.phone(version="16.1"), TO_BOB, command="SmartReply", source=("1", "1:99")),
        151: NEVER + "who has MAILBOXES_MAX folders can make no more", 152: NEVER + "an account has folders", 153: ONE_STORE, 154: ONE_STORE,
        164: lambda t: partial_body(t),
        166: lambda t: t.phone(version="16.1").call("SendMail", Node(
            COMPOSE + "SendMail", Node(COMPOSE + "ClientId", "a"), Node(COMPOSE + "AccountId", "nobody"), Node(
                COMPOSE + "Mime", TO_BOB.encode()))).get(COMPOSE + "Status"),
        167: NEVER + "every account may send", 168: SEE + "test_eas_policy.SettingsParts.test_what_is_refused", 169: NO_IRM, 170: NO_IRM, 171: NO_IRM, 172: NO_IRM,
        173: SEE + "test_eas_people.People.test_properties", 174: NO_GAL_PICTURES, 175: NO_GAL_PICTURES,
        176: NEVER + "a part of a conversation is never too large: it is cut",
        178: SEE + "test_eas_send_once.Statuses.test_what_the_request_says",
        179: SEE + "test_eas_send_once.Statuses.test_what_the_request_says", 184: NO_CALENDAR,
        183: lambda t: item_status(*primed(t, folder="Drafts"), draft(Node("Email2:Send"), Node(
            SYNC + "ApplicationData", Node("Email:Subject", "s"), text_body()))),
    },
    "6 FolderSync": {
        1: lambda t: tree_status(t.phone()), 6: ONE_STORE, 9: lambda t: tree_status(t.phone(), "nonsense"),
        10: lambda t: t.phone().call("FolderSync", Node(TREE + "FolderSync")).get(TREE + "Status"), 11: ONE_STORE, 12: ONE_STORE,
    },
    "6 FolderCreate": {
        1: lambda t: create(t.phone()), 2: lambda t: create(t.phone(), DisplayName="Junk"),
        3: lambda t: create(t.phone(), Type="19"), 5: lambda t: create(t.phone(), ParentId="999"),
        6: lambda t: in_trouble(t, "mailbox", "name <> 'New'", lambda: create(t.phone())),
        9: lambda t: create(t.phone(), SyncKey="nonsense"), 10: lambda t: create(t.phone(), DisplayName=""),
        11: ONE_STORE, 12: ONE_STORE,
    },
    "6 FolderUpdate": {
        1: lambda t: (create(t.phone()), update(t.phone(device="P2"), ServerId="7"))[1],
        2: lambda t: update(t.phone(), ServerId="1"), 3: lambda t: update(t.phone(), ServerId="RI"),
        4: lambda t: update(t.phone(), ServerId="999"),
        5: lambda t: (create(t.phone()), update(t.phone(device="P2"), ServerId="7", ParentId="999"))[1],
        6: lambda t: new_folder_in_trouble(t, "name <> 'Other'", lambda phone: update(phone, ServerId="7")),
        9: lambda t: update(t.phone(), SyncKey="nonsense"), 10: lambda t: update(t.phone(), SyncKey=None), 11: ONE_STORE,
        12: ONE_STORE,
    },
    "6 FolderDelete": {
        1: lambda t: (create(t.phone()), folder_command(t.phone(device="P2"), "FolderDelete", ServerId="7"))[1],
        3: lambda t: folder_command(t.phone(), "FolderDelete", ServerId="1"),
        4: lambda t: folder_command(t.phone(), "FolderDelete", ServerId="999"),
        6: lambda t: new_folder_in_trouble(t, "deleted_at is null", lambda phone: folder_command(phone, "FolderDelete", ServerId="7")),
        9: lambda t: folder_command(t.phone(), "FolderDelete", SyncKey="nonsense", ServerId="5"),
        10: lambda t: folder_command(t.phone(), "FolderDelete", SyncKey=None, ServerId="5"), 11: ONE_STORE, 12: ONE_STORE,
    },
    "7.12 Sync": {
        1: lambda t: collection_status(t.phone(), key="0"), 2: NEVER + "the version is refused before the body is read",
        3: lambda t: collection_status(t.phone(), key="nonsense"),
        4: lambda t: sync_root(t.phone()).get(SYNC + "Status"), 5: ONE_STORE,
        6: lambda t: changed(t, Node("Email:Flag", Node("Email:Status", 9))),
        7: lambda t: edited_twice(t),
        8: lambda t: item_status(*primed(t), Node(SYNC + "Fetch", Node(SYNC + "ServerId", "1:99"))),
        9: lambda t: over_quota(t, t.phone(version="16.1")), 12: sync_gone_folder,
        13: lambda t: t.phone().call("Sync").get(SYNC + "Status"),
        14: lambda t: sync_root(t.phone(), Node(SYNC + "Collections", t.phone().collection("1", key="0")), Node(
            SYNC + "Wait", 60)).get(SYNC + "Status"),
        15: lambda t: sync_root(t.phone(), Node(SYNC + "Collections", *[t.phone().collection(str(i), key="0") for i in range(1, 7)]),
                                Node(SYNC + "Wait", 5)).get(SYNC + "Status"),
        16: ONE_STORE,
    },
    "8 Ping": {
        1: lambda t: ping(primed(t)[0], Node("Ping:HeartbeatInterval", 1), folders("1")),
        2: lambda t: (lambda phone: (t.deliver("new"), ping(phone, Node("Ping:HeartbeatInterval", 60), folders("1")))[1])(primed(t)[0]),
        3: lambda t: ping(t.phone()), 4: lambda t: ping(t.phone(), Node("Ping:HeartbeatInterval", 60), folders("1", "1")),
        5: lambda t: ping(t.phone(), Node("Ping:HeartbeatInterval", 9999), folders("1")),
        6: lambda t: ping(t.phone(), Node("Ping:HeartbeatInterval", 60), folders(*"123456")),
        7: ping_gone_folder, 8: lambda t: ping_in_trouble(t),
    },
    "9 GetItemEstimate": {
        1: lambda t: (lambda phone, box: estimate(phone, box, phone.keys[box]))(*primed(t)),
        2: lambda t: estimate(t.phone(), "999", "1"), 3: lambda t: estimate(t.phone(), "1", "0"),
        4: lambda t: (lambda phone, box: estimate(phone, box, "nonsense"))(*primed(t)),
        103: lambda t: t.phone().call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate")).get("GetItemEstimate:Status"),
    },
    "10 MoveItems": {
        1: lambda t: move_first(t, item="1:99"), 2: lambda t: move_first(t, target="999"), 3: move_first,
        4: lambda t: move_first(t, target="1"), 5: NEVER + "one move has one target, and is done or not",
        7: lambda t: in_trouble(t, "placement", "mailbox_id <> 6", lambda: move_first(t)),
    },
    "11.4 ItemOperations": {
        1: lambda t: (lambda phone, box: fetch(phone, Node(SYNC + "CollectionId", box), Node(
            SYNC + "ServerId", phone.item(box, "m"))))(*primed(t, "m")),
        2: lambda t: fetch(t.phone()), 3: SEE + "test_eas_operations.Conversations.test_statuses", 4: NO_DOCUMENTS, 5: NO_DOCUMENTS, 7: NO_DOCUMENTS,
        6: lambda t: fetch(t.phone(), Node(SYNC + "CollectionId", "1"), Node(SYNC + "ServerId", "1:99")),
        8: fetched_range,
        9: lambda t: operation(t.phone(), Node(ITEM + "Store", "Nowhere"), Node("AirSyncBase:FileReference", "x")),
        10: NO_DOCUMENTS, 12: ONE_STORE, 14: NEVER + "what cannot be converted is sent as it is",
        11: lambda t: t.phone().call("ItemOperations", Node(ITEM + "ItemOperations", *[Node(ITEM + "Fetch", Node(
            ITEM + "Store", "Mailbox")) for _ in range(101)])).get(ITEM + "Status"),
        15: lambda t: fetch(t.phone(), Node("AirSyncBase:FileReference", "nonsense")),
        16: NEVER + "what is another's is not found", 17: ONE_STORE, 18: NO_DOCUMENTS,
        155: NEVER + "a conversation is moved for once, too, as the product does", 156: SEE + "test_eas_operations.Conversations.test_statuses",
        164: lambda t: (lambda phone, box: fetch(phone, Node(SYNC + "CollectionId", box), Node(SYNC + "ServerId", phone.item(box, "m")), Node(
            ITEM + "Options", Node("AirSyncBase:BodyPartPreference", Node("AirSyncBase:Type", 1)))))(*primed(t, "m")),
    },
    "14 Search": {
        1: SEE + "test_eas_search.Mail.test_statuses", 2: SEE + "test_eas_search.Mail.test_statuses", 3: ONE_STORE, 4: NO_DOCUMENTS,
        5: SEE + "test_eas_search.Mail.test_statuses", 6: NO_DOCUMENTS, 7: NO_DOCUMENTS,
        8: SEE + "test_eas_search.Mail.test_statuses",
        10: SEE + "test_eas_search.Slow.test_a_search_that_takes_too_long_is_refused",
        11: SEE + "test_eas_search.Mail.test_statuses", 12: SEE + "test_eas_search.Mail.test_statuses", 13: NO_DOCUMENTS,
        14: NO_DOCUMENTS,
    },
    "15 Find": {
        1: SEE + "test_eas_search.Find.test_statuses", 2: SEE + "test_eas_search.Find.test_statuses",
        3: SEE + "test_eas_search.Find.test_statuses", 4: SEE + "test_eas_search.Find.test_pages",
    },
    "16 Settings": {
        1: lambda t: settings(t.phone(), Node("Settings:UserInformation", Node("Settings:Get"))).get("Settings:Status"),
        2: lambda t: settings(t.phone()).get("Settings:Status"),
        3: NEVER + "each part is its user's own; rights management says 168",
        4: lambda t: in_trouble(t, "vacation", "false", lambda: oof_status(t, Node("Settings:OofState", 1), oof_message(
            "AppliesToInternal"))),
        5: lambda t: oof_status(t, Node("Settings:OofState", 1), oof_message("AppliesToInternal", kind="nonsense")),
        6: lambda t: oof_status(t, Node("Settings:OofState", 1), oof_message("AppliesToInternal"), oof_message("AppliesToInternal")),
        7: lambda t: settings(t.phone(), Node("Settings:DevicePassword", Node("Settings:Set", Node("Settings:Password", "x")))).get(
            "Settings:DevicePassword", "Settings:Status"),
    },
    "18.1 MeetingResponse": {
        1: lambda t: answered(t, "1:1"), 2: lambda t: answered(t, "1:99"),
        3: lambda t: in_trouble(t, "outbox", "false", lambda: answered(t, "1:1", send=True)),
        4: lambda t: in_trouble(t, "placement", "mailbox_id <> 4", lambda: answered(t, "1:1")),
        103: lambda t: answered(t, *["1:99"] * 101), 104: lambda t: answered(t, "1:1", instance="nonsense"),
        146: lambda t: answered(t, "1:1", instance="2026-12-01T09:00:00.000Z"),
    },
    "18.2 ResolveRecipients": {
        1: SEE + "test_eas_people.Resolving.test_resolves", 2: SEE + "test_eas_people.Resolving.test_resolves",
        3: SEE + "test_eas_people.Resolving.test_resolves", 4: SEE + "test_eas_people.Resolving.test_resolves",
        5: SEE + "test_eas_people.Resolving.test_statuses", 6: ONE_STORE,
        7: SEE + "test_eas_people.Resolving.test_what_there_is_not_is_said", 8: NEVER + "no certificates are kept",
        160: NO_CALENDAR, 161: NO_CALENDAR, 162: NO_CALENDAR, 163: SEE + "test_eas_people.Resolving.test_what_there_is_not_is_said",
        173: SEE + "test_eas_people.Resolving.test_what_there_is_not_is_said", 174: NO_GAL_PICTURES, 175: NO_GAL_PICTURES,
    },
    "18.3 ValidateCert": {
        **{status: SEE + "test_eas_people.Certificates.test_certificates" for status in (1, 3, 4, 5, 6, 7, 9, 10, 11, 16)},
        2: SEE + "test_eas_people.Certificates.test_statuses",
        8: NEVER + "each certificate's time is looked at alone", 12: NEVER + "no address is given to compare with",
        13: NO_LISTS, 14: NO_LISTS, 15: NO_LISTS, 17: SEE + "test_eas_people.Certificates.test_trust_that_cannot_be_read",
    },
    "17.3 Provision": {
        1: lambda t: provision(t.phone(version="16.1"), INFORMATION, policy()).get(PROVISION + "Status"),
        2: lambda t: provision(t.phone(version="16.1"), INFORMATION).get(PROVISION + "Status"),
        3: lambda t: in_trouble(t, "device", "policy_key_pending = 0", lambda: provision(t.phone(version="16.1"), INFORMATION, policy()).get(
            PROVISION + "Status")),
        165: lambda t: provision(t.phone(version="16.1", device="NEW"), policy()).get(PROVISION + "Status"),
        145: SEE + "test_eas_policy.Strict.test_a_policy_that_is_not_applied", 141: NEVER + "142 is said to a phone without a key",
    },
    "17.3 Policy": {
        1: lambda t: provision(t.phone(version="16.1"), INFORMATION, policy()).get(
            PROVISION + "Policies", PROVISION + "Policy", PROVISION + "Status"),
        2: NEVER + "a phone that asks gets a document that demands nothing",
        3: lambda t: provision(t.phone(version="16.1"), INFORMATION, policy(name="nonsense")).get(
            PROVISION + "Policies", PROVISION + "Policy", PROVISION + "Status"),
        4: ONE_STORE, 5: provisioned_elsewhere,
    },
    "20.5 AirSyncBase": {
        4: lambda t: collection_status(primed(t)[0], Node(SYNC + "Options", Node("AirSyncBase:BodyPreference", Node(
            "AirSyncBase:Type", 9))), folder="1"),
        6: lambda t: item_status(*primed(t, folder="Drafts"), draft(Node(SYNC + "ApplicationData", Node(
            "AirSyncBase:Attachments", Node("AirSyncBase:Add", Node("AirSyncBase:ClientId", "a")))))),
        15: lambda t: fetch(t.phone(), Node("AirSyncBase:FileReference")),
    },
}
# With eas.provision on.
POLICY_ROWS = {
    139: lambda t: refused_policy(t), 140: SEE + "test_eas_devices.Wipe.test_the_account_alone",
    141: NEVER + "142 is said to a phone without a key",
    142: lambda t: tree_status(t.phone(version="16.1", device="NEW")), 143: SEE + "test_eas_policy.Lenient.test_it_is_refreshed",
    144: lambda t: wrong_key(t),
}


def edited_twice(t):
    one, drafts = primed(t, folder="Drafts")
    one.command(drafts, draft(Node(SYNC + "ApplicationData", Node("Email:Subject", "s"), text_body())))
    two = t.phone(version="16.1", device="TWO")
    two.sync_all(two.folder("Drafts"))
    item = two.item(drafts, "s")
    one.command(drafts, one.change(item, text_body("one")))
    return item_status(two, drafts, two.change(item, text_body("two")))


def answered(t, *items, instance=None, send=False):
    with open(os.path.join(ROOT, "tests", "wire", "eas", "meeting.eml"), "rb") as f:
        t.server.deliver(f.read().replace(b"\n", b"\r\n"), to=t.user)
    root = t.phone(version="16.1").call("MeetingResponse", Node(MEETING + "MeetingResponse", *[Node(
        MEETING + "Request", Node(MEETING + "UserResponse", 2), Node(MEETING + "CollectionId", "1"), Node(MEETING + "RequestId", item),
        Node(MEETING + "InstanceId", instance) if instance else None,
        Node(MEETING + "SendResponse") if send else None) for item in items]))
    return root.get(MEETING + "Status") or root.get(MEETING + "Result", MEETING + "Status")


def refused_policy(t):
    phone = t.phone(version="16.1")
    key = provision(phone, INFORMATION, policy()).get(PROVISION + "Policies", PROVISION + "Policy", PROVISION + "PolicyKey")
    return provision(phone, policy(Node(PROVISION + "PolicyKey", key), Node(PROVISION + "Status", 3)), X_MS_PolicyKey=key).get(
        PROVISION + "Status")


def ping_in_trouble(t):
    phone, inbox = primed(t)
    return in_trouble(t, "device", "ping_heartbeat_s <> 77",
                      lambda: ping(phone, Node("Ping:HeartbeatInterval", 77), folders(inbox)))


def wrong_key(t):
    phone = t.phone(version="16.1")
    phone.provision()
    return tree_status(phone, X_MS_PolicyKey="1")


class Statuses(EasTest):
    settings = {"eas__folders_max": 5}

    def check(self, table, rows):
        for status, how in rows.items():
            with self.subTest(f"{table} {status}"):
                if callable(how):
                    EasTest.setUp(self)
                    self.assertEqual(how(self), str(status))
                elif how.startswith(SEE):
                    module, case, test = how[len(SEE):].split(".")
                    there = getattr(getattr(importlib.import_module(module), case), test)
                    self.assertIn(f'"{status}"', inspect.getsource(there))
                else:
                    self.assertGreater(len(how.replace(NEVER, "")), 10)

    def test_every_status(self):
        for table, rows in ROWS.items():
            self.check(table, rows)

    def test_177(self):
        """eas.devices_max devices are let in, and no more."""
        phones = [self.phone(device=f"D{i}", version="16.1") for i in range(101)]
        self.assertEqual({tree_status(phone) for phone in phones[:100]}, {"1"})
        self.assertEqual(tree_status(phones[100]), "177")


class PolicyStatuses(Statuses):
    settings = {"eas__provision": "true"}

    def test_every_status(self):
        self.check("5 common", POLICY_ROWS)

    def test_177(self):
        """Without a policy key nobody is told anything else."""
        self.assertEqual(tree_status(self.phone(version="16.1", device="D1")), "142")


def codes(text):
    """"1, 3-5" as a set."""
    out = set()
    for word in text.split(", "):
        first, _, last = word.partition("-")
        out |= set(range(int(first), int(last or first) + 1))
    return out


# Each table as the documents have it.
TABLES = {
    "5 common": "101-156, 164-176, 178-179, 183-184", "6 FolderSync": "1, 6, 9-12", "6 FolderCreate": "1-3, 5-6, 9-12",
    "6 FolderUpdate": "1-6, 9-12", "6 FolderDelete": "1, 3-4, 6, 9-12", "7.12 Sync": "1-9, 12-16", "8 Ping": "1-8",
    "9 GetItemEstimate": "1-4, 103", "10 MoveItems": "1-5, 7", "11.4 ItemOperations": "1-12, 14-18, 155-156, 164",
    "16 Settings": "1-7", "18.1 MeetingResponse": "1-4, 103-104, 146", "17.3 Provision": "1-3, 141, 145, 165", "17.3 Policy": "1-5", "20.5 AirSyncBase": "4, 6, 15",
}


# Tables of commands that may not be on offer.
OPTIONAL = {"14 Search": "1-8, 10-14", "15 Find": "1-4", "18.2 ResolveRecipients": "1-8, 160-163, 173-175", "18.3 ValidateCert": "1-17"}


class Tables(EasTest):
    def test_what_is_offered_has_its_table(self):
        answer = tree(self.phone())
        offered = answer.headers["MS-ASProtocolCommands"].split(",")
        for table, text in OPTIONAL.items():
            with self.subTest(table):
                self.assertEqual(table in ROWS, table.split()[1] in offered)
                self.assertEqual(set(ROWS.get(table, codes(text))), codes(text))
        quiet = {"SendMail", "SmartReply", "SmartForward", "GetAttachment", "GetHierarchy"}  # they have the common ones
        self.assertEqual({name.split()[1] for name in [*TABLES, *OPTIONAL] if name in ROWS} - {"common", "Policy", "AirSyncBase"},
                         set(offered) - quiet)

    def test_no_status_is_left_out(self):
        for table, text in TABLES.items():
            with self.subTest(table):
                have = set(ROWS[table]) | (set(POLICY_ROWS) if table == "5 common" else set())
                more = {155, 156, 165} if table == "5 common" else set()  # said of ItemOperations and Provision below
                self.assertEqual(have, codes(text) - more)
