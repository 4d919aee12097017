#!/usr/bin/env python3
"""The demo: accounts and mail to look at, a delivery, a window on arriving mail.

  demo.py seed --godwit PROGRAM --config FILE   makes the accounts and mail (./run does it once)
  demo.py deliver ACCOUNT [SUBJECT]             delivers a mail by LMTP
  demo.py watch ACCOUNT                         shows mail as it arrives, by IMAP IDLE
"""
import argparse
import imaplib
import smtplib
import subprocess
import sys
import time
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from datetime import datetime, timedelta, timezone

HOST, LMTP_PORT, IMAP_PORT, PASSWORD = "127.0.0.1", 2424, 1143, "demo"
ALICE, BOB = "Alice Ámundsen <alice@example.test>", "Bob Brandström <bob@example.test>"

# One bar-tailed godwit, eight by eight, as a PNG: an attachment with something to see.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000008000000080100000000ec74832600000017494441"
    "5478da63f8c9f081a1918199a19de13a104e06002b7905367256a4ac0000000049454e44ae426082")


def mail(sender, to, subject, text, age, html=None, thread=None, attachments=(), cc=None, name=None):
    """A message `age` hours old; thread: the Message-IDs it answers; name: of its own Message-ID."""
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = sender, to, subject
    if cc:
        m["Cc"] = cc
    m["Date"] = format_datetime(datetime.now(timezone.utc) - timedelta(hours=age))
    m["Message-ID"] = f"<{name}@demo.example.test>" if name else make_msgid(domain="example.test")
    if thread:
        m["In-Reply-To"], m["References"] = thread[-1], " ".join(thread)
    m.set_content(text)
    if html:
        m.add_alternative(html, subtype="html")
    for name, kind, content in attachments:
        major, minor = kind.split("/")
        m.add_attachment(content, maintype=major, subtype=minor, filename=name)
    return m


def demo_mail():
    trip = mail(BOB, ALICE, "The estuary on Saturday?",
                "Hi Alice,\n\nthe tide is out at nine. If we take the early train we can see the godwits feed\n"
                "before they leave. Bring the telescope?\n\nBob\n", 30, name="trip")
    answer = mail(ALICE, BOB, "Re: The estuary on Saturday?",
                  "Yes! I bring the telescope, you bring the sandwiches.\n\nAlice\n", 29,
                  thread=[trip["Message-ID"]], name="trip-answer")
    last = mail(BOB, ALICE, "Re: The estuary on Saturday?",
                "Deal. Platform 2, ten past seven.\n", 28, thread=[trip["Message-ID"], answer["Message-ID"]],
                name="trip-deal")
    newsletter = mail(
        "Wader Watch <news@example.org>", ALICE, "November: eleven thousand kilometres without a stop",
        "This month: how a bird of 400 grams crosses the Pacific in eleven days.\n\n"
        "- no food, no water, no landing\n- half its weight is fuel\n- it knows where it is going\n", 20, name="newsletter",
        html="<html><body><h1>Eleven thousand kilometres</h1><p>How a bird of <b>400&nbsp;grams</b> crosses the "
             "Pacific in eleven days.</p><ul><li>no food, no water, no landing</li><li>half its weight is fuel</li>"
             "<li>it knows where it is going</li></ul></body></html>")
    papers = mail(
        "Jürgen Müller <jmueller@example.org>", ALICE, "Unterlagen für die Zählung – Entwurf",
        "Liebe Alice,\n\nanbei der Entwurf und ein Bild. Bitte bis Freitag lesen.\n\nSchöne Grüße\nJürgen\n", 6,
        cc=BOB, name="papers", attachments=[("Zählung 2026.csv", "text/csv", "Datum;Ort;Anzahl\n21.11.;Watt;412\n".encode()),
                             ("godwit.png", "image/png", PICTURE)])
    greeting = mail("山田 花子 <hanako@example.org>", ALICE, "お知らせ：オオソリハシシギの渡り",
                    "アリスさん、\n\n今年も無事に着きました。\n\n花子\n", 3, name="greeting")
    invoice = mail("Station Café <bills@example.org>", BOB, "Your receipt", "Two coffees, two sandwiches: 14.80\n", 2, name="receipt")
    deleted = mail("Tide Tables <tables@example.org>", ALICE, "Tides for next week (delete me, then bring me back)",
                   "Low water on Saturday: 09:04, 0.6 m.\n", 1, name="tides")
    return [(trip, ["alice"]), (answer, ["bob"]), (last, ["alice"]), (newsletter, ["alice"]),
            (papers, ["alice", "bob"]), (greeting, ["alice"]), (invoice, ["bob"]), (deleted, ["alice"])]


