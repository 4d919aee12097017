"""Settings as an operator meets them: errors in words, before anything starts."""
import os
import re
import socket
import subprocess
import unittest

from harness import LIMIT_S, ROOT, Server, drop_to, program


class Config(unittest.TestCase):
    def setUp(self):
        self.server = Server(start=False)
        self.addCleanup(self.server.close)

    def run_program(self, *words, **variables):
        return subprocess.run([program(), *words], capture_output=True, text=True, timeout=LIMIT_S,
                              cwd=self.server.folder, env=dict(self.server.environment(), **variables),
                              preexec_fn=drop_to(self.server.user))

    def file(self, text):
        path = os.path.join(self.server.folder, "godwit.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_errors_name_line_and_hint(self):
        path = self.file("[imap]\nlisten = 127.0.0.1:0\nlisten_tsl = 127.0.0.1:0\n")
        result = self.run_program("config", "show", "--config", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{path}:3: there is no setting imap.listen_tsl; did you mean imap.listen_tls?", result.stderr)
        result = self.run_program("serve", "--config", path + ".missing")
        self.assertEqual(result.returncode, 1)
        self.assertIn(path + ".missing", result.stderr)

    def test_sources_in_order_and_secrets(self):
        path = self.file("[retention]\ndays = 3\n[database]\nurl = postgresql://me:hunter2@db/mail\n")
        shown = self.run_program("config", "show", "--config", path, GODWIT_PUSH_QUIET_S="12", GODWIT_DATA="ignored").stdout
        self.assertIn("\ndays = 3\n", shown)
        self.assertIn("\nquiet_s = 12\n", shown)
        self.assertIn("# How long deleted mail can be brought back.", shown)
        self.assertNotIn("hunter2", shown)
        shown = self.run_program("config", "show", "--config", path, "--set", "push.quiet_s=13", GODWIT_PUSH_QUIET_S="12").stdout
        self.assertIn("\nquiet_s = 13\n", shown)
        result = self.run_program("config", "show", GODWIT_PUSH_QUITE_S="12")
        self.assertEqual(result.returncode, 1)
        self.assertIn("GODWIT_PUSH_QUITE_S", result.stderr)

    def test_every_setting_is_shown_with_its_words(self):
        """What is shown can be read back, and is the same then."""
        shown = self.run_program("config", "show").stdout
        table = open(os.path.join(ROOT, "server", "settings.h"), encoding="utf-8").read()
        rows = re.findall(r'X\(\w+, "(\w+)", "(\w+)", \w+, "([^"]*)", [^"]*?"((?:[^"\\]|\\.)*)"', table)
        rows.remove(("section", "key", "default", "documentation"))  # the head of the table
        self.assertGreater(len(rows), 30)
        section, found, words = "", {}, ""
        for line in shown.splitlines():
            if line.startswith("["):
                section = line[1:-1]
            elif line.startswith("#"):
                words += line
            elif " = " in line or line.endswith(" ="):
                key, value = (line + " ").split(" = ", 1)
                found[(section, key.strip())], words = (value.strip(), words), ""
        for section, key, value, text in rows:
            self.assertEqual(found[(section, key)][0], value, key)
            self.assertIn(text.split(".")[0].split("(")[0][:30].strip(), found[(section, key)][1])
        again = self.run_program("config", "show", "--config", self.file(shown)).stdout
        self.assertEqual([line for line in again.splitlines() if not line.startswith("#")],
                         [line for line in shown.splitlines() if not line.startswith("#")])

    def test_bad_values_name_their_place(self):
        rows = [
            ("[push]\nquiet_s = soon\n", ":2: ", "push.quiet_s"),
            ("[push]\n\n# x\nquiet_s = 4000\n", ":4: ", "push.quiet_s"),
            ("[imap]\nlisten = nowhere\n", ":2: ", "imap.listen"),
            ("[database]\nunsafe_no_fsync = perhaps\n", ":2: ", "database.unsafe_no_fsync"),
            ("[lmtp]\nsize_max = 5X\n", ":2: ", "lmtp.size_max"),
            ("[impa]\nlisten = 127.0.0.1:0\n", ":", "impa"),
            ("# x\nquiet_s = 3\n", ":2: ", "put a line like [imap] above it"),
            ("[push]\n; a comment of others\n", ":2: ", "# before a comment"),
            ("[push]\nquiet_s 3\n", ":2: ", "write key = value"),
        ]
        for text, place, name in rows:
            with self.subTest(text):
                path = self.file(text)
                result = self.run_program("config", "show", "--config", path)
                self.assertEqual(result.returncode, 1, result.stdout)
                self.assertIn(path + place, result.stderr)
                self.assertIn(name, result.stderr)

    def refused(self, story, **settings):
        self.server.settings.update({k.replace("__", "."): v for k, v in settings.items()})
        result = self.server.cli("serve", check=False)
        self.assertEqual(result.returncode, 1, result.err)
        self.assertIn(story, result.err)

    def test_a_port_that_is_taken(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            self.refused(f"127.0.0.1:{port}", imap__listen=f"127.0.0.1:{port}")

    def test_a_data_directory_of_another_version(self):
        with open(os.path.join(self.server.data, "format"), "w", encoding="ascii") as f:
            f.write("godwit 99\n")
        self.refused("belongs to another version")

    def test_a_certificate_that_is_missing(self):
        self.refused("/nowhere/cert.pem", tls__cert="/nowhere/cert.pem")

    def test_a_level_that_does_not_exist(self):
        self.refused('log.level cannot be "loud"', log__level="loud")


if __name__ == "__main__":
    unittest.main()
