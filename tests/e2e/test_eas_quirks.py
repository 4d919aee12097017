"""What real clients do, and what they break on: a row for each that concerns mail (the names of the clients are in the tests'
first lines), and where the traps of servers are proved."""
import importlib
import unittest

from eas_base import BOB, RICH, EasTest
from eas_client import Node
from harness import message
from test_eas_statuses import collection_status, draft, item_status, primed, sync_root, text_body, tree_status


class Apple(EasTest):
    def test_read_and_a_flag_without_dates_in_one_change(self):
        phone, inbox = primed(self, "m")
        item = phone.item(inbox, "m")
        answer = phone.command(inbox, phone.change(item, Node("Email:Read", 1), Node("Email:Flag", Node("Email:Status", 2), Node(
            "Email:FlagType", "for follow up"))))
        self.assertIsNone(answer.find("AirSync:Responses"))
        self.assertIn(b"\\Seen", self.imap().fetch("1", "(FLAGS)")[1][0])
        self.assertIn(b"\\Flagged", self.imap().fetch("1", "(FLAGS)")[1][0])

    def test_no_range_that_was_not_asked_for(self):
        self.server.deliver(RICH, to=self.user)
        phone, inbox = primed(self)
        data = phone.items[inbox][phone.item(inbox, "Rich")]
        reference = data.get("AirSyncBase:Attachments", "AirSyncBase:Attachment", "AirSyncBase:FileReference")
        for options, names in ((None, ["Total"]), (Node("ItemOperations:Options", Node("ItemOperations:Range", "0-1")), ["Range", "Total"])):
            root = phone.fetch(Node("AirSyncBase:FileReference", reference), options).root
            properties = root.find("ItemOperations:Response", "ItemOperations:Fetch", "ItemOperations:Properties")
            had = [name for name in ("Range", "Total") if f"ItemOperations:{name}" in properties.names()]
            self.assertEqual("Range" in had, "Range" in names)

    def test_a_meeting_answered_in_the_calendar_folder(self):
        phone = self.phone(version="16.1")
        root = phone.call("MeetingResponse", Node("MeetingResponse:MeetingResponse", Node(
            "MeetingResponse:Request", Node("MeetingResponse:UserResponse", 1), Node("MeetingResponse:CollectionId", "calendar"),
            Node("MeetingResponse:RequestId", "calendar:1"))))
        self.assertEqual(root.get("MeetingResponse:Result", "MeetingResponse:Status"), "2")

    def test_a_policy_key_is_never_0(self):
        phone = self.phone()
        for root in phone.provision():
            self.assertNotEqual(root.get("Provision:Policies", "Provision:Policy", "Provision:PolicyKey"), "0")


