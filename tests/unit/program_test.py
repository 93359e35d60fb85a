#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The program itself: its two names, what scripts look for in its listings, and that every mistake is one line on stderr
and exit status 1 with nothing else said or left behind. Usage: program_test.py PAGODA"""

import os
import subprocess
import sys
import tempfile
import unittest

PAGODA = os.path.abspath(sys.argv[1])


class Program(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def run_it(self, *words, name="pagoda"):
        done = subprocess.run([name, *words], executable=PAGODA, cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, text=True)
        return done.returncode, done.stdout, done.stderr

    def check_mistake(self, message, *words, name="pagoda"):
        self.assertEqual(self.run_it(*words, name=name), (1, "", f"pagoda: {message}\n"), words)

    def file(self, name, content=b""):
        with open(os.path.join(self.directory, name), "wb") as file:
            file.write(content)

    def test_two_names(self):
        by_word = self.run_it("riscv64", "-M", "help")
        by_link = self.run_it("-M", "help", name="/usr/bin/pagoda-system-riscv64")
        self.assertEqual(by_word, by_link)
        self.assertEqual(by_word[0], 0)
        self.assertIn("RISC-V VirtIO board", by_word[1])
        self.check_mistake("pagoda-system-vax: there is no guest 'vax' (guests: riscv64)", name="pagoda-system-vax")

    def test_listings(self):
        for options, wanted in ((["--help"], "QEMU"), (["-h"], "-kernel file"), (["-version"], "Pagoda emulator version "),
                                (["-device", "?"], 'name "virtio-blk-device"'), (["-cpu", "help"], "rv64"),
                                (["-chardev", "help"], "socket"), (["-accel", "help"], "tcg"), (["-d", "?"], "unimp")):
            status, out, err = self.run_it("riscv64", *options)
            self.assertEqual((status, err), (0, ""), options)
            self.assertIn(wanted, out)

    def test_mistakes_on_the_command_line(self):
        self.check_mistake("no guest given; 'pagoda help' tells how to start one")
        self.check_mistake("riscv32: neither a guest (riscv64) nor a command; did you mean 'riscv64'?", "riscv32")
        for message, options in (
                ("--kernle: unknown option; did you mean '-kernel'?", ["--kernle", "x"]),
                ("-m 0: a guest needs RAM", ["-m", "0"]),
                ("-smp 0: cpus must be a number from 1 to 1024", ["-smp", "0"]),
                ("-smp 65: machine 'virt' has at most 64 vcpus", ["-smp", "65"]),
                ("-M virtt: unknown machine 'virtt'; did you mean 'virt'?", ["-M", "virtt"]),
                ("-device frob: unknown device 'frob' (-device help lists them)", ["-device", "frob"]),
                ("-accel kvm: 'kvm' is not available: guests are always translated (accelerator 'tiered')",
                 ["-accel", "kvm"])):
            self.check_mistake(message, "riscv64", *options)

    def test_files_that_cannot_be_used(self):
        self.file("empty")
        missing = "No such file or directory"
        for message, options in (
                (f"-kernel none: {missing}", ["-kernel", "none"]),
                ("-kernel empty: the file is empty", ["-kernel", "empty"]),
                (f"-serial file:no/file: no/file: {missing}", ["-serial", "file:no/file", "-kernel", "empty"]),
                (f"-chardev socket,id=s,path=none: none: {missing}", ["-chardev", "socket,id=s,path=none"]),
                (f"-D no/log: {missing}", ["-D", "no/log", "-d", "int"])):
            self.check_mistake(message, "riscv64", "-display", "none", *options)
        self.assertEqual(sorted(os.listdir(self.directory)), ["empty"])

    def test_a_failed_start_removes_its_socket_and_link(self):
        self.check_mistake("-kernel none: No such file or directory", "riscv64", "-display", "none", "-kernel", "none",
                           "-serial", "unix:sock,server=on,wait=off")
        self.assertEqual(os.listdir(self.directory), [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
