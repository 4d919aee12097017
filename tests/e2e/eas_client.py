"""An ActiveSync client for tests, with a WBXML codec of its own that shares nothing with the server's.

A document is a tree of Node: tag "Page:Name", then children, or text, or bytes (opaque).
"""
import base64
import select
import struct
import urllib.parse

# Code pages, tokens from 0x05 on in order; "-" is a token without a name.
PAGES = {
    0: ("AirSync", """
        Sync Responses Add Change Delete Fetch SyncKey ClientId ServerId Status Collection Class Version
        CollectionId GetChanges MoreAvailable WindowSize Commands Options FilterType Truncation RtfTruncation
        Conflict Collections ApplicationData DeletesAsMoves NotifyGUID Supported SoftDelete MIMESupport
        MIMETruncation Wait Limit Partial ConversationMode MaxItems HeartbeatInterval"""),
    2: ("Email", """
        Attachment Attachments AttName AttSize AttOid AttMethod AttRemoved Body BodySize BodyTruncated DateReceived
        DisplayName DisplayTo Importance MessageClass Subject Read To Cc From ReplyTo AllDayEvent Categories
        Category DtStamp EndTime InstanceType BusyStatus Location MeetingRequest Organizer RecurrenceId Reminder
        ResponseRequested Recurrences Recurrence Type Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth
        MonthOfYear StartTime Sensitivity TimeZone GlobalObjId ThreadTopic MIMEData MIMETruncated MIMESize
        InternetCPID Flag Status ContentClass FlagType CompleteTime DisallowNewTimeProposal"""),
    4: ("Calendar", """
        Timezone AllDayEvent Attendees Attendee Email Name Body BodyTruncated BusyStatus Categories Category Rtf
        DtStamp EndTime Exception Exceptions Deleted ExceptionStartTime Location MeetingStatus OrganizerEmail
        OrganizerName Recurrence Type Until Occurrences Interval DayOfWeek DayOfMonth WeekOfMonth MonthOfYear
        Reminder Sensitivity Subject StartTime UID AttendeeStatus AttendeeType - - - - - - - -
        DisallowNewTimeProposal ResponseRequested AppointmentReplyTime ResponseType CalendarType IsLeapMonth
        FirstDayOfWeek OnlineMeetingConfLink OnlineMeetingExternalLink ClientUid"""),
    5: ("Move", """
        MoveItems Move SrcMsgId SrcFldId DstFldId Response Status DstMsgId"""),
    6: ("GetItemEstimate", """
        GetItemEstimate Version Collections Collection Class CollectionId DateTime Estimate Response Status"""),
    7: ("FolderHierarchy", """
        Folders Folder DisplayName ServerId ParentId Type Response Status ContentClass Changes Add Delete Update
        SyncKey FolderCreate FolderDelete FolderUpdate FolderSync Count Version"""),
    8: ("MeetingResponse", """
        CalendarId CollectionId MeetingResponse RequestId Request Result Status UserResponse Version InstanceId -
        ProposedStartTime ProposedEndTime SendResponse"""),
    9: ("Tasks", """
        Body BodySize BodyTruncated Categories Category Complete DateCompleted DueDate UtcDueDate Importance
        Recurrence Type Start Until Occurrences Interval DayOfMonth DayOfWeek WeekOfMonth MonthOfYear Regenerate
        DeadOccur ReminderSet ReminderTime Sensitivity StartDate UtcStartDate Subject Rtf OrdinalDate SubOrdinalDate
        CalendarType IsLeapMonth FirstDayOfWeek"""),
    10: ("ResolveRecipients", """
        ResolveRecipients Response Status Type Recipient DisplayName EmailAddress Certificates Certificate
        MiniCertificate Options To CertificateRetrieval RecipientCount MaxCertificates MaxAmbiguousRecipients
        CertificateCount Availability StartTime EndTime MergedFreeBusy Picture MaxSize Data MaxPictures"""),
    11: ("ValidateCert", """
        ValidateCert Certificates Certificate CertificateChain CheckCRL Status"""),
    13: ("Ping", """
        Ping AutdState Status HeartbeatInterval Folders Folder Id Class MaxFolders Version"""),
    14: ("Provision", """
        Provision Policies Policy PolicyType PolicyKey Data Status RemoteWipe EASProvisionDoc DevicePasswordEnabled
        AlphanumericDevicePasswordRequired RequireStorageCardEncryption PasswordRecoveryEnabled
        DocumentBrowseEnabled AttachmentsEnabled MinDevicePasswordLength MaxInactivityTimeDeviceLock
        MaxDevicePasswordFailedAttempts MaxAttachmentSize AllowSimpleDevicePassword DevicePasswordExpiration
        DevicePasswordHistory AllowStorageCard AllowCamera RequireDeviceEncryption AllowUnsignedApplications
        AllowUnsignedInstallationPackages MinDevicePasswordComplexCharacters AllowWiFi AllowTextMessaging
        AllowPOPIMAPEmail AllowBluetooth AllowIrDA RequireManualSyncWhenRoaming AllowDesktopSync
        MaxCalendarAgeFilter AllowHTMLEmail MaxEmailAgeFilter MaxEmailBodyTruncationSize
        MaxEmailHTMLBodyTruncationSize RequireSignedSMIMEMessages RequireEncryptedSMIMEMessages
        RequireSignedSMIMEAlgorithm RequireEncryptionSMIMEAlgorithm AllowSMIMEEncryptionAlgorithmNegotiation
        AllowSMIMESoftCerts AllowBrowser AllowConsumerEmail AllowRemoteDesktop AllowInternetSharing
        UnapprovedInROMApplicationList ApplicationName ApprovedApplicationList Hash AccountOnlyRemoteWipe"""),
    15: ("Search", """
        Search - Store Name Query Options Range Status Response Result Properties Total EqualTo Value And Or
        FreeText - DeepTraversal LongId RebuildResults LessThan GreaterThan Schema Supported UserName Password
        ConversationId Picture MaxSize MaxPictures"""),
    16: ("GAL", """
        DisplayName Phone Office Title Company Alias FirstName LastName HomePhone MobilePhone EmailAddress Picture
        Status Data"""),
    17: ("AirSyncBase", """
        BodyPreference Type TruncationSize AllOrNone - Body Data EstimatedDataSize Truncated Attachments Attachment
        DisplayName FileReference Method ContentId ContentLocation IsInline NativeBodyType ContentType Preview
        BodyPartPreference BodyPart Status Add Delete ClientId Content Location Annotation Street City State Country
        PostalCode Latitude Longitude Accuracy Altitude AltitudeAccuracy LocationUri InstanceId"""),
    18: ("Settings", """
        Settings Status Get Set Oof OofState StartTime EndTime OofMessage AppliesToInternal AppliesToExternalKnown
        AppliesToExternalUnknown Enabled ReplyMessage BodyType DevicePassword Password DeviceInformation Model IMEI
        FriendlyName OS OSLanguage PhoneNumber UserInformation EmailAddresses SMTPAddress UserAgent
        EnableOutboundSMS MobileOperator PrimarySmtpAddress Accounts Account AccountId AccountName UserDisplayName
        SendDisabled - RightsManagementInformation"""),
    20: ("ItemOperations", """
        ItemOperations Fetch Store Options Range Total Properties Data Status Response Version Schema Part
        EmptyFolderContents DeleteSubFolders UserName Password Move DstFldId ConversationId MoveAlways"""),
    21: ("ComposeMail", """
        SendMail SmartForward SmartReply SaveInSentItems ReplaceMime Type Source FolderId ItemId LongId InstanceId
        Mime ClientId Status AccountId - Forwardees Forwardee ForwardeeName ForwardeeEmail"""),
    22: ("Email2", """
        UmCallerID UmUserNotes UmAttDuration UmAttOrder ConversationId ConversationIndex LastVerbExecuted
        LastVerbExecutionTime ReceivedAsBcc Sender CalendarType IsLeapMonth AccountId FirstDayOfWeek
        MeetingMessageType - IsDraft Bcc Send"""),
    25: ("Find", """
        Find SearchId ExecuteSearch MailBoxSearchCriterion Query Status FreeText Options Range DeepTraversal - -
        Response Result Properties Preview HasAttachments Total DisplayCc DisplayBcc GalSearchCriterion - - - - - -
        MaxPictures MaxSize Picture"""),
}

