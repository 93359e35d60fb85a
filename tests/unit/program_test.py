#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The program itself: its two names, what scripts look for in its listings, and that every mistake is one line on stderr
and exit status 1 with nothing else said or left behind. Usage: program_test.py PAGODA"""

import os
import re
import struct
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
        self.file("odd", bytes(513))
        self.file("disk", bytes(1024))
        missing = "No such file or directory"
        for message, options in (
                (f"-kernel none: could not open kernel: {missing}", ["-kernel", "none"]),
                ("-kernel empty: the file is empty", ["-kernel", "empty"]),
                # Drives are looked at before it turns out that there is nothing to boot, and if no device uses them.
                (f"-drive file=none: disk image none: {missing}", ["-drive", "file=none"]),
                (f"-drive if=none,id=d,file=none: disk image none: {missing}", ["-drive", "if=none,id=d,file=none"]),
                ("-drive file=odd: disk image odd: its size of 513 bytes is not a multiple of 512",
                 ["-drive", "file=odd", "-kernel", "none"]),
                ("-drive if=none,id=d,file=disk: disk image disk: locked by another instance",
                 ["-drive", "file=disk", "-drive", "if=none,id=d,file=disk"]),
                (f"-serial file:no/file: no/file: {missing}", ["-serial", "file:no/file", "-kernel", "empty"]),
                (f"-chardev socket,id=s,path=none: none: {missing}", ["-chardev", "socket,id=s,path=none"]),
                (f"-D no/log: {missing}", ["-D", "no/log", "-d", "int"])):
            self.check_mistake(message, "riscv64", "-display", "none", *options)
        self.assertEqual(sorted(os.listdir(self.directory)), ["disk", "empty", "odd"])

    # What each log item must say of the guest below; an item that is added needs a line here.
    LOGGED = {
        "guest_errors": [r"0x0 is never an instruction", r"access to 0x10, physical 0x10: neither RAM nor a device",
                         r"csr mhartid is read-only"],
        "unimp": [r"pc 0x8000000c: 0xb is no instruction that is implemented", r"csr 0x7c0 does not exist"],
        "int": [r"exception 2 from mode 3 at 0x8000000c"],
        "mmu": [r"execute 0x80000000 in memory mode 0: page 0x80000000", r"sfence\.vma, all addresses, all address spaces"],
        "in_asm": [r"pc 0x80000000, physical 0x80000000", r"0x0*80000000: 00000297 +auipc t0, 0x0"],
        "op": [r"= pc", r"put_slot"],
        "out_asm": [r"pc 0x80000000:\n", r"jump_indirect"],
        "tier": [r"promote pc 0x8000\w+ mode 0x\w+ on tier 0: 3 of 3"],
        "exec": [r"vcpu 0 pc 0x80000000 mode"],
        "cpu_reset": [r"hart 0: reset, pc 0x1000, rv64"],
        "device": [r"rng0: status 0x1 written over 0x0"],
    }

    def test_every_log_item_logs(self):
        words = [
            0x00000297, 0x06c28293, 0x30529073,  # auipc t0, 0; addi t0, t0, 0x6c; csrw mtvec, t0
            0x0000000b, 0x7c002373, 0, 0xf1405073, 0x01002303,  # custom-0; csrr 0x7c0; 0; csrw mhartid, 0; lw t1, 16(x0)
            0x12000073, 0x00100393, 0x100012b7, 0x00001337,  # sfence.vma; li t2, 1; lui t0, 0x10001; lui t1, 1
        ] + 8 * [0x0672a823, 0x006282b3]  # every virtio device is acknowledged: sw t2, 0x70(t0); add t0, t0, t1
        power_off = [0x00100337, 0x000053b7, 0x55538393, 0x00732023, 0x0000006f]  # 0x5555 to the test finisher
        handler = [0x34102e73, 0x004e0e13, 0x341e1073, 0x30200073]  # mepc += 4; mret
        at = 4 * len(words + power_off)
        words[1] = at << 20 | 0x28293
        self.file("guest", struct.pack("<%dI" % len(words + power_off + handler), *words, *power_off, *handler))
        status, listing, _ = self.run_it("riscv64", "-d", "help")
        offered = [line.split()[0] for line in listing.splitlines() if re.match(r"\w+  +\w", line)]
        self.assertEqual(sorted(offered), sorted([*self.LOGGED, "all", "op_opt"]))
        for item, patterns in self.LOGGED.items():
            done = self.run_it("riscv64", "-M", "virt", "-bios", "none", "-kernel", "guest", "-display", "none",
                               "-device", "virtio-rng-device,id=rng0", "-accel", "tiered,tier1-threshold=3", "-d", item,
                               "-D", "log")
            self.assertEqual(done, (0, "", ""), item)
            with open(os.path.join(self.directory, "log")) as file:
                text = file.read()
            for pattern in patterns:
                self.assertRegex(text, pattern, item)
            self.assertEqual(set(re.findall(r"^\[(\w+)\]", text, re.M)), {item})
            os.remove(os.path.join(self.directory, "log"))

    def test_a_failed_start_removes_its_socket_and_link(self):
        self.check_mistake("-kernel none: could not open kernel: No such file or directory", "riscv64", "-display", "none", "-kernel", "none",
                           "-serial", "unix:sock,server=on,wait=off")
        self.assertEqual(os.listdir(self.directory), [])

    # A program for spike: one instruction in machine mode, then success, or failure 2 if it trapped. Its signature are 20
    # bytes, 0 to 19.
    def spike_program(self, instruction):
        code = [0x00000297, 0x01828293, 0x30529073,  # mtvec = trap
                instruction, 0x00100313, 0x0080006f,  # t1 = 1
                0x00500313,                           # trap: t1 = 2 << 1 | 1
                0x00001397, 0xfe63b223, 0x0000006f]   # tohost = t1
        base = 0x80000000
        symbols = [(b"tohost", base + 0x1000), (b"begin_signature", base + 0x2000), (b"end_signature", base + 0x2014)]
        content = struct.pack("<10I", *code).ljust(0x2000, b"\0") + bytes(range(20))
        names, table = b"\0", bytes(24)
        for name, value in symbols:
            table += struct.pack("<IBBHQQ", len(names), 0x10, 0, 0xfff1, value, 0)
            names += name + b"\0"
        at = 64 + 56
        header = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
            "<HHIQQQIHHHHHH", 2, 243, 1, base, 64, at + len(content) + len(table) + len(names), 0, 64, 56, 1, 64, 3, 0)
        segment = struct.pack("<IIQQQQQQ", 1, 5, at, base, base, len(content), len(content), 4096)
        table_at = at + len(content)
        sections = bytes(64) + struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, table_at, len(table), 2, 1, 8, 24) + struct.pack(
            "<IIQQQQIIQQ", 0, 3, 0, 0, table_at + len(table), len(names), 0, 0, 1, 0)
        with open(os.path.join(self.directory, "program"), "wb") as f:
            f.write(header + segment + content + table + names + sections)

    def spike(self, *options):
        return self.run_it("riscv64", "-nographic", "-bios", "none", "-kernel", "program", *options)

    def test_an_extension_that_is_off_is_illegal(self):
        # clmul, czero.eqz, sha256sum0, c.zext.b with c.nop behind it
        for instruction, extension in ((0x0aa51533, "zbc=off,zbkc"), (0x0ea55533, "zicond"), (0x10051513, "zknh"),
                                       (0x00019d61, "zcb")):
            self.spike_program(instruction)
            on, off = self.spike("-M", "spike", "-cpu", "max"), self.spike("-M", "spike", "-cpu", f"max,{extension}=off")
            self.assertEqual(on, (0, "", ""), extension)
            self.assertEqual(off, (1, "", "pagoda: program: test 2 failed\n"), extension)

    def test_signature(self):
        self.spike_program(0x00000013)
        self.assertEqual(self.spike("-M", "spike,signature=out"), (0, "", ""))
        with open(os.path.join(self.directory, "out")) as f:
            self.assertEqual(f.read(), "0f0e0d0c0b0a09080706050403020100\n00000000000000000000000013121110\n")
        self.spike("-M", "spike,signature=out,signature-granularity=4")
        with open(os.path.join(self.directory, "out")) as f:
            self.assertEqual(f.read().split(), ["03020100", "07060504", "0b0a0908", "0f0e0d0c", "13121110"])
        for message, options in (
                ("-M signature=no/file: No such file or directory", ["-M", "spike,signature=no/file"]),
                ("-M virt,signature=...: only machine 'spike' writes signatures", ["-M", "virt,signature=x"]),
                ("-M spike,signature-granularity=0: signature-granularity must be a number from 1 to 255",
                 ["-M", "spike,signature-granularity=0"])):
            self.check_mistake(message, "riscv64", "-nographic", "-bios", "none", "-kernel", "program", *options)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
