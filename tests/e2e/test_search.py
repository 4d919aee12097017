"""SEARCH against a naive matcher: mails in many scripts, charsets and encodings, found the same way before and after they
are packed; and mail that was moved, copied or restored is found where it is."""
import base64
import html
import os
import quopri
import random
import re
import subprocess
import unicodedata
import unittest

from harness import Server, wait_for

ALICE = "alice@example.test"

SCRIPTS = {  # words, and charsets that have all of their letters
    "german": ("Straße Übung Köln MÜLLER groß Maß Füße Überraschung weiß Äpfel Öl SCHLOß".split(),
               ("utf-8", "iso-8859-1", "windows-1252", "iso-8859-15", "utf-16")),
    "turkish": ("İstanbul ışık KIRMIZI kırmızı Iğdır iyi İYİ şeker ÇAĞRI".split(), ("utf-8", "windows-1254", "iso-8859-9")),
    "greek": ("Οδυσσέας ΟΔΥΣΣΕΑΣ λόγος ΛΟΓΟΣ σοφός Ελλάδα Θεσσαλονίκη".split(), ("utf-8", "iso-8859-7")),
    "russian": ("Привет мир ДОКУМЕНТ документ ёлка Ёлка счёт".split(), ("utf-8", "koi8-r", "windows-1251")),
    "japanese": ("東京 会議 お知らせ カタカナ テスト 見積書 東京都".split(), ("utf-8", "shift_jis", "euc-jp", "iso-2022-jp")),
    "chinese": ("北京 会议 报告 中文邮件 测试 上海市".split(), ("utf-8", "gb18030", "gb2312")),
    "korean": ("안녕하세요 회의 서울 보고서 한국어".split(), ("utf-8", "euc-kr")),
    "arabic": ("مرحبا اجتماع تقرير العربية السلام".split(), ("utf-8", "windows-1256")),
    "marks": ("😀 party🎉 ﬁne ｗｉｄｅ ㎏ Å cafe\u0301 café Kelvin\u212a ½".split(), ("utf-8",)),
    "english": ("report week Meeting invoice project schedule quarter budget hello WORLD".split(), ("utf-8", "us-ascii")),
}


def fold(text):
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return text.replace("\u0131", "i")


def word_of(text, charset, how):
    """An encoded-word of RFC 2047."""
    octets = text.encode(charset)
    if how == "B":
        return f"=?{charset}?B?{base64.b64encode(octets).decode()}?="
    return f"=?{charset}?Q?{''.join('_' if o == 32 else f'={o:02X}' for o in octets)}?="


class Mail:
    """One random mail: its octets, and the text that a reader sees."""

    def __init__(self, rng, number):
        self.rng = rng
        words, charsets = SCRIPTS[rng.choice(sorted(SCRIPTS))]
        self.charset = rng.choice(charsets)
        self.subject = " ".join(rng.choices(words, k=rng.randint(1, 4)))
        self.name = " ".join(rng.choices(words, k=2))
        self.texts = [" ".join(rng.choices(words + SCRIPTS["english"][0] * (self.charset == "utf-8"), k=rng.randint(3, 30)))
                      for _ in range(rng.randint(1, 2))]
        self.lines, self.bodies = [], []  # decoded header lines; decoded text parts
        head = self.header(number)
        if len(self.texts) == 1 or self.charset.startswith("utf-16"):
            octets = self.part(self.texts[0], "plain", b"")
            self.octets = head + octets
        else:
            mark = f"=_{number:x}_{rng.getrandbits(32):x}"
            self.lines.append(f'Content-Type: multipart/alternative; boundary="{mark}"')
            parts = [self.part(self.texts[0], "plain", b""), self.part(self.texts[1], "html", b"")]
            self.octets = head + f'Content-Type: multipart/alternative; boundary="{mark}"\r\n\r\n'.encode()
            for part in parts:
                self.octets += f"--{mark}\r\n".encode() + part + b"\r\n"
            self.octets += f"--{mark}--\r\n".encode()

    def encoded(self, text):
        charset = "utf-8" if self.charset.startswith("utf-16") else self.charset
        return word_of(text, charset, self.rng.choice("BQ"))

    def header(self, number):
        address = f"sender{self.rng.randint(0, 20)}@example.org"
        shown = [("From", f"{self.encoded(self.name)} <{address}>", f"{self.name} <{address}>"),
                 ("To", "alice@example.test", "alice@example.test"),
                 ("Subject", self.encoded(self.subject), self.subject),
                 ("Message-ID", f"<mail{number}@example.org>", f"<mail{number}@example.org>"),
                 ("MIME-Version", "1.0", "1.0")]
        self.lines = [f"{name}: {text}" for name, _, text in shown]
        return "".join(f"{name}: {raw}\r\n" for name, raw, _ in shown).encode()

    def part(self, text, subtype, head):
        shown = text
        if subtype == "html":
            text = "<html><body><p>" + html.escape(text).replace(" ", " <b>", 1) + "</b></p></body></html>"
            if self.rng.random() < 0.5:
                text = "".join(c if ord(c) < 128 else f"&#{ord(c)};" for c in text)
        octets = (text + "\r\n").encode(self.charset)
        ways = ["base64", "quoted-printable"] + ["8bit"] * (not self.charset.startswith("utf-16"))
        way = self.rng.choice(ways)
        if way == "base64":
            octets = base64.encodebytes(octets).replace(b"\n", b"\r\n")
        elif way == "quoted-printable":
            octets = quopri.encodestring(octets).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if b"\0" not in octets \
                else "".join(f"={o:02X}=\r\n" for o in octets).encode()
        head = [f"Content-Type: text/{subtype}; charset={self.charset}", f"Content-Transfer-Encoding: {way}"]
        self.lines += head
        self.bodies.append(shown)
        return "".join(line + "\r\n" for line in head).encode() + b"\r\n" + octets

    def says(self, key, needle):
        needle = fold(needle)
        where = {"BODY": self.bodies, "TEXT": self.lines + self.bodies, "SUBJECT": [self.subject],
                 "FROM": [line[6:] for line in self.lines if line.startswith("From: ")]}[key]
        return any(needle in fold(text) for text in where)


