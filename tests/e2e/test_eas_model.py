"""Thousands of seeded steps of two phones, a desktop, an administrator and a server that is stopped and killed: see
eas_model.py. GODWIT_WIRE_SEEDS says how many runs (default 16), GODWIT_WIRE_FIRST where they begin."""
import os
import unittest

import eas_model
from harness import Server

SEEDS = int(os.environ.get("GODWIT_WIRE_SEEDS", "16"))
FIRST = int(os.environ.get("GODWIT_WIRE_FIRST", "1"))
STEPS = 100


class Model(unittest.TestCase):
    def test_phones_hold_what_the_mailbox_holds(self):
        with Server(accounts=(), **eas_model.SETTINGS) as server:
            for seed in range(FIRST, FIRST + SEEDS):
                eas_model.Run(server, seed, STEPS, restarts=seed % 5 == 0).play()


if __name__ == "__main__":
    unittest.main()
