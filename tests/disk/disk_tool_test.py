#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pagoda disk: mistakes are one line and status 1; images made by it and by qemu-img (where that is installed) are read by
the other and described alike. Usage: disk_tool_test.py PAGODA"""

import fcntl
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

PAGODA = os.path.abspath(sys.argv[1])
QEMU_IMG = shutil.which("qemu-img")
OFD_SETLK = 37  # Linux; Python's fcntl has no name for it


def needs_qemu_img(function):
    return unittest.skipUnless(QEMU_IMG, "qemu-img is not installed (package qemu-utils)")(function)


class DiskTool(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def run_it(self, *words, program=None):
        command = [QEMU_IMG, *words] if program else [PAGODA, "disk", *words]
        done = subprocess.run(command, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              text=True)
        return done.returncode, done.stdout, done.stderr

    def ok(self, *words, program=None):
        status, out, err = self.run_it(*words, program=program)
        self.assertEqual((status, err), (0, ""), words)
        return out

    def qemu(self, *words):
        return self.ok(*words, program=QEMU_IMG)

    def mistake(self, message, *words):
        self.assertEqual(self.run_it(*words), (1, "", "pagoda: %s\n" % message), words)

    def path(self, name):
        return os.path.join(self.directory, name)

    def data(self, name="data.raw", size=3 << 20):
        """Text, random bytes, and holes."""
        source = random.Random(7)
        with open(self.path(name), "wb") as f:
            while f.tell() < size:
                kind = source.randrange(3)
                length = min(source.randrange(1, 80) * 4096, size - f.tell())
                f.write((b"line of text %d\n" % source.randrange(9) * length)[:length] if kind == 0 else
                        source.randbytes(length) if kind == 1 else bytes(length))
        return name

    def same(self, one, other):
        with open(self.path(one), "rb") as f, open(self.path(other), "rb") as g:
            self.assertTrue(f.read() == g.read(), "%s and %s differ" % (one, other))

    def test_mistakes(self):
        for message, words in (
                ("disk: a command is missing: create, info, check or convert", []),
                ("disk creat: no such command; did you mean 'create'?", ["creat"]),
                ("disk info: a file is missing", ["info"]),
                ("disk info: -z: unknown option (pagoda disk help lists them)", ["info", "-z", "x"]),
                ("disk check: -r some: leaks or all", ["check", "-r", "some", "x"]),
                ("disk create: x: not a size: a number with an optional suffix k, M, G or T", ["create", "f", "x"]),
                ("disk create: -o cluster_size=3k: cluster_size=3k: a power of two from 512 to 2097152",
                 ["create", "-f", "qcow2", "-o", "cluster_size=3k", "f", "1M"]),
                ("disk create: -o clustersize=4k: unknown key 'clustersize'; did you mean 'cluster_size'?",
                 ["create", "-f", "qcow2", "-o", "clustersize=4k", "f", "1M"]),
                ("format 'vmdk' is not supported (raw and qcow2 are)", ["create", "-f", "vmdk", "f", "1M"]),
                ("disk image f: a size is missing", ["create", "-f", "qcow2", "f"]),
                ("-b base: the backing file's format is missing (-F)", ["create", "-f", "qcow2", "-b", "base", "f"]),
                ("backing file: disk image base: No such file or directory",
                 ["create", "-f", "qcow2", "-b", "base", "-F", "raw", "f"]),
                ("disk image none: No such file or directory", ["info", "none"]),
                ("disk image none: No such file or directory", ["check", "none"]),
                ("disk image none: No such file or directory", ["convert", "none", "out"]),
                ("-c: a raw image cannot be compressed", ["convert", "-c", "none", "out"]),
                ("lazy_refcounts=on needs compat=1.1",
                 ["create", "-f", "qcow2", "-o", "compat=0.10,lazy_refcounts=on", "f", "1M"])):
            self.mistake(message, *words)
        self.assertEqual(os.listdir(self.directory), [])

    def test_converting_a_file_onto_itself_is_refused(self):
        self.data()
        self.mistake("disk image data.raw: locked by another instance", "convert", "-f", "raw", "data.raw", "data.raw")
        self.assertEqual(os.path.getsize(self.path("data.raw")), 3 << 20)

        self.mistake("disk image data.raw: locked by another instance", "convert", "-U", "-f", "raw", "data.raw",
                     "data.raw")
        self.assertEqual(os.path.getsize(self.path("data.raw")), 3 << 20)

    def test_converting_into_a_file_that_is_there(self):
        self.data()
        with open(self.path("old.raw"), "wb") as f:
            f.write(b"x" * (4 << 20))
        self.ok("convert", "-n", "-f", "raw", "-O", "raw", "data.raw", "old.raw")
        with open(self.path("old.raw"), "rb") as f, open(self.path("data.raw"), "rb") as source:
            self.assertEqual(f.read(3 << 20), source.read(), "zeros are written over what was there")
            self.assertEqual(f.read(), b"x" * (1 << 20), "what the source does not have is left")
        for options in ([], ["-c"]):
            self.ok("convert", "-f", "raw", "-O", "qcow2", "old.raw", "old")
            self.ok("convert", "-n", *options, "-f", "raw", "-O", "qcow2", "-m", "4", "-W", "-t", "none",
                    "-T", "none", "data.raw", "old")
            self.ok("check", "-q", "old")
            self.ok("convert", "-O", "raw", "old", "back.raw")
            os.truncate(self.path("back.raw"), 3 << 20)
            self.same("data.raw", "back.raw")
        self.mistake("disk convert: -n needs -O", "convert", "-n", "data.raw", "old.raw")
        self.mistake("disk convert: -t all: unknown cache mode", "convert", "-t", "all", "data.raw", "new")
        self.mistake("disk image none: No such file or directory", "convert", "-n", "-O", "raw", "data.raw", "none")
        self.ok("create", "-q", "small", "1M")
        self.mistake("disk image small: its 1048576 bytes are fewer than the 3145728 to be converted",
                     "convert", "-n", "-O", "raw", "data.raw", "small")

    def test_what_another_writes_is_read_with_the_users_word(self):
        self.ok("create", "-q", "-f", "qcow2", "q", "1M")
        with open(self.path("q"), "r+b") as f:
            for byte in (100, 101, 201, 203):  # a writer, as locks say it
                fcntl.fcntl(f, OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, byte, 1, 0))
            for command in ("info", "check"):
                self.mistake("disk image q: locked by another instance", command, "q")
                self.ok(command, "-U", "q")
            self.mistake("disk image q: locked by another instance", "convert", "q", "back.raw")
            self.ok("convert", "-U", "q", "back.raw")
            self.mistake("disk check: -U is for reading, -r writes", "check", "-U", "-r", "all", "q")

    def test_check_statuses(self):
        self.data()
        self.ok("convert", "-f", "raw", "-O", "qcow2", "data.raw", "q")
        self.assertEqual(self.run_it("check", "q")[0], 0)
        self.assertEqual(self.run_it("check", "-f", "raw", "q")[0], 63)
        with open(self.path("q"), "r+b") as f:
            f.seek(48)
            table = int.from_bytes(f.read(8), "big")
            f.seek(table)
            block = int.from_bytes(f.read(8), "big")
            f.seek(block + 2 * 9)
            f.write(b"\0\2")  # a leak
        self.assertEqual(self.run_it("check", "q")[0], 2, "the flag of a single reference does not fit")
        status, out, _ = self.run_it("check", "-r", "leaks", "q")
        self.assertEqual(status, 0)
        self.assertIn("1 leaked clusters", out)
        self.assertIn("No errors were found on the image.", out)
        self.assertEqual(json.loads(self.ok("check", "--output=json", "q"))["check-errors"], 0)

    def test_round_trips(self):
        self.data()
        for number, options in enumerate((["-o", "cluster_size=512"], ["-o", "compat=0.10"], ["-c"],
                                          ["-c", "-o", "compression_type=zstd,cluster_size=4k"],
                                          ["-o", "preallocation=metadata"], ["-o", "preallocation=full,lazy_refcounts=on"],
                                          ["-o", "refcount_bits=1,cluster_size=2M"], ["-c", "-o", "refcount_bits=8"])):
            name = "q%d" % number
            self.ok("convert", "-f", "raw", "-O", "qcow2", *options, "data.raw", name)
            self.ok("check", "-q", name)
            self.ok("convert", name, "back.raw")
            self.same("data.raw", "back.raw")
            if QEMU_IMG:
                self.qemu("check", "-q", name)
                self.qemu("convert", "-O", "raw", name, "back.raw")
                self.same("data.raw", "back.raw")
        if not QEMU_IMG:
            return
        for options in (["-o", "cluster_size=1k"], ["-c"], ["-o", "compat=0.10,cluster_size=2M"],
                        ["-c", "-o", "compression_type=zstd"]):
            self.qemu("convert", "-f", "raw", "-O", "qcow2", *options, "data.raw", "theirs")
            self.ok("convert", "theirs", "back.raw")
            self.same("data.raw", "back.raw")
            self.ok("check", "-q", "theirs")

    def test_overlays(self):
        self.data("base.raw")
        out = self.ok("create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", "top")
        self.assertIn("Formatting 'top', fmt=qcow2 cluster_size=65536", out)
        self.assertIn("size=%d backing_file=base.raw backing_fmt=raw" % (3 << 20), out)
        self.ok("convert", "top", "back.raw")
        self.same("base.raw", "back.raw")
        chain = json.loads(self.ok("info", "--output=json", "--backing-chain", "top"))
        self.assertEqual([each["filename"] for each in chain], ["top", "base.raw"])

    def without_noise(self, info):
        for key in ("actual-size", "dirty-flag", "children"):
            info.pop(key, None)
        return info

    @needs_qemu_img
    def test_info_is_what_qemu_img_says(self):
        self.data("base.raw")
        for number, words in enumerate((["-f", "raw"], ["-f", "qcow2"], ["-f", "qcow2", "-o", "compat=0.10"],
                                        ["-f", "qcow2", "-o", "cluster_size=2M,lazy_refcounts=on,refcount_bits=64"],
                                        ["-f", "qcow2", "-o", "compression_type=zstd"],
                                        ["-f", "qcow2", "-b", "base.raw", "-F", "raw"])):
            for maker in (self.ok, self.qemu):
                name = "%s%d" % (maker.__name__, number)
                maker("create", *words, name, "5G")
                ours = json.loads(self.ok("info", "--output=json", name))
                theirs = json.loads(self.qemu("info", "--output=json", name))
                self.assertEqual(self.without_noise(ours), self.without_noise(theirs))
                ours = [l for l in self.ok("info", name).splitlines() if not l.startswith("disk size")]
                theirs = [l for l in self.qemu("info", name).splitlines() if not l.startswith("disk size")]
                self.assertEqual(ours, theirs[:len(ours)])

    @needs_qemu_img
    def test_check_counts_what_qemu_img_counts(self):
        self.data()
        for options in ([], ["-c"], ["-o", "cluster_size=4k"], ["-o", "preallocation=metadata"]):
            self.qemu("convert", "-f", "raw", "-O", "qcow2", *options, "data.raw", "q")
            ours = json.loads(self.ok("check", "--output=json", "q"))
            theirs = json.loads(self.qemu("check", "--output=json", "q"))
            self.assertEqual(ours, theirs)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