class Store:
    """SQL on the server's database."""

    def __init__(self, server):
        self.server = server

    def sql(self, text):
        done = subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d",
                               f"{os.environ['GODWIT_TEST_ADMIN_URL']} dbname={self.server.database}", "-c", text],
                              check=True, capture_output=True)
        return done.stdout.decode().strip()

    def packed(self):
        return int(self.sql("select coalesce(max(upto), 0) from search_pack where account_id = 1") or 0)


def search(client, text):
    lines = client.ok(text)
    found = [line for line in lines if line.startswith(b"* SEARCH")]
    if len(found) != 1:
        raise AssertionError(f"{text!r} was answered {lines!r}")
    return [int(n) for n in found[0].split()[2:]]


def key_of(key, needle):
    octets = needle.encode()
    return f"{key} {{{len(octets)}+}}\r\n".encode() + octets


class Search(unittest.TestCase):
    def setUp(self):
        self.server = Server(store="url", search__quiet_ms="20")
        self.addCleanup(self.server.close)
        self.store = Store(self.server)
        self.client = self.server.raw_imap(ALICE)

    def append(self, octets, mailbox="INBOX"):
        self.client.ok(f"APPEND {mailbox} {{{len(octets)}+}}\r\n".encode() + octets)

    def question(self, rng, mails):
        """A random key with a text from some mail, in another case now and then."""
        mail = rng.choice(mails)
        key = rng.choice(("BODY", "TEXT", "TEXT", "SUBJECT", "FROM"))
        text = {"BODY": rng.choice(mail.bodies), "SUBJECT": mail.subject, "FROM": mail.name,
                "TEXT": rng.choice(mail.bodies + mail.lines)}[key]
        start = rng.randrange(len(text))
        needle = text[start:start + rng.choice((1, 2, 2, 3, 4, 6, 9, 15))].strip() or "x"
        if rng.random() < 0.1:
            needle += rng.choice("qzß東")  # most often in no mail
        return key, rng.choice((str, str, str.upper, str.lower, str.swapcase, str.title))(needle)

    def ask(self, rng, mails):
        key, needle = self.question(rng, mails)
        other, further = self.question(rng, mails)
        one, two = key_of(key, needle), key_of(other, further)
        hits = [mail.says(key, needle) for mail in mails]
        both = [mail.says(other, further) for mail in mails]
        shape = rng.randrange(5)
        words, wanted = {
            0: (one, hits), 1: (one, hits), 2: (b"NOT " + one, [not hit for hit in hits]),
            3: (b"OR " + one + b" " + two, [a or b for a, b in zip(hits, both)]),
            4: (one + b" NOT " + two, [a and not b for a, b in zip(hits, both)])}[shape]
        return words, [n for n, hit in enumerate(wanted, 1) if hit]

    def compare(self, rng, mails, count):
        for _ in range(count):
            words, wanted = self.ask(rng, mails)
            self.assertEqual(search(self.client, b"SEARCH CHARSET UTF-8 " + words), wanted, words.decode())

    def test_like_a_naive_matcher(self):
        seed = random.SystemRandom().getrandbits(32)
        rng = random.Random(seed)
        with self.subTest(seed=seed):
            mails = [Mail(rng, n) for n in range(300)]
            for mail in mails[:40]:
                self.append(mail.octets)
            self.client.ok("SELECT INBOX")
            self.compare(rng, mails[:40], 30)  # hardly any is packed
            for mail in mails[40:]:
                self.append(mail.octets)
            wait_for(lambda: self.store.packed() > 270, "the mails to be packed")
            self.compare(rng, mails, 100)
            self.every_piece(mails)

    def every_piece(self, mails):
        """Each word is found by each of its beginnings: a signature may say too much, never too little."""
        for words, _ in SCRIPTS.values():
            for word in words[:4]:
                for length in (2, 3, 4):
                    needle = word[:length]
                    wanted = [n for n, mail in enumerate(mails, 1) if mail.says("TEXT", needle)]
                    self.assertEqual(search(self.client, b"SEARCH CHARSET UTF-8 " + key_of("TEXT", needle)), wanted, needle)

    def fill(self, count, mailbox="INBOX"):
        for n in range(count):
            self.append(f"Subject: number {n}\r\nFrom: Ann <ann{n}@example.org>\r\n\r\nThe secret of {n} is zebra{n}x.\r\n".encode(), mailbox)

    def test_moved_copied_and_restored(self):
        self.fill(300)
        self.client.ok("SELECT INBOX")
        wait_for(lambda: self.store.packed() >= 288, "the mails to be packed")
        self.assertEqual(search(self.client, "SEARCH TEXT zebra7x"), [8])
        self.client.ok("COPY 8 Archive")
        self.client.ok("MOVE 9 Archive")
        self.client.ok("STORE 1:5 +FLAGS.SILENT (\\Deleted)")
        self.client.ok("EXPUNGE")
        self.assertEqual(search(self.client, "SEARCH TEXT zebra8x"), [])
        self.client.ok("SELECT Archive")
        for number, word in ((1, "zebra7x"), (2, "zebra8x")):
            self.assertEqual(search(self.client, f"SEARCH TEXT {word}"), [number])
        deleted = self.server.cli("deleted", "list", ALICE).out
        place = re.search(r"\b(\d+:\d+)\b.*number 3", deleted).group(1)
        self.server.cli("deleted", "restore", ALICE, place)
        # Another process restored it: the server hears of it a moment later.
        wait_for(lambda: b"* 295 EXISTS" in self.client.ok("SELECT INBOX"), "the restored mail")
        self.assertEqual(search(self.client, "SEARCH TEXT zebra3x"), [295])

    def test_a_hang_up_ends_it(self):
        """Another client is served while a search of many texts runs, and the one that hung up leaves nothing behind."""
        self.fill(64)
        self.client.ok("SELECT INBOX")
        for _ in range(6):
            self.client.ok("COPY 1:* INBOX")
            self.client.ok("NOOP")
        gone = self.server.raw_imap(ALICE)
        gone.ok("SELECT INBOX")
        gone.send("x SEARCH NOT TEXT zz OR BODY q BODY zy\r\n")
        gone.close()
        self.assertEqual(search(self.client, "SEARCH BODY zebra63x UID 1:64"), [64])
        self.server.log.wait(r"imap.end.*session=")


class Limits(unittest.TestCase):
    def test_time_and_messages(self):
        with Server(imap__search_max_ms="1", imap__sort_max="8", search__quiet_ms="3600000") as server:
            client = server.raw_imap(ALICE)
            octets = b"Subject: x\r\n\r\n" + b"text of it " * 200 + b"\r\n"
            client.ok(b"APPEND INBOX {%d+}\r\n" % len(octets) + octets)
            client.ok("SELECT INBOX")
            for _ in range(3):
                client.ok("COPY 1:* INBOX")
                client.ok("NOOP")
            self.assertEqual(client.ok("SORT (DATE) UTF-8 ALL"), [b"* SORT 1 2 3 4 5 6 7 8"])
            for _ in range(8):
                client.ok("COPY 1:* INBOX")
                client.ok("NOOP")
            for command in ("SORT (DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"):
                self.assertRegex(client.command(command)[1], rb" NO \[LIMIT\] .*imap.sort_max")
            self.assertRegex(client.command("SEARCH BODY zz")[1], rb" NO \[LIMIT\] .*imap.search_max_ms")
            self.assertEqual(len(search(client, "SEARCH ALL")), 2048)


if __name__ == "__main__":
    unittest.main()
