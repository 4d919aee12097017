"""ActiveSync: the address book by Search, Find and ResolveRecipients, and certificates."""
import base64
import os
import subprocess
import tempfile

from eas_client import Node, Phone
from harness import PASSWORD, ServerTest

PEOPLE = (("ann@example.test", "Ann Lee"), ("anna.winter@example.test", "Anna Winter"), ("bob@example.test", ""),
          ("carol@example.test", "Zo\u00eb Carol Summer"), ("spy@other.test", "Ann Spy"), ("ann@joined.test", "Ann Joined"))


class PeopleTest(ServerTest):
    settings = {"accounts": ()}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for login, name in PEOPLE:
            words = ("--name", name) if name else ()
            cls.server.cli("account", "add", login, *words, "--password-stdin", stdin=PASSWORD + "\n")

    def phone(self, login="bob@example.test", version="16.1"):
        return Phone(self.server, login=login, version=version)

    def search(self, phone, text, *options):
        more = [Node("Search:Options", *options)] if options else []
        root = phone.call("Search", Node("Search:Search", Node("Search:Store", Node("Search:Name", "GAL"),
                                                               Node("Search:Query", text), *more)))
        self.assertEqual(root.get("Search:Status"), "1")
        return root.find("Search:Response", "Search:Store")

    def find(self, phone, text, *options, search="{1}"):
        more = [Node("Find:Options", *options)] if options else []
        return phone.call("Find", Node("Find:Find", Node("Find:SearchId", search), Node("Find:ExecuteSearch", Node(
            "Find:GalSearchCriterion", Node("Find:Query", text), *more))))

    def addresses(self, phone, text):
        """Who is found: by Search and by Find, which must agree."""
        store = self.search(phone, text)
        self.assertEqual(store.get("Search:Status"), "1")
        searched = [result.get("Search:Properties", "GAL:EmailAddress") for result in store.all("Search:Result") if result.children]
        response = self.find(phone, text).find("Find:Response")
        found = [result.get("Find:Properties", "GAL:EmailAddress") for result in response.all("Find:Result")]
        self.assertEqual(searched, found)
        self.assertEqual(store.get("Search:Total"), str(len(searched)))
        self.assertEqual(response.get("Find:Total"), str(len(found)))
        return searched

    def resolve(self, phone, *to, options=()):
        more = [Node("ResolveRecipients:Options", *options)] if options else []
        root = phone.call("ResolveRecipients", Node("ResolveRecipients:ResolveRecipients", *[
            Node("ResolveRecipients:To", text) for text in to], *more))
        self.assertEqual(root.get("ResolveRecipients:Status"), "1", root)
        return root.all("ResolveRecipients:Response")

    def resolved(self, phone, to):
        """Status, count and addresses of one To."""
        response, = self.resolve(phone, to)
        self.assertEqual(response.get("ResolveRecipients:To"), to)
        return (response.get("ResolveRecipients:Status"), response.get("ResolveRecipients:RecipientCount"),
                [one.get("ResolveRecipients:EmailAddress") for one in response.all("ResolveRecipients:Recipient")])


