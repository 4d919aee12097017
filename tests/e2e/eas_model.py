"""A model of two phones and a desktop over the wire: what each does is drawn from a seeded generator, and when all is
quiet both phones hold exactly what the mailbox holds within their filters.

On the way: no second Add, no Change of what was never sent (Phone.take refuses both), no key that is refused, no window
without end, and Ping says that there is news exactly when Sync has some. See test_eas_model.py.
"""
import http.client
import random
import re
import select
import threading
import time

from eas_client import Answer, Node, Phone, encode
from harness import LIMIT_S, PASSWORD, message

SPECIAL = {"Inbox": "INBOX"}  # display names that IMAP has otherwise
OUTBOX = "outbox"
AGES = (0, 0, 0, 4.5, 10.5, 20.5, 40.5)  # days; far from where any filter cuts, so that no hour changes the result
DAYS = {0: None, 2: 3, 3: 7, 4: 14, 5: 31}
ROUNDS_MAX = 300
FOLD = 0.7
# Its phones are faster than any, and repeat what was lost as often as the dice say.
SETTINGS = {"log__level": "debug", "eas__requests_per_minute": 0, "eas__loop_repeats": 1000}
# Statuses that another client's work makes right: gone meanwhile.
MOVE_STATUSES, FOLDER_STATUSES = {"1", "2", "3", "4"}, {"1", "2", "4", "5"}
CHANGE_STATUSES = {"7", "8"}  # 7: somebody else has written the draft anew, and the server's words stay


class Wrong(AssertionError):
    """What a phone saw that it must never see."""