def deliver(message, to):
    data = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
    with smtplib.LMTP(HOST, LMTP_PORT) as client:
        # One recipient at a time: LMTP answers DATA once for each, which smtplib does not expect.
        for name in to:
            login = name if "@" in name else f"{name}@example.test"
            try:
                client.sendmail("demo@example.org", [login], data)
            except smtplib.SMTPRecipientsRefused as refused:
                code, words = refused.recipients[login]
                sys.exit(f"{login} was refused: {code} {words.decode()}")


def deliver_one(options):
    deliver(mail("Demo <demo@example.org>", options.account, options.subject,
                 "This mail was delivered by LMTP just now.\n", 0), [options.account])
    print(f"delivered to {options.account}: {options.subject}")


def seed(options):
    inboxes = {}
    for name in ("alice", "bob"):
        login = f"{name}@example.test"
        done = subprocess.run([options.godwit, "account", "add", login, "--password-stdin", "--config", options.config],
                              input=PASSWORD + "\n", text=True, capture_output=True)
        if done.returncode and "exists" not in done.stderr:
            sys.exit(done.stderr)
        inboxes[name] = imaplib.IMAP4(HOST, IMAP_PORT)
        inboxes[name].login(login, PASSWORD)
        inboxes[name].select("INBOX")
    for message, to in demo_mail():
        # A first run that was interrupted has delivered some of it.
        deliver(message, [name for name in to if not find(inboxes[name], message)])
    # One mail is deleted already, so that there is something to bring back.
    alice = inboxes["alice"]
    alice.noop()
    for number in find(alice, message):
        alice.store(number, "+FLAGS", "\\Deleted")
    alice.expunge()
    for client in inboxes.values():
        client.logout()


def find(inbox, message):
    return inbox.search(None, "HEADER", "Message-ID", message["Message-ID"])[1][0].split()


def watch(options):
    client = imaplib.IMAP4(HOST, IMAP_PORT)
    client.login(options.account, PASSWORD)
    _, counts = client.select("INBOX", readonly=True)
    known = int(counts[0])
    print(f"watching INBOX of {options.account}, {known} messages; Ctrl-C ends", flush=True)
    while True:
        tag = client._new_tag()
        client.send(tag + b" IDLE\r\n")
        client.readline()
        count = known
        while count == known:
            line = client.readline()
            if not line:
                sys.exit("the server closed the connection")
            words = line.split()
            if len(words) == 3 and words[2] == b"EXISTS":
                count = int(words[1])
            elif len(words) == 3 and words[2] == b"EXPUNGE":
                known = count = known - 1
                print(time.strftime("%H:%M:%S"), "a message went", flush=True)
        client.send(b"DONE\r\n")
        while not client.readline().startswith(tag):
            pass
        for number in range(known + 1, count + 1):
            _, data = client.fetch(str(number), "(BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)])")
            text = " ".join(data[0][1].decode("utf-8", "replace").split())
            print(time.strftime("%H:%M:%S"), text, flush=True)
        known = count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    c = commands.add_parser("seed")
    c.add_argument("--godwit", required=True)
    c.add_argument("--config", required=True)
    c.set_defaults(run=seed)
    c = commands.add_parser("deliver")
    c.add_argument("account")
    c.add_argument("subject", nargs="?", default="Hello from the demo")
    c.set_defaults(run=deliver_one)
    c = commands.add_parser("watch")
    c.add_argument("account")
    c.set_defaults(run=watch)
    options = parser.parse_args()
    try:
        options.run(options)
    except KeyboardInterrupt:
        pass
    except imaplib.IMAP4.error as error:
        sys.exit(f"the server says no: {error}")
    except smtplib.SMTPException as error:
        sys.exit(f"the mail was not delivered: {error}")
    except OSError as error:
        sys.exit(f"no answer on {HOST}: {error} (is ./run running?)")


main()