class People(PeopleTest):
    def test_matching(self):
        phone = self.phone()
        rows = (("ann", ["ann@example.test", "anna.winter@example.test"]), ("ANN LEE", ["ann@example.test"]),
                ("lee", ["ann@example.test"]), ("winter", ["anna.winter@example.test"]), ("bob", ["bob@example.test"]),
                ("carol@example.test", ["carol@example.test"]), ("summer zo\u00eb", ["carol@example.test"]),
                ("nn", []), ("%", []), ("_", []), ("example", []), ("nobody", []))
        for text, addresses in rows:
            self.assertEqual(self.addresses(phone, text), addresses, text)

    def test_properties(self):
        properties = self.search(self.phone(), "ann lee").find("Search:Result", "Search:Properties")
        self.assertEqual([(node.tag, node.text) for node in properties.children],
                         [("GAL:DisplayName", "Ann Lee"), ("GAL:Alias", "ann"), ("GAL:EmailAddress", "ann@example.test")])
        nameless = self.search(self.phone(), "bob").find("Search:Result", "Search:Properties")
        self.assertEqual(nameless.get("GAL:DisplayName"), "bob", "never empty")
        picture = Node("Search:Picture", Node("Search:MaxSize", 1000), Node("Search:MaxPictures", 1))
        store = self.search(self.phone(version="14.1"), "ann lee", picture)
        self.assertEqual(store.get("Search:Result", "Search:Properties", "GAL:Picture", "GAL:Status"), "173")
        store = self.search(self.phone(version="14.0"), "ann lee", picture)
        self.assertIsNone(store.find("Search:Result", "Search:Properties", "GAL:Picture"), "14.1 has it first")
        response = self.find(self.phone(), "ann lee", Node("Find:Picture", Node("Find:MaxPictures", 1))).find("Find:Response")
        self.assertEqual(response.get("Find:Result", "Find:Properties", "Find:Picture", "Find:Status"), "173")
        self.assertEqual(response.get("ItemOperations:Store"), "GAL")

    def test_pages(self):
        phone = self.phone()
        store = self.search(phone, "ann", Node("Search:Range", "1-5"))
        self.assertEqual((store.get("Search:Range"), store.get("Search:Total"), len(store.all("Search:Result"))), ("1-1", "2", 1))
        self.assertEqual(self.search(phone, "ann", Node("Search:Range", "2-5")).get("Search:Status"), "12")
        self.assertEqual(self.search(phone, "ann", Node("Search:Range", "x")).get("Search:Status"), "2")
        response = self.find(phone, "ann", Node("Find:Range", "1-5")).find("Find:Response")
        self.assertEqual((response.get("Find:Range"), response.get("Find:Total")), ("1-1", "2"))
        self.assertEqual(self.find(phone, "ann", Node("Find:Range", "2-5")).get("Find:Response", "Find:Status"), "4")
        nothing = self.search(phone, "nobody")
        self.assertEqual((nothing.find("Search:Result").children, nothing.get("Search:Range"), nothing.get("Search:Total")),
                         ([], "0-0", "0"))
        self.assertEqual(self.search(phone, "").get("Search:Status"), "2")
        self.assertEqual(self.find(phone, "").get("Find:Status"), "2")

    def test_tenants(self):
        """Hard case 27: nobody sees another domain's people, whatever they ask by."""
        spy, bob = self.phone("spy@other.test"), self.phone()
        self.assertEqual(self.addresses(spy, "ann"), ["spy@other.test"])
        for text in ("bob", "carol", "ann@example.test", "example.test", "ann@joined.test", "winter"):
            self.assertEqual(self.addresses(spy, text), [], text)
            self.assertEqual(self.resolved(spy, text), ("4", "0", []), text)
        self.assertEqual(self.resolved(spy, "Ann <ann@example.test>"), ("4", "0", []))
        for text in ("spy@other.test", "spy", "Ann Joined"):
            self.assertEqual(self.addresses(bob, text), [], text)
            self.assertEqual(self.resolved(bob, text), ("4", "0", []), text)

    def test_names_and_deleted_people(self):
        phone = self.phone()
        self.server.add_account("dora@example.test")
        self.assertEqual(self.addresses(phone, "night"), [])
        self.server.cli("account", "name", "dora@example.test", "Dora Night")
        self.assertEqual(self.addresses(phone, "night"), ["dora@example.test"])
        self.server.cli("account", "name", "dora@example.test", "")
        self.assertEqual(self.addresses(phone, "night"), [])
        self.assertEqual(self.addresses(phone, "dora"), ["dora@example.test"])
        self.server.cli("account", "delete", "dora@example.test")
        self.assertEqual(self.addresses(phone, "dora"), [])
        self.assertEqual(self.resolved(phone, "dora@example.test"), ("4", "0", []))
        for name in ("x" * 257, "a\nb"):
            self.assertEqual(self.server.cli("account", "name", "bob@example.test", name, check=False).returncode, 1)
            self.assertEqual(self.server.cli("account", "add", "eve@example.test", "--name", name, "--password-stdin",
                                             stdin="x\n", check=False).returncode, 1)
        self.server.cli("account", "name", "bob@example.test", "x" * 256)
        self.server.cli("account", "name", "bob@example.test", "")
        self.assertEqual(self.server.cli("account", "name", "nobody@example.test", "x", check=False).returncode, 1)
        self.assertEqual(self.addresses(phone, "eve"), [], "a refused name makes no account")


