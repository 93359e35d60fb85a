#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plugins in whole runs: those that do not work harm nobody and are named, the example compiles.

Usage: plugins_test.py PROGRAM GUEST FOLDER_OF_THE_EXAMPLE FOLDER_OF_TEST_PLUGINS"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, GUEST, EXAMPLE, OTHERS = (os.path.abspath(a) for a in sys.argv[1:5])
PATIENCE = float(os.environ.get("PAGODA_PATIENCE", "1"))
BUILTIN = ["interpreter", "lightweight"]


class Plugins(unittest.TestCase):
    def setUp(self):
        self.kept = tempfile.TemporaryDirectory(prefix="pagoda-plugins-")
        self.addCleanup(self.kept.cleanup)
        self.folder = os.path.join(self.kept.name, "plugins")
        os.mkdir(self.folder)

    def put(self, *names):
        for name in names:
            own = os.path.join(OTHERS, name + ".so")
            shutil.copy(own if os.path.exists(own) else os.path.join(OTHERS, "test_plugin.so"), os.path.join(self.folder, name + ".so"))

    def start(self, *arguments, **environment):
        settings = {k: v for k, v in os.environ.items() if k not in ("PAGODA_PLUGINS", "PAGODA_BACKEND")}
        done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.kept.name,
                              timeout=100 * PATIENCE, env=dict(settings, **environment))
        return done.returncode, done.stdout, done.stderr

    # The guest's exit status is 42. Its text goes to stderr, where only what begins with "pagoda: " is the program's.
    def run_guest(self, *accel, **environment):
        path = os.path.join(self.kept.name, "stats.json")
        status, _, err = self.start("riscv64", "-M", "virt", "-bios", "none", "-m", "64M", "-kernel", GUEST, "-display", "none", "-serial",
                                    "null", "-monitor", "none", "-semihosting", "-accel", ",".join(["tiered", *accel]), "-stats-json",
                                    path, **environment)
        stats = None
        if status == 42:
            with open(path) as f:
                stats = json.load(f)
        return status, [line for line in err.splitlines() if line.startswith("pagoda: ")], stats

    END = "pagoda: the guest ended with status 42"

    def default_backend(self):
        rows = json.loads(self.start("backends", "--json")[1])
        return next(row["name"] for row in rows if row["default"])

    def test_the_example_compiles(self):
        wanted = dict(backend="light-plugin")
        for accel, environment in ((["backend=light-plugin", "plugins=" + EXAMPLE], {}),
                                   (["plugins=" + EXAMPLE], dict(PAGODA_BACKEND="light-plugin")),
                                   ([], dict(PAGODA_BACKEND="light-plugin", PAGODA_PLUGINS=EXAMPLE))):
            status, said, stats = self.run_guest("force-tier=1", *accel, **environment)
            self.assertEqual((status, said), (42, [self.END]))
            self.assertEqual(stats["tier1"]["backend"], wanted["backend"])
            self.assertGreater(stats["tier1"]["units"], 20)
            self.assertGreater(stats["vcpus"][0]["instructions_by_tier"]["lightweight"], 100)
            self.assertLess(stats["fallback"]["percent"], 50)
        # It is there, but nobody asked for it.
        status, said, stats = self.run_guest("plugins=" + EXAMPLE)
        self.assertEqual((status, said, stats["tier1"]["backend"]), (42, [self.END], self.default_backend()))

    def test_broken_ones_harm_nobody(self):
        broken = ["no_entry", "null_entry", "other_magic", "other_version", "other_headers", "other_sizes", "no_row", "duplicate", "bad_name",
                  "tier_zero", "no_fallback", "incomplete", "undefined_symbol", "crash", "abort", "exits", "throws", "entry_crashes"]
        self.put(*broken)
        with open(os.path.join(self.folder, "text.so"), "w") as f:
            f.write("text")
        os.symlink(glob.glob(EXAMPLE + "/*.so")[0], os.path.join(self.folder, "zz.so"))
        status, said, stats = self.run_guest("force-tier=1", "backend=light-plugin", "plugins=" + self.folder)
        self.assertEqual(status, 42)
        self.assertEqual(said.pop(), self.END)
        self.assertEqual([line.split(": ")[1] for line in said],
                         ["plugin %s/%s.so" % (self.folder, n) for n in sorted(broken + ["text"])])
        self.assertEqual(stats["tier1"]["backend"], "light-plugin")

    def test_a_backend_for_other_guests_or_without_an_engine(self):
        self.put("other_guest", "no_engine")
        status, said, _ = self.run_guest("backend=test", "plugins=" + self.folder)
        self.assertEqual((status, said), (1, ["pagoda: backend 'test' is not for riscv64 guests"]))
        status, said, stats = self.run_guest("backend=no-engine", "plugins=" + self.folder)
        self.assertEqual((status, said), (42, ["pagoda: the test's backend makes no engine; guest code is interpreted", self.END]))
        self.assertEqual(stats["tier1"]["units"], 0)

    def test_mistakes(self):
        none = os.path.join(self.folder, "none")
        self.assertEqual(self.run_guest("plugins=" + none)[:2],
                         (1, ["pagoda: -accel plugins=%s: No such file or directory" % none]))
        self.assertEqual(self.run_guest(PAGODA_PLUGINS=none)[:2],
                         (1, ["pagoda: PAGODA_PLUGINS=%s: No such file or directory" % none]))
        self.assertEqual(self.run_guest("plugins=" + EXAMPLE, "backend=light-plugins")[:2],
                         (1, ["pagoda: -accel backend=light-plugins: there is no such backend; did you mean 'light-plugin'? "
                              "(\"pagoda backends\" lists them)"]))

    def test_the_list(self):
        status, out, err = self.start("backends", "--json", PAGODA_PLUGINS=EXAMPLE)
        self.assertEqual((status, err), (0, ""))
        rows = json.loads(out)
        self.assertEqual([r["name"] for r in rows if r["source"] == "built-in"][:2], BUILTIN)
        self.assertEqual([(r["name"], r["tier"], r["fallback"], r["available"], r["default"], r["opt_levels"], r["guests"], r["source"])
                          for r in rows if r["source"] != "built-in"],
                         [("light-plugin", 1, "interpreter", True, False, 1, ["any"], glob.glob(EXAMPLE + "/*.so")[0])])
        self.assertIn("float", rows[-1]["features"])
        status, out, err = self.start("backends", PAGODA_PLUGINS=EXAMPLE)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"(?m)^name +tier +.*\n(.*\n)*light-plugin +1 +any .*light-plugin\.so\)$")
        self.put("crash")
        status, out, err = self.start("backends", PAGODA_PLUGINS=self.folder)
        self.assertEqual((status, err.count("\n")), (0, 1))
        status, out, err = self.start("backends", PAGODA_PLUGINS=self.folder + "/none")
        self.assertEqual((status, out, err), (1, "", "pagoda: PAGODA_PLUGINS=%s/none: No such file or directory\n" % self.folder))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