class Android(EasTest):
    settings = {"eas__heartbeat_max_s": 1}

    def test_device_ids_of_an_account_test(self):
        for device in ("validate", "androidc1234567890"):
            self.assertEqual(tree_status(self.phone(device=device)), "1")

    def test_importance_and_sizes_are_always_there(self):
        self.server.deliver(RICH, to=self.user)
        self.deliver("plain")
        phone, inbox = primed(self)
        for data in phone.items[inbox].values():
            self.assertIn(data.get("Email:Importance"), ("0", "1", "2"))
            for attachment in (data.find("AirSyncBase:Attachments") or Node("x")).children:
                self.assertGreater(int(attachment.get("AirSyncBase:EstimatedDataSize")), 0)
                self.assertTrue(attachment.get("AirSyncBase:DisplayName"))

    def test_a_mail_in_a_mail_has_a_name_that_ends_in_eml(self):
        inner = message("Inner").decode()
        self.server.deliver("Subject: Outer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                            f"--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n", to=self.user)
        phone, inbox = primed(self)
        attachment = phone.items[inbox][phone.item(inbox, "Outer")].find("AirSyncBase:Attachments", "AirSyncBase:Attachment")
        self.assertEqual((attachment.get("AirSyncBase:Method"), attachment.get("AirSyncBase:DisplayName")[-4:]), ("5", ".eml"))

    def test_a_mail_without_a_date(self):
        self.server.deliver("Subject: undated\r\n\r\nx\r\n", to=self.user)
        phone, inbox = primed(self)
        data = phone.items[inbox][phone.item(inbox, "undated")]
        self.assertRegex(data.get("Email:DateReceived"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_an_empty_flag_clears(self):
        phone, inbox = primed(self, "m")
        self.imap().store("1", "+FLAGS", "(\\Flagged)")
        phone.command(inbox, phone.change(phone.item(inbox, "m"), Node("Email:Flag")))
        self.assertNotIn(b"\\Flagged", self.imap().fetch("1", "(FLAGS)")[1][0])

    def test_sms_is_refused_item_by_item(self):
        phone, inbox = primed(self, "m", version="14.1")
        sms = Node("AirSync:Options", Node("AirSync:Class", "SMS"), Node("AirSync:FilterType", 0))
        self.assertEqual(collection_status(phone, phone.options(0, (2, None)), sms), "1")
        phone.keys, phone.items = {}, {}
        phone.sync(inbox)
        self.assertEqual(item_status(phone, inbox, draft(Node("AirSync:Class", "SMS"), Node("AirSync:ApplicationData"))), "6")

    def test_commands_in_a_partial_request(self):
        phone, inbox = primed(self, "m")
        phone.sync(inbox)
        change = Node("AirSync:Commands", phone.change(phone.item(inbox, "m"), Node("Email:Read", 1)))
        phone.take(sync_root(phone, Node("AirSync:Collections", phone.collection(inbox, change)), Node("AirSync:Partial")))
        self.assertIn(b"\\Seen", self.imap().fetch("1", "(FLAGS)")[1][0])

    def test_an_empty_supported(self):
        self.assertEqual(collection_status(self.phone(version="12.1"), Node("AirSync:Supported"), key="0"), "1")

    def test_a_sync_that_waits_on_the_outbox_alone(self):
        phone = self.phone()
        phone.folder_sync()
        phone.sync("outbox")
        answer = phone.post("Sync", phone.sync_request(phone.collection("outbox"), heartbeat=1))
        self.assertEqual((answer.status, answer.body), (200, b""))


class Windows(EasTest):
    def test_the_folders_that_must_be_there(self):
        phone = self.phone()
        phone.folder_sync()
        types = [kind for _, kind, _ in phone.folders.values()]
        self.assertEqual([types.count(kind) for kind in "23456"], [1] * 5)
        self.assertNotIn("1", types)

    def test_expect_100_continue(self):
        phone = self.phone()
        root = Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", "0"))
        self.assertEqual(phone.post("FolderSync", root, Expect="100-continue").root.get("FolderHierarchy:Status"), "1")

    def test_a_window_of_512(self):
        phone, inbox = primed(self, *[f"m{i}" for i in range(3)])
        collection = phone.sync(inbox, Node("AirSync:WindowSize", 512))
        self.assertIsNone(collection)
        self.assertEqual(len(phone.items[inbox]), 3)


class Others(EasTest):
    def test_an_empty_server_id_in_a_fetch_is_passed_over(self):
        """BlackBerry 10."""
        phone, inbox = primed(self, "m")
        answer = phone.command(inbox, Node("AirSync:Fetch", Node("AirSync:ServerId")), Node("AirSync:Fetch", Node(
            "AirSync:ServerId", phone.item(inbox, "m"))))
        rows = answer.find("AirSync:Responses").children
        self.assertEqual([row.get("AirSync:Status") for row in rows], ["1"])

    def test_first_without_credentials_on_the_same_connection(self):
        """Libraries based on libsoup."""
        client, phone = self.server.http(), self.phone()
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync")
        answer = client.getresponse()
        answer.read()
        self.assertEqual(answer.status, 401)
        client.request("OPTIONS", "/Microsoft-Server-ActiveSync", headers=phone.headers())
        self.assertEqual(client.getresponse().status, 200)

    def test_a_repeat_with_an_empty_body_is_no_kept_request(self):
        """GNOME: but for Sync and Ping."""
        for version, status in (("12.1", 400), ("14.1", 200)):
            answer = self.phone(version=version).post("MoveItems")
            self.assertEqual(answer.status, status)
            if answer.root:
                self.assertEqual(answer.root.get("Move:Status"), "101")

    def test_save_in_sent_items_with_content(self):
        phone = self.phone()
        mime = f"To: {BOB}\r\nSubject: kept {self.user}\r\n\r\nx\r\n"
        answer = phone.post("SendMail", Node("ComposeMail:SendMail", Node("ComposeMail:ClientId", "s1"), Node(
            "ComposeMail:SaveInSentItems", "1"), Node("ComposeMail:Mime", mime.encode())))
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.imap("Sent").search(None, "ALL")[1][0], b"1")

    def test_device_information_in_provision_at_every_version(self):
        for version in ("12.0", "12.1", "14.0", "14.1", "16.0", "16.1"):
            phone = self.phone(version=version, device="P" + version.replace(".", ""))
            self.assertEqual(phone.provision()[1].get("Provision:Status"), "1")


# Where each trap is proved: "module test", or why it is none here.
TRAPS = {
    1: "test_eas test_replay_gives_the_same_answer_and_changes_nothing_twice", 2: "test_eas_items test_a_draft_of_16_1",
    3: "test_eas_model test_phones_hold_what_the_mailbox_holds", 4: "test_eas_hard_cases test_hard_case_8c_ping_means_that_sync_sends_something",
    5: "test_eas_push test_what_comes_while_a_phone_is_gone_is_told_when_it_is_back",
    6: "test_eas test_a_backlog_touched_meanwhile_loses_nothing", 7: "test_eas_model test_phones_hold_what_the_mailbox_holds",
    8: "test_eas_model test_phones_hold_what_the_mailbox_holds", 9: "test_eas_push test_trouble_of_our_own_costs_nobody_anything",
    10: "test_eas_garbage test_spoilt_requests", 11: "test_eas_push test_trouble_of_our_own_costs_nobody_anything",
    12: "test_eas_items test_malformed_mail_never_stops_a_folder", 13: "test_eas_rules test_characters_that_xml_forbids_never_reach_a_phone",
    14: "test_eas_rules test_truncation", 15: "test_eas_rules test_type_4_needs_mime_support", 16: "test_eas_rules test_truncation",
    17: "test_eas_rules test_truncation", 18: "test_eas_rules test_date_received_is_the_delivery", 19: "test_eas_items test_moves",
    20: "test_eas_items test_moves", 21: "test_eas_items test_send_once_and_save_once", 22: "test_eas_items test_send_once_and_save_once",
    23: "test_eas_sending test_local_far_and_hidden_recipients", 24: "test_eas_sending test_local_far_and_hidden_recipients",
    25: "test_eas_sending test_options_need_no_key", 26: "test_eas_rules test_general_errors_by_version", 27: "test_eas_sending test_keys",
    28: "a policy is advice to a phone: who may sync is decided by the server", 29: "test_eas_push test_parked_pings_hold_no_worker_and_no_connection",
    30: "test_eas_hard_cases test_hard_case_11c_two_syncs_with_one_key_at_once",
    31: "test_eas_rules test_mail_moves_no_hierarchy_key_and_a_lost_reply_is_repeated", 32: "test_eas test_ids_are_stable",
    33: "ageing is looked at when a phone syncs, and moves by whole hours", 34: "test_eas test_filter", 35: "test_eas test_flags_both_ways",
    36: "test_eas_rules test_defaults_of_get_changes_and_deletes_as_moves", 37: "test_eas_rules test_defaults_of_get_changes_and_deletes_as_moves",
    38: "test_eas_rules test_options_are_sticky", 39: "test_eas_rules test_an_empty_request_goes_on_from_the_newest_key",
    40: "test_eas_rules test_nothing_that_hangs_when_there_is_something_to_say", 41: "a matter of the proxy in front: README",
    42: "test_eas_push test_fin_and_rst_free_the_wait_plain_and_tls", 43: "test_eas_items test_attachments_of_others_stay_theirs",
    44: "ids of searches are those of items, and an item is read of the account that asks", 45: "test_eas_garbage test_documents",
    46: "there is no Autodiscover", 47: "test_eas_quirks test_the_folders_that_must_be_there", 48: "test_eas test_hierarchy",
    49: "test_eas_rules test_a_phone_of_each_version", 50: "pages: libwbxml and the golden vectors in tests/protocol/wbxml",
    51: "test_eas test_flags_both_ways", 52: "test_eas_sending test_signed_mail_is_never_rewritten",
    53: "test_eas_rules test_a_device_id_is_one_whatever_its_case", 54: "test_eas_hard_cases test_hard_case_10_a_draft_keeps_its_id_and_other_phones_get_a_change",
    55: "test_eas test_ids_are_stable",
}


class Traps(unittest.TestCase):
    def test_each_trap_is_proved_somewhere(self):
        self.assertEqual(sorted(TRAPS), list(range(1, 56)))
        for number, where in TRAPS.items():
            words = where.split()
            if len(words) != 2:
                continue
            with self.subTest(number):
                cases = [thing for thing in vars(importlib.import_module(words[0])).values() if isinstance(thing, type)]
                self.assertTrue(any(hasattr(case, words[1]) for case in cases), where)