class Resolving(PeopleTest):
    def test_resolves(self):
        phone = self.phone()
        self.assertEqual(self.resolved(phone, "ann@example.test"), ("1", "1", ["ann@example.test"]))
        self.assertEqual(self.resolved(phone, "ANN@Example.Test"), ("1", "1", ["ann@example.test"]))
        self.assertEqual(self.resolved(phone, "Somebody <ann@example.test>"), ("1", "1", ["ann@example.test"]))
        self.assertEqual(self.resolved(phone, "lee"), ("1", "1", ["ann@example.test"]))
        self.assertEqual(self.resolved(phone, "ann"), ("2", "2", ["ann@example.test", "anna.winter@example.test"]))
        self.assertEqual(self.resolved(phone, "nobody"), ("4", "0", []))
        several = self.resolve(phone, "lee", "nobody", "bob@example.test")
        self.assertEqual([one.get("ResolveRecipients:Status") for one in several], ["1", "4", "1"], "in the order of the request")
        partial, = self.resolve(phone, "ann", options=[Node("ResolveRecipients:MaxAmbiguousRecipients", 1)])
        self.assertEqual((partial.get("ResolveRecipients:Status"), partial.get("ResolveRecipients:RecipientCount"),
                          len(partial.all("ResolveRecipients:Recipient"))), ("3", "2", 1))

    def test_what_there_is_not_is_said(self):
        phone = self.phone()
        times = (Node("ResolveRecipients:StartTime", "2026-03-07T00:00:00.000Z"),
                 Node("ResolveRecipients:EndTime", "2026-03-08T00:00:00.000Z"))
        options = [Node("ResolveRecipients:CertificateRetrieval", 2), Node("ResolveRecipients:MaxCertificates", 5),
                   Node("ResolveRecipients:Availability", *times), Node("ResolveRecipients:Picture")]
        response, = self.resolve(phone, "lee", options=options)
        one = response.find("ResolveRecipients:Recipient")
        self.assertEqual(one.names(), [f"ResolveRecipients:{name}" for name in (
            "Type", "DisplayName", "EmailAddress", "Availability", "Certificates", "Picture")])
        self.assertEqual((one.get("ResolveRecipients:Type"), one.get("ResolveRecipients:DisplayName")), ("1", "Ann Lee"))
        certificates = one.find("ResolveRecipients:Certificates")
        self.assertEqual((certificates.get("ResolveRecipients:Status"), certificates.get("ResolveRecipients:CertificateCount")),
                         ("7", "0"))
        self.assertEqual(one.get("ResolveRecipients:Availability", "ResolveRecipients:Status"), "163")
        self.assertEqual(one.get("ResolveRecipients:Picture", "ResolveRecipients:Status"), "173")
        response, = self.resolve(self.phone(version="12.1"), "lee", options=options)
        self.assertEqual(response.find("ResolveRecipients:Recipient").names()[3:], ["ResolveRecipients:Certificates"],
                         "the others are of later versions")
        response, = self.resolve(phone, "lee", options=[Node("ResolveRecipients:CertificateRetrieval", 1)])
        self.assertIsNone(response.find("ResolveRecipients:Recipient", "ResolveRecipients:Certificates"))

    def test_statuses(self):
        phone = self.phone()

        def status(*content):
            return phone.call("ResolveRecipients", Node("ResolveRecipients:ResolveRecipients", *content)).get(
                "ResolveRecipients:Status")

        def option(*content):
            return status(Node("ResolveRecipients:To", "x"), Node("ResolveRecipients:Options", *content))
        to = Node("ResolveRecipients:To", "x")
        self.assertEqual(status(*[to] * 100), "1")
        self.assertEqual(status(*[to] * 101), "5")
        self.assertEqual(status(Node("ResolveRecipients:To", "x" * 256)), "1")
        self.assertEqual(status(Node("ResolveRecipients:To", "x" * 257)), "5")
        self.assertEqual(status(Node("ResolveRecipients:To", "")), "5")
        self.assertEqual(status(), "5")
        self.assertEqual(option(Node("ResolveRecipients:CertificateRetrieval", 4)), "5")
        self.assertEqual(option(Node("ResolveRecipients:MaxAmbiguousRecipients", "many")), "5")
        self.assertEqual(option(Node("ResolveRecipients:Availability", Node("ResolveRecipients:StartTime", "noon"))), "5")
        self.assertEqual(phone.call("ResolveRecipients").get("ResolveRecipients:Status"), "101")


