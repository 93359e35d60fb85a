# SPDX-License-Identifier: MIT
"""A real gdb on a running Linux: kernel symbols, hardware and software breakpoints, watchpoint, steps, written registers."""
import os
import re
import shutil
import struct
import subprocess
import time

from harness import Skipped, boot, boot_test, check, check_equal, console, finish, linux, no_kernel_complaints, scratch

FUNCTIONS = ["do_sys_openat2", "__do_sys_newuname", "kernel_clone", "schedule"]
VARIABLES = ["jiffies_64"]


def symbol_file(path, symbols):
    """An ELF file with nothing but symbols: {name: address}; the distribution's kernel image has none."""
    names, table = b"\0", struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    for name, address in sorted(symbols.items(), key=lambda s: s[1]):
        kind = 2 if name in FUNCTIONS else 1
        table += struct.pack("<IBBHQQ", len(names), 1 << 4 | kind, 0, 1, address, 8)
        names += name.encode() + b"\0"
    sections = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    low, high = min(symbols.values()) & ~4095, (max(symbols.values()) | 4095) + 1
    start = 64

    def section(name, kind, flags, address, offset, size, link=0, info=0, entry=0):
        return struct.pack("<IIQQQQIIQQ", sections.index(name), kind, flags, address, offset, size, link, info, 8, entry)
    headers = bytes(64) + section(b".text", 8, 6, low, start, high - low)
    headers += section(b".symtab", 2, 0, 0, start, len(table), 3, 1, 24)
    headers += section(b".strtab", 3, 0, 0, start + len(table), len(names))
    headers += section(b".shstrtab", 3, 0, 0, start + len(table) + len(names), len(sections))
    body = table + names + sections
    body += bytes(-len(body) % 8)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, low, 0, start + len(body), 0, 64, 0,
                                                              0, 64, 5, 4)
    with open(path, "wb") as f:
        f.write(header + body + headers)


class Gdb:
    """One gdb, driven command by command."""

    def __init__(self):
        self.process = subprocess.Popen(["gdb-multiarch", "-nx", "-quiet"], stdin=subprocess.PIPE, text=True, bufsize=1,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        self.number = 0
        for setting in ("pagination off", "confirm off", "width 0", "style enabled off", "remotetimeout 60",
                        "architecture riscv:rv64"):
            self.run("set " + setting)

    def start(self, command):
        """Gives a command whose end() comes later."""
        self.number += 1
        self.process.stdin.write("%s\necho \\n@@%d\\n\n" % (command, self.number))
        self.process.stdin.flush()

    def end(self, *patterns):
        text = ""
        for line in self.process.stdout:
            if line.strip().endswith("@@%d" % self.number):
                break
            text += line.replace("(gdb) ", "")
        for pattern in patterns:
            check(re.search(pattern, text), "gdb printed %r, without %r" % (text, pattern))
        return text

    def run(self, command, *patterns):
        self.start(command)
        return self.end(*patterns)

    def close(self):
        self.process.kill()
        self.process.communicate()


def kernel_symbols(guest):
    wanted = FUNCTIONS + VARIABLES
    text = guest.run("grep -E ' (%s)$' /proc/kallsyms" % "|".join(wanted), 120)[1]
    symbols = {m.group(2): int(m.group(1), 16) for m in re.finditer(r"^(\w+) \w (\w+)\r?$", text, re.M)}
    check_equal(sorted(symbols), sorted(wanted), "the kernel's symbols")
    return symbols


@boot_test()
def session():
    if shutil.which("gdb-multiarch") is None:
        raise Skipped("gdb-multiarch is not installed (Debian package gdb-multiarch)")
    with scratch() as folder:
        path = os.path.join(folder, "gdb.sock")
        arguments = linux("-gdb", "unix:%s,server=on,wait=off" % path, smp=2, append="nokaslr")
        with boot(arguments) as guest:
            guest.prompt(300)
            symbol_file(os.path.join(folder, "kernel"), kernel_symbols(guest))
            gdb = Gdb()
            try:
                debug(gdb, guest, os.path.join(folder, "kernel"), path)
            finally:
                gdb.close()
            check_equal(guest.run("echo $((6*7))")[1].strip(), "42", "6*7 without the debugger")
            no_kernel_complaints(guest)
            finish(guest)


def debug(gdb, guest, symbols, path):
    gdb.run("file " + symbols)
    gdb.run("target remote " + path, r"0x\w+ in ")
    gdb.run("info threads", r"Thread 1 .*CPU#0", r"Thread 2 .*CPU#1")
    gdb.run("thread apply all info registers pc satp", r"(?s)satp +0x[89a]\w+.*satp +0x[89a]\w+")

    # A software breakpoint on a system call's function; nobody else calls it.
    gdb.run("break *__do_sys_newuname", "Breakpoint 1 at")
    gdb.start("continue")
    guest.send("uname -r\n")
    gdb.end(r"Breakpoint 1, 0x\w+ in __do_sys_newuname")
    gdb.run("info registers priv", "Supervisor")
    gdb.run("print/x $pc == (unsigned long)&__do_sys_newuname", "= 0x1")
    before = int(re.search(r"= (\d+)", gdb.run("print/u $pc")).group(1))
    gdb.run("stepi")
    after = int(re.search(r"= (\d+)", gdb.run("print/u $pc")).group(1))
    check(after - before in (2, 4), "a step went from %#x to %#x" % (before, after))
    gdb.run("delete")

    # A hardware breakpoint where a register's change shows: the open fails although the file is there.
    gdb.run("hbreak *do_sys_openat2 if $_streq((char *)$a1, \"/etc/passwd\")", "Hardware assisted breakpoint 2")
    gdb.start("continue")
    guest.prompt()
    guest.send("cat /etc/passwd; echo sta''tus=$?.\n")
    gdb.end(r"Breakpoint 2, 0x\w+ in do_sys_openat2")
    gdb.run("delete")
    gdb.run("set $a0 = -2")
    gdb.run("set $pc = $ra")
    # A watchpoint on the kernel's clock, met by whichever CPU keeps the time.
    gdb.run("watch *(unsigned long *)&jiffies_64", "Hardware watchpoint 3")
    text = gdb.run("continue", "Hardware watchpoint 3", r"Old value = \d+", r"New value = \d+")
    old, new = (int(re.search(word + r" value = (\d+)", text).group(1)) for word in ("Old", "New"))
    check(new > old, "jiffies went from %d to %d" % (old, new))
    gdb.run("delete")
    gdb.run("detach")
    guest.expect(r"can't open '/etc/passwd': No such file")
    guest.expect("status=1")
    guest.prompt()
    # Without points nothing is left behind.
    start = time.monotonic()
    guest.run("cat /etc/passwd > /dev/null")
    check(time.monotonic() - start < console.patience(30), "the guest hangs after detach")