TOKENS, NAMES = {}, {}
for page_number, (page_name, words) in PAGES.items():
    for offset, word in enumerate(words.split()):
        if word != "-":
            TOKENS[f"{page_name}:{word}"] = (page_number, 5 + offset)
            NAMES[(page_number, 5 + offset)] = f"{page_name}:{word}"


class Node:
    def __init__(self, tag, *content):
        self.tag, self.children, self.text = tag, [], None
        for thing in content:
            if isinstance(thing, Node):
                self.children.append(thing)
            elif thing is not None:
                self.text = thing if isinstance(thing, bytes) else str(thing)

    def all(self, tag):
        return [child for child in self.children if child.tag == tag]

    def find(self, *path):
        node = self
        for tag in path:
            found = node.all(tag)
            if not found:
                return None
            node = found[0]
        return node

    def get(self, *path):
        """Text of the element at the path; None when it is not there, "" when it is empty."""
        node = self.find(*path)
        return None if node is None else (node.text if node.text is not None else "")

    def names(self):
        return [child.tag for child in self.children]

    def __repr__(self):
        inside = repr(self.text) if self.text is not None else " ".join(map(repr, self.children))
        return f"<{self.tag}{' ' + inside if inside else ''}>"


def number(n):
    out = [n & 0x7F]
    while n > 0x7F:
        n >>= 7
        out.append(0x80 | (n & 0x7F))
    return bytes(reversed(out))