class Joined(PeopleTest):
    settings = {"accounts": (), "directory__joined_domains": "third.test fourth.test; joined.test, EXAMPLE.test"}

    def test_joined_domains_see_each_other(self):
        both = ["ann@joined.test", "ann@example.test", "anna.winter@example.test"]
        self.assertEqual(self.addresses(self.phone(), "ann"), both)
        self.assertEqual(self.addresses(self.phone("ann@joined.test"), "ann"), both)
        self.assertEqual(self.addresses(self.phone("spy@other.test"), "ann"), ["spy@other.test"], "others still do not")
        self.assertEqual(self.resolved(self.phone(), "ann@joined.test"), ("1", "1", ["ann@joined.test"]))


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


class Certificates(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="godwit-ca-")
        os.chmod(cls.folder.name, 0o755)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        where = cls.folder.name
        for name in ("ca", "stranger"):
            openssl(where, "req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                    f"{name}.pem")
        cls.made("middle", "ca", "basicConstraints=CA:TRUE", key)
        cls.made("good", "ca", "extendedKeyUsage=emailProtection", key)
        cls.made("deep", "middle", "extendedKeyUsage=emailProtection", key)
        cls.made("web", "ca", "extendedKeyUsage=serverAuth", key)
        cls.made("late", "ca", "extendedKeyUsage=emailProtection", key, "-days", "-1")
        cls.made("foreign", "stranger", "extendedKeyUsage=emailProtection", key)
        cls.settings = {"eas__ca_file": os.path.join(where, "ca.pem")}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    @classmethod
    def made(cls, name, issuer, extension, key, *times):
        where = cls.folder.name
        openssl(where, "req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        with open(os.path.join(where, f"{name}.ext"), "w") as file:
            file.write(extension + "\n")
        openssl(where, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key",
                *(times or ("-days", "2")), "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    def octets(self, name):
        with open(os.path.join(self.folder.name, f"{name}.pem")) as file:
            return base64.b64decode(file.read().split("-----")[2])

    def node(self, octets):
        return Node("ValidateCert:Certificate", base64.b64encode(octets).decode())

    def check(self, *certificates, chain=(), more=()):
        """Global status, then that of each certificate."""
        nodes = [Node("ValidateCert:CertificateChain", *[self.node(octets) for octets in chain])] if chain else []
        root = Phone(self.server).call("ValidateCert", Node("ValidateCert:ValidateCert", *nodes, Node(
            "ValidateCert:Certificates", *[self.node(octets) for octets in certificates]), *more))
        return [root.get("ValidateCert:Status")] + [one.get("ValidateCert:Status") for one in root.all("ValidateCert:Certificate")]

    def test_certificates(self):
        self.assertEqual(self.check(self.octets("good")), ["1", "1"])
        self.assertEqual(self.check(self.octets("deep")), ["1", "4"], "the authority between is missing")
        self.assertEqual(self.check(self.octets("deep"), chain=[self.octets("middle")]), ["1", "1"])
        self.assertEqual(self.check(self.octets("foreign")), ["1", "4"])
        self.assertEqual(self.check(self.octets("foreign"), chain=[self.octets("stranger")]), ["1", "4"])
        self.assertEqual(self.check(self.octets("web")), ["1", "6"], "not for mail")
        self.assertEqual(self.check(self.octets("late")), ["1", "7"])
        good = self.octets("good")
        self.assertEqual(self.check(good[:-1] + bytes([good[-1] ^ 1])), ["1", "3"], "signature")
        self.assertEqual(self.check(b"no certificate", good), ["1", "10", "1"])
        self.assertEqual(self.check(good, more=[Node("ValidateCert:CheckCRL", "1")]), ["1", "16"], "lists are not fetched")
        self.assertEqual(self.check(good, more=[Node("ValidateCert:CheckCRL", "0")]), ["1", "1"])

    def test_statuses(self):
        self.assertEqual(self.check(), ["2"])
        self.assertEqual(self.check(*[b"x"] * 100), ["1"] + ["10"] * 100)
        self.assertEqual(self.check(*[b"x"] * 101), ["2"])
        self.assertEqual(self.check(b"x", chain=[b"x"] * 101), ["2"])
        self.assertEqual(Phone(self.server).call("ValidateCert").get("ValidateCert:Status"), "101")
