"""Who may log in how, by clients that are not on loopback."""
import os
import subprocess
import sys
import unittest

from harness import LIMIT_S


class Elsewhere(unittest.TestCase):
    def test_clients_that_are_not_on_loopback(self):
        """A network namespace of its own, where server and clients have an address that is not 127.0.0.1."""
        enter = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Un", "--map-current-user", "--keep-caps"]
        done = subprocess.run([*enter, sys.executable, "-W", "ignore::ResourceWarning", "-m", "unittest", "-v", "elsewhere_cases"],
                              cwd=os.path.dirname(os.path.abspath(__file__)), capture_output=True, text=True, timeout=4 * LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stderr, r"Ran [1-9]\d* tests")


if __name__ == "__main__":
    unittest.main()
