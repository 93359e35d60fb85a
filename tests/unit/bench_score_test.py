#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench/score.py judges by the emulators that offer the same CPU; those with a richer one are a column beside."""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
import score  # noqa: E402


def emulator(*walls, hash="a", boot=None, status=0):
    """One that took so long for the workload in each round."""
    rounds = [{"sieve": {"category": "integer", "wall": w, "cpu": w, "status": status, "hash": hash, "resident": 1 << 20}}
              for w in walls]
    boots = [{"wall": boot, "cpu": boot, "resident": 1 << 20, "total": boot}] if boot else []
    return {"version": "", "command": [], "boots": boots, "rounds": rounds, "workloads": {"sieve": "integer"}}


def judge(results):
    """(exit status, text) of the program on such a result."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        with open(path, "w") as f:
            json.dump({"clock": "wall", "results": results}, f)
        before, sys.argv = sys.argv, ["score.py", path]
        try:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                return score.main(), out.getvalue()
        finally:
            sys.argv = before


class Score(unittest.TestCase):
    def test_the_fastest_other_counts(self):
        summary = score.summary_of({"pagoda": emulator(1, 2, 9), "qemu 7": emulator(6, 6, 6), "qemu 10": emulator(3, 4, 5)}, "wall")
        entry = summary["workloads"]["sieve"]
        self.assertEqual((entry["fastest"], entry["factors"]["wall"]), ("qemu 10", 2.0))
        self.assertEqual(summary["rich"], {})

    def test_a_richer_cpu_is_compared_with_its_like(self):
        results = {"pagoda": emulator(2), "qemu 10": emulator(4), "pagoda rich": emulator(1), "qemu 10 rich": emulator(9)}
        summary = score.summary_of(results, "wall")
        entry = summary["workloads"]["sieve"]
        self.assertEqual((entry["fastest"], entry["factors"]["wall"]), ("qemu 10", 2.0))
        self.assertEqual((entry["rich"]["fastest"], entry["rich"]["factors"]["wall"]), ("qemu 10", 9.0))
        self.assertAlmostEqual(summary["categories"]["integer"], 2.0)
        self.assertAlmostEqual(summary["rich"]["integer"], 9.0)

    def test_no_richer_cpu_saves_a_verdict(self):
        slow = {"pagoda": emulator(4, boot=1), "qemu 10": emulator(4, boot=9)}
        status, text = judge(dict(slow, **{"pagoda rich": emulator(1), "qemu 10 rich": emulator(9)}))
        self.assertEqual(status, 1)
        self.assertIn("MISSED  integer: 1.00 times", text)
        self.assertRegex(text, r"sieve +4\.00 +4\.00 +1\.00 +9\.00 +qemu 10")

    def test_without_a_richer_other_there_is_no_column(self):
        _, text = judge({"pagoda": emulator(1), "qemu 7": emulator(4), "pagoda rich": emulator(1)})
        self.assertNotIn("rich", text)

    def test_all_outputs_have_to_be_equal(self):
        results = {"pagoda": emulator(1), "qemu 10": emulator(4), "pagoda rich": emulator(1, hash="b")}
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(score.check_outputs(results), (0, 1))
            self.assertEqual(score.check_outputs({"pagoda": emulator(1), "qemu 10": emulator(4, status=1)}), (0, 1))
            self.assertEqual(score.check_outputs({"pagoda": emulator(1), "qemu 10": emulator(4)}), (1, 0))


if __name__ == "__main__":
    unittest.main()