def encode(root):
    out, page = bytearray(b"\x03\x01\x6a\x00"), 0

    def put(node):
        nonlocal page
        where, token = TOKENS[node.tag]
        if where != page:
            out.extend((0, where))
            page = where
        if node.text in (None, "", b"") and not node.children:
            out.append(token)
            return
        out.append(token | 0x40)
        if isinstance(node.text, bytes):
            out.extend(b"\xc3" + number(len(node.text)) + node.text)
        elif node.text is not None:
            out.extend(b"\x03" + node.text.encode() + b"\x00")
        for child in node.children:
            put(child)
        out.append(1)

    put(root)
    return bytes(out)


def decode(data):
    if data[:4] != b"\x03\x01\x6a\x00":
        raise ValueError(f"no WBXML: {data[:20]!r}")
    at, page, root, stack = 4, 0, None, []
    while True:
        token = data[at]
        at += 1
        if token == 0:
            page = data[at]
            at += 1
        elif token == 1:
            stack.pop()
            if not stack:
                break
        elif token == 3:
            end = data.index(0, at)
            stack[-1].text = (stack[-1].text or "") + data[at:end].decode("utf-8")
            at = end + 1
        elif token == 0xC3:
            size = 0
            while True:
                size = size << 7 | data[at] & 0x7F
                at += 1
                if not data[at - 1] & 0x80:
                    break
            stack[-1].text = data[at:at + size]
            at += size
        else:
            node = Node(NAMES[(page, token & 0x3F)])
            if stack:
                stack[-1].children.append(node)
            root = root or node
            if token & 0x40:
                stack.append(node)
            elif not stack:
                break
    if at != len(data):
        raise ValueError("octets behind the document")
    return root


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        self.root = decode(self.body) if self.body.startswith(b"\x03\x01\x6a") else None


class Pending:
    """A request that has been sent and waits for its answer."""

    def __init__(self, connection):
        self.connection = connection

    def answer(self):
        try:
            return Answer(self.connection.getresponse())
        finally:
            self.connection.close()

    def has_answer(self):
        """Whether something can be read already; does not wait."""
        return bool(select.select([self.connection.sock], [], [], 0)[0])