class Desk:
    """Everybody else: deliveries, an IMAP client, an administrator."""

    def __init__(self, run):
        self.run, self.server, self.user, self.rnd = run, run.server, run.user, run.rnd
        self.client = None

    def imap(self):
        if not self.client:
            self.client = self.server.raw_imap(self.user)
            self.server.opened.remove(self.client.close)
        return self.client

    def close(self):
        if self.client:
            self.client.close()
            self.client = None

    def mailboxes(self):
        return sorted(re.search(rb'"/" "?([^"]+)"?$', line).group(1).decode() for line in self.imap().ok('LIST "" *')
                      if line.startswith(b"* LIST"))

    def uids(self, mailbox):
        self.imap().ok(f'SELECT "{mailbox}"')
        found = [re.search(rb"SEARCH(.*)", line) for line in self.imap().ok("UID SEARCH ALL")]
        return [int(uid) for row in found if row for uid in row.group(1).split()]

    def some(self, mailbox, most=6):
        """A few messages as a set, or None."""
        uids = self.uids(mailbox)
        if not uids:
            return None
        return ",".join(map(str, sorted(self.rnd.sample(uids, min(len(uids), self.rnd.randint(1, most))))))

    def folder(self, *but):
        return self.rnd.choice([name for name in self.mailboxes() if name not in but])

    def note(self, mailbox, command):
        self.run.say(f"  {mailbox}: {command}")
        self.imap().ok(command)

    # ---- steps ----

    def deliver(self):
        for _ in range(self.rnd.choice((1, 1, 2, 4))):
            self.server.deliver(message(self.run.subject("d"), to=self.user), to=self.user)

    def append(self):
        mailbox, age = self.folder(), self.rnd.choice(AGES)
        date = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(time.time() - age * 86400))
        octets = message(self.run.subject("a"), to=self.user)
        self.run.say(f"  {mailbox}: {octets[octets.index(b'Subject'):][:14]} {age} days")
        flags = self.rnd.choice(("", "\\Seen", "\\Flagged", "red \\Seen"))
        self.imap().ok(b'APPEND "%s" (%s) "%s" {%d+}\r\n%s' % (mailbox.encode(), flags.encode(), date.encode(), len(octets), octets))

    def flags(self):
        mailbox = self.folder()
        uids = self.some(mailbox, 20)
        if uids:
            flag = self.rnd.choice(("\\Seen", "\\Seen", "\\Flagged", "red", "$Forwarded", "\\Answered"))
            self.note(mailbox, f"UID STORE {uids} {self.rnd.choice('+-')}FLAGS.SILENT ({flag})")

    def expunge(self):
        mailbox = self.folder()
        uids = self.some(mailbox)
        if uids:
            self.note(mailbox, f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
            self.imap().ok("EXPUNGE")

    def carry(self):
        mailbox = self.folder()
        uids = self.some(mailbox)
        if uids:
            self.note(mailbox, f"UID {self.rnd.choice(('MOVE', 'MOVE', 'COPY'))} {uids} \"{self.folder(mailbox)}\"")

    def folders(self):
        mine = [name for name in self.mailboxes() if name.startswith("F")]
        what = self.rnd.choice(("CREATE", "CREATE", "RENAME", "DELETE"))
        if what == "CREATE" or not mine:
            if len(mine) < 5:
                self.imap().ok(f"CREATE {self.run.folder_name()}")
        elif what == "RENAME":
            self.imap().ok(f"RENAME {self.rnd.choice(mine)} {self.run.folder_name()}")
        else:
            self.imap().ok(f"DELETE {self.rnd.choice(mine)}")

    def restore(self):
        ids = self.server.cli("deleted", "list", self.user, "--ids").out.split()
        if ids:
            self.run.restored = True
            self.server.cli("deleted", "restore", self.user, *self.rnd.sample(ids, min(len(ids), 4)), check=False)

    def truth(self):
        """What the mailboxes hold: {name: {(subject, age in days): [(seen, flagged, red)]}}."""
        content = {}
        for mailbox in self.mailboxes():
            self.imap().ok(f'SELECT "{mailbox}"')
            rows = content[mailbox] = []
            for line in self.imap().ok("UID FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])"):
                if b"Subject: " not in line:
                    continue
                flags = re.search(rb"FLAGS \(([^)]*)\)", line).group(1).split()
                date = re.search(rb'INTERNALDATE "\s?([^"]+)"', line).group(1).decode()
                at = time.mktime(time.strptime(date[:20], "%d-%b-%Y %H:%M:%S")) - time.timezone
                subject = re.search(rb"Subject: (\S+)", line).group(1).decode()
                rows.append((subject, (time.time() - at) / 86400, b"\\Seen" in flags, b"\\Flagged" in flags, b"red" in flags))
        return content


class Handset(Phone):
    """A phone that does things by itself, loses answers and repeats what it asked."""

    def __init__(self, run, device, version):
        super().__init__(run.server, run.user, PASSWORD, device, version)
        self.run, self.rnd = run, run.rnd
        self.window = self.rnd.choice((1, 2, 5, 25, 100))
        self.wanted = self.rnd.choice(tuple(DAYS))  # the filter of all folders from their next Sync on
        self.filters, self.settled, self.cached = {}, {}, []
        self.told = self.more = self.tree_due = False
        self.unanswered = None  # (command, root, what to do with the answer)
        self.drafts = 0

    # ---- requests that may be lost ----

    def http(self):
        return http.client.HTTPConnection("127.0.0.1", self.server.ports["http"], timeout=LIMIT_S)

    def begin(self, command, root):
        connection = self.http()
        connection.request("POST", self.path(command), encode(root) if root else b"", self.headers())
        return connection

    def end(self, connection):
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def once(self, command, root):
        """The answer, or None for 503: to be repeated."""
        answer = self.end(self.begin(command, root))
        if answer.status not in (200, 503):
            raise Wrong(f"{command}: HTTP {answer.status} {answer.body[:200]!r}")
        return answer if answer.status == 200 else None

    def lose(self, command, root):
        """Asks, and hears no answer: the line drops before or after it came, or the server goes."""
        how = self.rnd.choice(("before", "after", "after", "term", "kill") if self.run.restarts else ("before", "after"))
        self.run.say(f"  lost {how}")
        if how == "before":
            self.send_half(command, root)
            return
        connection = self.begin(command, root)
        if how == "after":
            self.end(connection)
        else:
            self.run.restart(how)
            connection.close()

    def send_half(self, command, root):
        """A request that breaks off: whole it could be worked on behind its repetition, which no network does."""
        body = encode(root) if root else b""
        connection = self.http()
        connection.putrequest("POST", self.path(command))
        for name, value in self.headers(Content_Length=str(len(body) + 1)).items():
            connection.putheader(name, value)
        connection.endheaders(body[:self.rnd.randint(0, len(body))] or None)
        connection.close()

    def ask(self, command, root, take):
        """Asks until there is an answer, which take gets; or leaves it for later, unanswered."""
        self.unanswered = (command, root, take)
        for _ in range(1 if self.run.lossy else ROUNDS_MAX):
            if self.go_on():
                return

    def go_on(self):
        """Repeats what has no answer yet; whether the phone is free for something else."""
        if not self.unanswered:
            return True
        command, root, take = self.unanswered
        if self.run.lossy and self.rnd.random() < 0.2:
            self.lose(command, root)
            return False
        # Of one folder only: two Syncs of several may each come first with one of them, and a phone has one answer.
        single = command == "Sync" and root and len(root.find("AirSync:Collections").children) == 1
        twice = self.run.lossy and single and self.rnd.random() < 0.2
        answer = self.at_once(command, root) if twice else self.once(command, root)
        if not answer:
            return False
        self.unanswered = None
        take(answer)
        return True

    def at_once(self, command, root):
        """The same request twice at once: the answer that came last counts."""
        self.run.say("  twice at once")
        answers, lock = [], threading.Lock()

        def one():
            answer = self.end(self.begin(command, root))
            with lock:
                answers.append(answer)
        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if any(answer.status not in (200, 503) for answer in answers):
            raise Wrong(f"{command}: HTTP {[answer.status for answer in answers]}")
        good = [answer for answer in answers if answer.status == 200]
        keyed = [answer for answer in good if answer.body]
        return next((answer for answer in keyed if self.is_newest(answer)), good[0] if good and not keyed else None)

    def is_newest(self, answer):
        """Whether the key of this answer is the one that counts: the older of two may have come last."""
        collection = answer.root.find("AirSync:Collections", "AirSync:Collection")
        if collection is None or collection.get("AirSync:Status") != "1":
            return True
        folder, key = collection.get("AirSync:CollectionId"), collection.get("AirSync:SyncKey")
        words = [Node("GetItemEstimate:CollectionId", folder), Node("AirSync:SyncKey", key)]
        if self.version < "14":
            words = [Node("GetItemEstimate:Class", "Email"), words[0], Node("AirSync:FilterType", 0), words[1]]
        root = self.call("GetItemEstimate", Node("GetItemEstimate:GetItemEstimate", Node("GetItemEstimate:Collections", Node(
            "GetItemEstimate:Collection", *words))))
        return root.get("GetItemEstimate:Response", "GetItemEstimate:Status") != "4"

    # ---- Sync ----

    def new_options(self, folder):
        if self.filters.get(folder) == self.wanted:
            return None
        return self.options(self.wanted)

    def sync_once(self, folders, commands=(), effect=None, window=None, moves=True):
        """One Sync of these folders; commands go to the first, and their effect is taken in with the answer."""
        parts = []
        for place, folder in enumerate(folders):
            inside = [Node("AirSync:DeletesAsMoves", 0)] if place == 0 and not moves else []
            inside += [Node("AirSync:WindowSize", self.window)]
            if folder in self.keys:
                inside.append(self.new_options(folder))
                if place == 0 and commands:
                    inside.append(Node("AirSync:Commands", *commands))
            parts.append(self.collection(folder, *inside))
        filters = {folder: self.wanted for folder in folders if folder in self.keys}
        primed = {folder for folder in folders if folder not in self.keys}

        def take(answer):
            self.took_sync(answer, folders, filters, primed, effect)
        self.ask("Sync", self.sync_request(*parts, window=window), take)

    def took_sync(self, answer, folders, filters, primed, effect, empty=False):
        self.settled.update({folder: False for folder in folders})
        self.cached, self.last = folders, answer.root
        if not answer.body:
            if primed:
                raise Wrong("a first Sync without an answer")
            self.filters.update(filters)
            self.settled.update({folder: True for folder in folders})
            return
        root = answer.root
        if empty and root.get("AirSync:Status") == "13":
            self.cached = []  # an answer to the one before may have been lost: the next has keys
            return
        if root.get("AirSync:Status") == "12":  # of a Sync that waited: folders changed
            self.tree_due = True
            return
        if root.find("AirSync:Collections") is None:
            raise Wrong(f"Sync: {root}")
        told = {c.get("AirSync:CollectionId"): c for c in root.find("AirSync:Collections").children}
        self.run.say(f"  {self.brief(told)}")
        for folder, collection in told.items():
            status = collection.get("AirSync:Status")
            if status == "12":
                self.cached = []
                self.forget(folder)
            elif status != "1":
                raise Wrong(f"Sync: Status {status} of folder {folder}, key {collection.get('AirSync:SyncKey')}")
        if effect and folders[0] in told and told[folders[0]].get("AirSync:Status") == "1":
            effect(told[folders[0]].find("AirSync:Responses"))
        if any(collection.get("AirSync:Status") == "1" for collection in told.values()):
            for folder in primed:
                self.items[folder] = {}
            self.take(root)
        for folder in folders:
            if folder in self.keys and folder not in primed:
                self.filters[folder] = filters.get(folder, self.filters.get(folder))
                collection = told.get(folder)
                self.settled[folder] = collection is None or (collection.find("AirSync:MoreAvailable") is None and
                                                              self.filters.get(folder) == self.wanted)
                self.told = collection is not None and collection.find("AirSync:Commands") is not None
                self.more = collection is not None and collection.find("AirSync:MoreAvailable") is not None

    @staticmethod
    def brief(told):
        """Collections as a line for the log of steps."""
        words = []
        for folder, collection in told.items():
            words.append(f"{folder}={collection.get('AirSync:Status')}")
            for part in ("AirSync:Commands", "AirSync:Responses"):
                for node in collection.find(part).children if collection.find(part) else []:
                    data = node.find("AirSync:ApplicationData")
                    seen = [f"{child.tag[6:]}:{child.text}" for child in data.children if child.tag in (
                        "Email:Subject", "Email:Read")] if data else []
                    words.append(" ".join([node.tag[8:], node.get("AirSync:ServerId") or "-", *seen]))
            words += ["more"] if collection.find("AirSync:MoreAvailable") else []
        return ", ".join(words)

    def forget(self, folder):
        for kept in (self.keys, self.items, self.filters, self.settled):
            kept.pop(folder, None)

    def repeat_cached(self):
        """An empty request: the last one again, from the newest keys on."""
        folders = self.cached
        if folders and self.version >= "12.1":
            self.ask("Sync", None, lambda answer: self.took_sync(answer, folders, {}, set(), None, empty=True))

    def held(self, *but):
        """Folders with items, and an item of one."""
        choices = [(folder, item) for folder in self.items for item in self.items[folder]
                   if folder in self.folders and self.settled.get(folder) is not None and self.folders[folder][0] not in but]
        return self.rnd.choice(sorted(choices)) if choices else (None, None)

    # ---- steps ----

    def sync_some(self):
        known = sorted(folder for folder in self.folders if folder != OUTBOX)
        if known:
            self.sync_once(self.rnd.sample(known, min(len(known), self.rnd.choice((1, 1, 2, 4)))),
                           window=self.rnd.choice((None, None, 3)))

    def filter(self):
        self.wanted = self.rnd.choice(tuple(DAYS))

    def failed(self, responses):
        """The ids whose Change was refused, each for a good reason."""
        ids = set()
        for response in responses.children if responses else []:
            if response.tag == "AirSync:Change" and response.get("AirSync:Status") != "1":
                if response.get("AirSync:Status") not in CHANGE_STATUSES:
                    raise Wrong(f"{response}")
                ids.add(response.get("AirSync:ServerId"))
        return ids

    def set_in(self, folder, item, *nodes):
        data = self.items.get(folder, {}).get(item)
        for node in nodes:
            if data and data.find(node.tag):
                data.children.remove(data.find(node.tag))
            if data:
                data.children.append(node)

    def mark(self):
        folder, item = self.held("Drafts")
        if not folder:
            return
        nodes = [self.rnd.choice((Node("Email:Read", self.rnd.choice("01")),
                                  self.rnd.choice((Node("Email:Flag"), Node("Email:Flag", Node("Email:Status", 2), Node(
                                      "Email:FlagType", "Flag for follow up"))))))]
        if self.version >= "14" and self.rnd.random() < 0.3:
            nodes.append(self.rnd.choice((Node("Email:Categories"), Node("Email:Categories", Node("Email:Category", "red")))))

        def effect(responses):
            if item not in self.failed(responses):
                self.set_in(folder, item, *nodes)
        self.run.say(f"  {item} {nodes}")
        self.sync_once([folder], [self.change(item, *nodes)], effect)

    def delete(self):
        folder, item = self.held()
        if folder:
            self.sync_once([folder], [Node("AirSync:Delete", Node("AirSync:ServerId", item))],
                           lambda _: self.items[folder].pop(item, None), moves=self.rnd.random() < 0.7)

    def move_one(self):
        folder, item = self.held("Drafts")
        targets = sorted(f for f, row in self.folders.items() if f not in (folder, OUTBOX) and row[0] != "Drafts")
        if not folder or not targets:
            return
        target = self.rnd.choice(targets)
        root = Node("Move:MoveItems", Node("Move:Move", Node("Move:SrcMsgId", item), Node("Move:SrcFldId", folder),
                                           Node("Move:DstFldId", target)))
        self.run.say(f"  {item} to {target}")

        def take(answer):
            response = answer.root.find("Move:Response")
            status = response.get("Move:Status")
            if status not in MOVE_STATUSES:
                raise Wrong(f"{response}")
            if status != "3":
                return
            data = self.items[folder].pop(item, None)
            if target in self.keys and data:
                self.items.setdefault(target, {})[response.get("Move:DstMsgId")] = data
        self.ask("MoveItems", root, take)

    def draft_folder(self):
        found = [folder for folder, row in self.folders.items() if row[1] == "3"]
        return found[0] if found and found[0] in self.keys and found[0] in self.filters else None

    def draft(self):
        """A new draft, or other words for one that is there."""
        drafts = self.draft_folder()
        if self.version < "16" or not drafts:
            return
        subject = self.run.subject("w")
        data = [Node("Email:Subject", subject), Node("AirSyncBase:Body", Node("AirSyncBase:Type", 1), Node(
            "AirSyncBase:Data", f"words of {subject}"))]
        old = sorted(self.items.get(drafts, {}))
        if old and self.rnd.random() < 0.5:
            item = self.rnd.choice(old)

            def changed(responses):
                if item not in self.failed(responses):
                    self.set_in(drafts, item, data[0])
            self.sync_once([drafts], [self.change(item, *data)], changed)
            return
        self.drafts += 1
        client_id = f"draft-{self.drafts % 3}"  # some clients use their ids again later

        def added(responses):
            row = responses.find("AirSync:Add") if responses else None
            if row is None or row.get("AirSync:Status") != "1" or row.get("AirSync:ClientId") != client_id:
                raise Wrong(f"a draft was answered {responses}")
            if row.get("AirSync:ServerId") in self.items[drafts]:
                raise Wrong(f"a draft with the id of another: {responses}")
            self.items[drafts][row.get("AirSync:ServerId")] = Node("AirSync:ApplicationData", data[0])
        self.sync_once([drafts], [Node("AirSync:Add", Node("AirSync:ClientId", client_id), Node(
            "AirSync:ApplicationData", *data))], added)

    def tree(self):
        def take(answer):
            if answer.root.get("FolderHierarchy:Status") != "1":
                raise Wrong(f"{answer.root}")
            self.took_tree(answer.root)
        self.ask("FolderSync", Node("FolderHierarchy:FolderSync", Node("FolderHierarchy:SyncKey", self.hierarchy_key)), take)

    def took_tree(self, root):
        self.hierarchy_key = root.get("FolderHierarchy:SyncKey")
        changes = root.find("FolderHierarchy:Changes").children[1:]
        self.tree_changes = len(changes)
        self.run.say(f"  {changes}")
        for change in changes:
            folder = change.get("FolderHierarchy:ServerId")
            if change.tag == "FolderHierarchy:Add" and folder in self.folders:
                self.again(folder)
            if change.tag == "FolderHierarchy:Delete":
                self.folders.pop(folder, None)
                self.forget(folder)
                continue
            self.folders[folder] = tuple(change.get(f"FolderHierarchy:{name}") for name in ("DisplayName", "Type", "ParentId"))

    def again(self, folder):
        """A second Add is right for a folder that was deleted and brought back meanwhile: some phones keep what they have of
        it, some begin anew."""
        if not self.run.restored:
            raise Wrong(f"a second Add of folder {folder}")
        if self.rnd.random() < 0.5:
            self.forget(folder)

    def fold(self):
        """Creates, renames or deletes a folder."""
        what = self.rnd.choice(("FolderCreate", "FolderUpdate", "FolderDelete"))
        mine = sorted(folder for folder, row in self.folders.items() if row[0].startswith("F"))
        if (not mine and what != "FolderCreate") or (len(mine) > 4 and what == "FolderCreate"):
            return
        name, folder = self.run.folder_name(), self.rnd.choice(mine) if mine else None
        words = {"FolderCreate": [("ParentId", 0), ("DisplayName", name), ("Type", 12)],
                 "FolderUpdate": [("ServerId", folder), ("ParentId", 0), ("DisplayName", name)],
                 "FolderDelete": [("ServerId", folder)]}[what]
        root = Node(f"FolderHierarchy:{what}", Node("FolderHierarchy:SyncKey", self.hierarchy_key),
                    *[Node(f"FolderHierarchy:{word}", text) for word, text in words])

        def take(answer):
            self.run.say(f"  {what} {folder or ''} {name}: {answer.root}")
            if answer.root.get("FolderHierarchy:Status") not in FOLDER_STATUSES:
                raise Wrong(f"{answer.root}")
            if answer.root.get("FolderHierarchy:Status") != "1":
                return
            self.hierarchy_key = answer.root.get("FolderHierarchy:SyncKey")
            if what == "FolderDelete":
                self.folders.pop(folder, None)
                self.forget(folder)
            else:
                made = answer.root.get("FolderHierarchy:ServerId") if what == "FolderCreate" else folder
                self.folders[made] = (name, "12", "0")
        self.ask(what, root, take)

    # ---- waiting ----

    def parked(self, command, root):
        """Starts it; returns (connection, None) when it waits and (None, answer) when it is answered."""
        log = self.server.log
        lines, connection = len(log.lines), self.begin(command, root)
        waits = re.compile(r" eas_waiting .*kind=" + command)
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if select.select([connection.sock], [], [], 0)[0]:
                return None, self.end(connection)
            with log.changed:
                if any(waits.search(line) for line in log.lines[lines:]):
                    return connection, None
                log.changed.wait(0.01)
        raise Wrong(f"{command} is neither answered nor waiting")

    def look(self):
        """A Ping over all folders that are up to date, and what Sync says to it."""
        folders = sorted(folder for folder in self.keys if self.settled.get(folder) and folder in self.folders)
        if not folders:
            return
        connection, answer = self.parked("Ping", self.ping_request(600, *folders))
        told = set()
        if answer:
            status = answer.root.get("Ping:Status")
            if status == "7":
                self.tree()
                return
            if status != "2":
                raise Wrong(f"{answer.root}")
            told = {node.text for node in answer.root.find("Ping:Folders").children}
        else:
            self.run.leave(connection)
        for folder in folders:
            root = self.sync_request(self.collection(folder, Node("AirSync:WindowSize", self.window)))
            answer = self.once("Sync", root)
            gone = answer and answer.body and answer.root.get("AirSync:Collections", "AirSync:Collection", "AirSync:Status") == "12"
            if gone:
                self.forget(folder)
                continue
            news = bool(answer and answer.body and answer.root.find("AirSync:Collections", "AirSync:Collection", "AirSync:Commands"))
            if answer:
                self.took_sync(answer, [folder], {folder: self.filters.get(folder)}, set(), None)
            if news != (folder in told):
                raise Wrong(f"Ping says {sorted(told)} of {folders}, Sync of {folder} has {'news' if news else 'none'}: {answer and (answer.root or answer.body)}")

    def hang(self):
        """A Sync that waits on the Inbox until mail comes."""
        inbox = [folder for folder, row in self.folders.items() if row[1] == "2"]
        if self.version < "12.1" or not inbox or not self.settled.get(inbox[0]):
            return
        connection, answer = self.parked("Sync", self.sync_request(self.collection(inbox[0]), wait=59))
        if connection:
            self.run.desk.deliver()
            answer = self.end(connection)
            if not answer.body:
                raise Wrong("a hanging Sync that ends without the mail that came")
        self.took_sync(answer, inbox, {inbox[0]: self.filters.get(inbox[0])}, set(), None)
        self.cached = []  # an empty request would wait
        if self.tree_due:
            self.tree_due = False
            self.tree()

    # ---- the end ----

    def settle(self):
        """Syncs everything until nothing more comes."""
        for _ in range(ROUNDS_MAX):
            self.tree()
            if not self.tree_changes:
                break
        for folder in sorted(self.folders):
            if folder == OUTBOX:
                continue
            for count in range(ROUNDS_MAX):
                more, self.told, self.more = count and self.more, False, False
                self.sync_once([folder])
                if more and not self.told:
                    raise Wrong(f"folder {folder}: nothing came behind MoreAvailable")
                if self.settled.get(folder) and count:
                    break
            else:
                raise Wrong(f"folder {folder}: windows without end; the last answer: {self.last}")

    def holds(self):
        """As Desk.truth, without ages."""
        content = {}
        for folder, (name, _, parent) in self.folders.items():
            if folder == OUTBOX:
                continue
            path, up = SPECIAL.get(name, name), parent
            while up != "0":
                path, up = f"{self.folders[up][0]}/{path}", self.folders[up][2]
            content[path] = sorted(
                (data.get("Email:Subject"), data.get("Email:Read") == "1", data.get("Email:Flag", "Email:Status") == "2",
                 bool(data.find("Email:Categories", "Email:Category"))) for data in self.items[folder].values())
        return content


class Run:
    """One seed, with an account of its own."""

    def __init__(self, server, seed, steps, restarts=False):
        self.server, self.seed, self.steps, self.restarts = server, seed, steps, restarts
        self.rnd, self.log = random.Random(seed), []
        self.user = f"model{seed}@example.test"
        self.subjects = self.names = 0
        self.restored = False  # deleted mail was brought back, with its folder if that is gone
        server.add_account(self.user)
        self.lossy = True
        self.desk = Desk(self)
        self.phones = [Handset(self, "ONE", self.rnd.choice(("12.1", "14.0", "14.1", "16.0", "16.1"))),
                       Handset(self, "TWO", "16.1")]

    def say(self, text):
        self.log.append(text)

    def subject(self, kind):
        self.subjects += 1
        return f"{kind}{self.subjects}"

    def folder_name(self):
        self.names += 1
        return f"F{self.names}"

    def restart(self, how):
        """The server ends, by SIGTERM or by SIGKILL, and is started again."""
        self.desk.close()
        if how == "term":
            self.server.stop()
        else:
            self.server.kill()
        self.server.start()

    def leave(self, connection):
        """Ends a wait, and waits until the server has seen it."""
        lines = len(self.server.log.lines)
        connection.close()
        self.server.log.wait(" http_parked_client_gone ", lines)

    def step(self, number):
        desk, phone = self.desk, self.rnd.choice(self.phones)
        if self.rnd.random() < 0.4:
            do = self.rnd.choices((desk.deliver, desk.append, desk.flags, desk.expunge, desk.carry, desk.folders, desk.restore),
                                  (5, 4, 5, 2, 3, 1, 0.3))[0]
            self.say(f"{number}: desk {do.__name__}")
        else:
            if not phone.go_on():
                return
            do = self.rnd.choices((phone.sync_some, phone.mark, phone.delete, phone.move_one, phone.draft, phone.tree, phone.fold,
                                   phone.filter, phone.look, phone.hang, phone.repeat_cached),
                                  (8, 4, 2, 2, 3, 2, FOLD, 0.7, 1.5, 0.5, 1))[0]
            self.say(f"{number}: {phone.device} {do.__name__}")
        do()
        if desk.client:
            desk.imap().ok("SELECT INBOX")  # no phone may delete what the desktop is in

    def play(self):
        try:
            for phone in self.phones:
                phone.tree()
            for number in range(self.steps):
                self.step(number)
            self.lossy = False
            self.compare()
        except Exception as error:
            steps = "\n".join(self.log[-400:])
            raise AssertionError(f"{steps}\nseed {self.seed}: {error!r}") from error
        finally:
            self.desk.close()

    def compare(self):
        for phone in self.phones:  # what is unanswered may change something yet
            while not phone.go_on():
                pass
        for phone in self.phones:
            phone.settle()
        truth = self.desk.truth()
        for phone in self.phones:
            holds, most = phone.holds(), DAYS[phone.wanted]
            for mailbox in sorted(set(truth) | set(holds)):
                old = mailbox != "Drafts" and most is not None
                want = sorted((subject, seen, flagged, red and phone.version >= "14") for subject, age, seen, flagged, red
                              in truth.get(mailbox, []) if not old or age < most)
                have = holds.get(mailbox)
                if have is None or (mailbox == "Drafts" and sorted(w[0] for w in want) != sorted(h[0] for h in have)) or (
                        mailbox != "Drafts" and want != have):
                    raise Wrong(f"{phone.device} at {phone.version}, {mailbox}:\n is    {want}\n holds {have}")
            phone.settled = {folder: True for folder in phone.keys}
            phone.look()
