"""What the ActiveSync tests share."""
from eas_client import Phone
from harness import PASSWORD, ServerTest, message

ALICE, BOB = "alice@example.test", "bob@example.test"


class EasTest(ServerTest):
    """Each test has accounts of its own, so that none sees another's mail."""
    counter = 0

    def setUp(self):
        EasTest.counter += 1
        self.user = f"user{EasTest.counter}@example.test"
        self.server.add_account(self.user)

    def phone(self, **more):
        return Phone(self.server, login=self.user, **more)

    def imap(self, select="INBOX"):
        return self.server.imap(self.user, PASSWORD, select=select)

    def deliver(self, *subjects, **more):
        for subject in subjects:
            self.server.deliver(message(subject, to=self.user, **more), to=self.user)

    def primed(self, *content, **more):
        """A phone that has everything of its Inbox."""
        phone = self.phone(**more)
        inbox = phone.folder("Inbox")
        phone.sync_all(inbox, *content)
        return phone, inbox