class Phone:
    """One device of one account. Keeps what a phone keeps: keys, items per folder, policy key."""

    def __init__(self, server, login="alice@example.test", password="demo", device="PHONE1", version="14.1", tls=False,
                 device_type="TestPhone"):
        self.server, self.login, self.password, self.device, self.version = server, login, password, device, version
        self.tls, self.device_type, self.policy_key = tls, device_type, None
        self.hierarchy_key, self.folders, self.keys, self.items = "0", {}, {}, {}

    # ---- requests ----

    def headers(self, **more):
        headers = {"Authorization": "Basic " + base64.b64encode(f"{self.login}:{self.password}".encode()).decode(),
                   "MS-ASProtocolVersion": self.version, "Content-Type": "application/vnd.ms-sync.wbxml",
                   "User-Agent": "TestPhone/1.0"}
        if self.policy_key is not None:
            headers["X-MS-PolicyKey"] = self.policy_key
        headers.update({name.replace("_", "-"): value for name, value in more.items() if value is not None})
        return headers

    def path(self, command, **more):
        query = {"Cmd": command, "User": self.login, "DeviceId": self.device, "DeviceType": self.device_type, **more}
        return "/Microsoft-Server-ActiveSync?" + urllib.parse.urlencode(query)

    def start(self, command, root=None, body=None, query=None, path=None, **headers):
        connection = self.server.http(tls=self.tls)
        data = body if body is not None else encode(root) if root is not None else b""
        connection.request("POST", path or self.path(command, **(query or {})), data, self.headers(**headers))
        return Pending(connection)

    def post(self, command, root=None, **more):
        return self.start(command, root, **more).answer()

    def call(self, command, root=None, **more):
        """A request that must succeed with a document; its root."""
        answer = self.post(command, root, **more)
        if answer.status != 200 or answer.root is None:
            raise AssertionError(f"{command}: HTTP {answer.status} {answer.body[:200]!r}")
        return answer.root

    # ---- folders ----

    def folder_sync(self):
        root = self.call("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", self.hierarchy_key)))
        if root.get("FolderHierarchy:Status") != "1":
            return root
        self.hierarchy_key = root.get("FolderHierarchy:SyncKey")
        for change in root.find("FolderHierarchy:Changes").children:
            if change.tag in ("FolderHierarchy:Add", "FolderHierarchy:Update"):
                self.folders[change.get("FolderHierarchy:ServerId")] = (
                    change.get("FolderHierarchy:DisplayName"), change.get("FolderHierarchy:Type"),
                    change.get("FolderHierarchy:ParentId"))
            elif change.tag == "FolderHierarchy:Delete":
                self.folders.pop(change.get("FolderHierarchy:ServerId"), None)
        return root

    def folder(self, name):
        """A folder's id by display name."""
        if not self.folders:
            self.folder_sync()
        for server_id, (display_name, _, _) in self.folders.items():
            if display_name == name:
                return server_id
        raise AssertionError(f"no folder {name}: {self.folders}")

    # ---- Sync ----

    def collection(self, folder, *content, key=None):
        nodes = [Node("AirSync:SyncKey", self.keys.get(folder, "0") if key is None else key),
                 Node("AirSync:CollectionId", folder)]
        if self.version < "14":
            nodes.insert(0, Node("AirSync:Class", "Email"))
        return Node("AirSync:Collection", *nodes, *content)

    @staticmethod
    def options(filter_type=0, *preferences, mime=None):
        """preferences: (type, truncation or None)."""
        nodes = [Node("AirSync:FilterType", filter_type)]
        if mime is not None:
            nodes.append(Node("AirSync:MIMESupport", mime))
        for preference in preferences or ((1, None),):
            inside = [Node("AirSyncBase:Type", preference[0])]
            if len(preference) > 1 and preference[1] is not None:
                inside.append(Node("AirSyncBase:TruncationSize", preference[1]))
            if len(preference) > 2:
                inside.append(Node("AirSyncBase:Preview", preference[2]))
            nodes.append(Node("AirSyncBase:BodyPreference", *inside))
        return Node("AirSync:Options", *nodes)

    def sync_request(self, *collections, wait=None, heartbeat=None, window=None):
        return Node("AirSync:Sync", Node("AirSync:Collections", *collections),
                    Node("AirSync:Wait", wait) if wait is not None else None,
                    Node("AirSync:HeartbeatInterval", heartbeat) if heartbeat is not None else None,
                    Node("AirSync:WindowSize", window) if window is not None else None)

    def take(self, root):
        """Takes a Sync answer in as a phone does; returns the collections by id."""
        if not root.find("AirSync:Collections").children:
            raise AssertionError("empty Collections make phones loop")
        collections = {}
        for collection in root.find("AirSync:Collections").all("AirSync:Collection"):
            folder = collection.get("AirSync:CollectionId")
            collections[folder] = collection
            for name in ("AirSync:Commands", "AirSync:Responses"):
                if collection.find(name) is not None and not collection.find(name).children:
                    raise AssertionError(f"an empty {name} makes phones crash or loop")
            if collection.get("AirSync:Status") != "1":
                continue
            self.keys[folder] = collection.get("AirSync:SyncKey")
            items = self.items.setdefault(folder, {})
            commands = collection.find("AirSync:Commands")
            for command in commands.children if commands else []:
                item = command.get("AirSync:ServerId")
                data = command.find("AirSync:ApplicationData")
                if command.tag == "AirSync:Add":
                    if item in items:
                        raise AssertionError(f"a second Add of {item}")
                    items[item] = data
                elif command.tag == "AirSync:Change":
                    if item not in items:
                        raise AssertionError(f"a Change of {item}, which was never sent")
                    for child in data.children:
                        old = items[item].find(child.tag)
                        if old:
                            items[item].children.remove(old)
                        items[item].children.append(child)
                else:
                    items.pop(item, None)
        return collections

    def sync(self, folder, *content, **more):
        """One Sync of one folder that must give an answer for it; the collection."""
        answer = self.post("Sync", self.sync_request(self.collection(folder, *content), **more))
        if answer.status != 200:
            raise AssertionError(f"Sync: HTTP {answer.status}")
        if not answer.body:
            return None
        if answer.root.find("AirSync:Collections") is None:
            raise AssertionError(f"Sync: {answer.root}")
        return self.take(answer.root)[folder]

    def sync_all(self, folder, *content, window=100):
        """Syncs until nothing is left; returns how many answers that took."""
        if folder not in self.keys:
            self.sync(folder, *content)
        for count in range(1, 1000):
            collection = self.sync(folder, Node("AirSync:GetChanges"), Node("AirSync:WindowSize", window), *content)
            if collection is None or collection.find("AirSync:MoreAvailable") is None:
                return count
        raise AssertionError("MoreAvailable without end")

    def command(self, folder, *commands, **more):
        return self.sync(folder, Node("AirSync:Commands", *commands), **more)

    def change(self, item, *content):
        return Node("AirSync:Change", Node("AirSync:ServerId", item), Node("AirSync:ApplicationData", *content))

    def item(self, folder, subject):
        """ServerId of the one item with the subject."""
        found = [key for key, data in self.items.get(folder, {}).items() if data.get("Email:Subject") == subject]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} items with subject {subject!r}")
        return found[0]

    def subjects(self, folder):
        return sorted(data.get("Email:Subject") for data in self.items.get(folder, {}).values())

    # ---- Ping ----

    @staticmethod
    def ping_request(heartbeat, *folders):
        return Node("Ping:Ping", Node("Ping:HeartbeatInterval", heartbeat),
                    Node("Ping:Folders", *[Node("Ping:Folder", Node("Ping:Id", folder), Node("Ping:Class", "Email"))
                                           for folder in folders]))

    def ping(self, heartbeat, *folders):
        return self.start("Ping", self.ping_request(heartbeat, *folders))

    # ---- others ----

    def provision(self):
        """Both phases; the final key is used from now on."""
        name = "MS-EAS-Provisioning-WBXML"
        information = Node("Settings:DeviceInformation", Node("Settings:Set", Node("Settings:Model", "Test"),
                                                              Node("Settings:OS", "Test 1")))
        self.policy_key = "0"
        first = self.call("Provision", Node("Provision:Provision", information, Node("Provision:Policies", Node(
            "Provision:Policy", Node("Provision:PolicyType", name)))))
        policy = first.find("Provision:Policies", "Provision:Policy")
        self.policy_key = policy.get("Provision:PolicyKey")
        second = self.call("Provision", Node("Provision:Provision", Node("Provision:Policies", Node(
            "Provision:Policy", Node("Provision:PolicyType", name), Node("Provision:PolicyKey", self.policy_key),
            Node("Provision:Status", "1")))))
        self.policy_key = second.get("Provision:Policies", "Provision:Policy", "Provision:PolicyKey")
        return first, second

    def send(self, mime, client_id, save=True, command="SendMail", source=None, **more):
        nodes = [Node("ComposeMail:ClientId", client_id)]
        if save:
            nodes.append(Node("ComposeMail:SaveInSentItems"))
        if source:
            folder, item = source
            nodes.append(Node("ComposeMail:Source", Node("ComposeMail:FolderId", folder), Node("ComposeMail:ItemId", item)))
        nodes.append(Node("ComposeMail:Mime", mime if isinstance(mime, bytes) else mime.encode()))
        return self.post(command, Node(f"ComposeMail:{command}", *nodes), **more)

    def move(self, item, source, target):
        root = self.call("MoveItems", Node("Move:MoveItems", Node("Move:Move", Node("Move:SrcMsgId", item),
                                                                 Node("Move:SrcFldId", source), Node("Move:DstFldId", target))))
        return root.find("Move:Response")

    def fetch(self, *content, **headers):
        return self.post("ItemOperations", Node("ItemOperations:ItemOperations", Node(
            "ItemOperations:Fetch", Node("ItemOperations:Store", "Mailbox"), *content)), **headers)


def multipart(body):
    """The parts of a multipart answer of ItemOperations."""
    count = struct.unpack_from("<i", body)[0]
    parts = []
    for i in range(count):
        offset, size = struct.unpack_from("<ii", body, 4 + 8 * i)
        parts.append(body[offset:offset + size])
    return parts


def base64_query(version, code, device, device_type, policy_key=None, parameters=b""):
    """The base64 form of the query string (MS-ASHTTP 2.2.1.1.1.1)."""
    key = b"\x00" if policy_key is None else b"\x04" + struct.pack("<I", policy_key)
    raw = (bytes((version, code, 9, 4, len(device))) + device + key + bytes((len(device_type),)) + device_type.encode()
           + parameters)
    return "/Microsoft-Server-ActiveSync?" + base64.b64encode(raw).decode()
