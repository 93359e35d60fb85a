#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real gdb against the gdb stub, on the guest tests/guests/debuggee.cpp. Usage: gdb_test.py PROGRAM DEBUGGEE [NAME...]

Each test is a gdb script whose commands carry what gdb has to print after them. Prints "N passed, N failed"."""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from random import Random

PATIENCE = float(os.environ.get("PAGODA_PATIENCE", "1"))
TESTS = []


class Failure(Exception):
    pass


def gdb_test(*options):
    def register(function):
        TESTS.append((function, options))
        return function
    return register


def accepts(path):
    """Whether somebody listens: a socket's file is there a moment before."""
    if not os.path.exists(path):
        return False
    with open("/proc/net/unix") as f:
        # The fourth field says that it listens.
        return any(line.split()[-1] == path and line.split()[3] == "00010000" for line in f)


def start(program, debuggee, folder, options):
    path = os.path.join(folder, "gdb.sock")
    arguments = [program, "riscv64", "-M", "virt", "-m", "64M", "-smp", "2", "-bios", "none", "-kernel", debuggee,
                 "-display", "none", "-serial", "null", "-monitor", "none", "-S",
                 "-gdb", "unix:%s,server=on,wait=off" % path] + list(options)
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    limit = time.monotonic() + 30 * PATIENCE
    while not accepts(path):
        if process.poll() is not None or time.monotonic() > limit:
            process.kill()
            raise Failure("the emulator did not come up: " + process.communicate()[0])
        time.sleep(0.02)
    return process, path


def run_script(debuggee, path, steps):
    """Runs the commands of `steps` in gdb; returns what it printed after each."""
    lines = ["set pagination off", "set confirm off", "set width 0", "set remotetimeout 60", "set style enabled off",
             "file " + debuggee, "target remote " + path]
    for number, (command, _) in enumerate(steps):
        lines += ["echo \\n@@%d\\n" % number, command]
    script = path + ".gdb"
    with open(script, "w") as f:
        f.write("\n".join(lines) + "\necho \\n@@end\\n\n")
    done = subprocess.run(["gdb-multiarch", "-nx", "-batch", "-x", script], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120 * PATIENCE)
    pieces = re.split(r"^@@(\w+)\n", done.stdout, flags=re.M)
    return {pieces[i]: pieces[i + 1] for i in range(1, len(pieces) - 1, 2)}, done.stdout


def check(debuggee, path, steps):
    """`steps`: (command, patterns); each pattern has to be in what gdb printed, those that begin with "!" must not."""
    printed, whole = run_script(debuggee, path, steps)
    for number, (command, patterns) in enumerate(steps):
        text = printed.get(str(number))
        if text is None:
            raise Failure("gdb did not get to %r:\n%s" % (command, whole))
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            unwanted = pattern.startswith("!")
            if bool(re.search(pattern.lstrip("!"), text)) == unwanted:
                raise Failure("%r: %s %r, it printed:\n%s" % (command, "unwanted" if unwanted else "missing", pattern, text))
    if "end" not in printed:
        raise Failure("gdb did not finish:\n" + whole)


@gdb_test()
def registers_and_memory(debuggee, path):
    check(debuggee, path, [
        ("info registers pc", r"pc +0x1000\b"),  # the reset ROM
        ("hbreak hart_main", "Hardware assisted breakpoint 1"),
        ("continue", ["(Breakpoint|hit) .*hart_main"]),
        ("print $a0", r"= [01]\n"),
        ("info registers sp ra fp priv", [r"sp +0x8\w+", r"priv +0x3\b"]),
        ("info registers mstatus misa mhartid", ["mstatus +0x", "misa +0x8", r"mhartid +0x[01]\b"]),
        ("print $a3 = 0x123456789abcdef0", "= 1311768467463790320"),
        ("info registers a3", "0x123456789abcdef0"),
        ("print $ft0.double = 1.5", "= 1.5"),
        ("info registers ft0", r"double = 1\.5"),
        ("print $mscratch = 0xdeadbeef", ""),
        ("print/x $mscratch", "= 0xdeadbeef"),
        ("print/x words", r"\{0x11111111, 0x22222222, 0x33333333, 0x44444444\}"),
        ("set var words[2] = 0xcafef00d", ""),
        ("print/x words", r"\{0x11111111, 0x22222222, 0xcafef00d, 0x44444444\}"),
        ("x/2i $pc", [r"=> 0x8\w+ <hart_main"]),
        ("python\ntry:\n gdb.execute('x/wx 0x123')\nexcept gdb.MemoryError as e:\n print(e)\nend",
         "Cannot access memory at address 0x123"),
        ("print $pc = add_one", r"<add_one\b"),
        ("print wanted_rounds", r"= 1000000000"),
    ])


@gdb_test()
def breakpoints(debuggee, path):
    check(debuggee, path, [
        ("break add_one", "Breakpoint 1 at"),
        ("hbreak round_done", "Hardware assisted breakpoint 2"),
        ("x/4xb add_one", ""),
        ("continue", "Breakpoint 1, .*add_one .*value=0"),
        ("continue", "Breakpoint 2, .*round_done .*round=1"),
        ("continue", "Breakpoint 1, .*add_one .*value=1"),
        ("backtrace", [r"#0 .*add_one", r"#1 .*hart_main"]),
        ("delete 1", ""),
        ("continue", "Breakpoint 2, .*round_done .*round=2"),
        ("continue", "Breakpoint 2, .*round_done .*round=3"),
        ("print counter", "= 3"),
        ("condition 2 round == 40", ""),
        ("continue", "Breakpoint 2, .*round_done .*round=40"),
        ("print traps", "= 2"),
        # No guest memory was changed.
        ("delete", ""),
        ("compare-sections .text", "matched"),
        ("tbreak round_done", "Temporary breakpoint 3"),
        ("continue", "Temporary breakpoint 3, .*round=41"),
        ("set var wanted_rounds = 50", ""),
        ("continue", r"exited normally"),
    ])


@gdb_test()
def code_is_replaced(debuggee, path):
    check(debuggee, path, [
        ("tbreak round_done if round == 20", ""),
        ("continue", "round=20"),
        # c.li a0, 7; ret: what was translated is not run any more.
        ("set var *(unsigned *)add_one = 0x8082451d", ""),
        ("tbreak round_done", ""),
        ("continue", "round=7"),
        ("tbreak *add_one", ""),
        ("continue", "add_one"),
        ("set var *(unsigned *)add_one = 0x80824525", ""),  # c.li a0, 9, where it stands
        ("tbreak round_done", ""),
        ("continue", "round=9"),
    ])


@gdb_test()
def watchpoints(debuggee, path):
    check(debuggee, path, [
        ("hbreak hart_main if $a0 == 0", ""),
        ("continue", "hart_main"),
        ("delete", ""),
        ("watch watched", "Hardware watchpoint 2: watched"),
        ("continue", ["Hardware watchpoint 2: watched", "Old value = 0", "New value = 2"]),
        ("continue", ["Old value = 2", "New value = 4"]),
        ("info symbol $pc", "round_done"),
        ("delete", ""),
        ("rwatch words[0]", r"Hardware read watchpoint 3: words\[0\]"),
        ("continue", [r"Hardware read watchpoint 3: words\[0\]", "Value = 286331153"]),
        ("delete", ""),
        ("awatch words[1]", r"Hardware access \(read/write\) watchpoint 4"),
        ("continue", ["watchpoint 4", "!watchpoint 3"]),
        ("delete", ""),
        # Beside a watched word, in the same page, nothing stops.
        ("watch words[3]", ""),
        ("tbreak round_done if round == 100", ""),
        ("continue", ["Temporary breakpoint .*round=100", "!watchpoint"]),
    ])


@gdb_test()
def stepping(debuggee, path):
    check(debuggee, path, [
        # For Linux gdb would step by breakpoints of its own; here the stub is to do it.
        ("set osabi none", ""),
        ("break add_one thread 1", "Breakpoint 1"),
        ("continue", "Breakpoint 1, .*add_one"),
        ("delete", ""),
        ("set scheduler-locking on", ""),
        ("set $before = $pc", ""),
        ("stepi", ""),
        ("print (int)($pc - $before)", r"= [24]\n"),
        ("finish", r"Value returned is \$\d+ = 1"),
        ("break make_trap", ""),
        ("continue", "make_trap"),
        ("x/i $pc", "ecall"),
        # One step goes into the handler and stops before its first instruction.
        ("stepi", "trap_entry"),
        ("info symbol $pc", "trap_entry in section"),
        ("print $mcause", "= 11"),
        ("set $count = $minstret", ""),
        ("stepi 5", ""),
        ("print $minstret - $count", r"= 5\n"),
        ("next", "!Cannot"),
    ])


@gdb_test()
def two_vcpus(debuggee, path):
    check(debuggee, path, [
        ("info threads", [r"Thread 1\.?\d* .*CPU#0", r"Thread 1?\.?2 .*CPU#1"]),
        ("tbreak second_hart", "Temporary breakpoint 1"),
        ("continue", "Temporary breakpoint 1.*second_hart"),
        ("thread", r"Thread 1?\.?2\b"),
        ("print $mhartid", "= 1"),
        ("thread 1", "Switching to thread 1"),
        ("print $mhartid", "= 0"),
        ("thread apply all print $mhartid", [r"= 0\n", r"= 1\n"]),
        # Only the first goes on; the second stands still.
        ("set $rounds = second_rounds", ""),
        ("set scheduler-locking on", ""),
        ("set $first = counter", ""),
        ("tbreak round_done if round >= $first + 20", ""),
        ("continue", r"round=\d+"),
        ("print round - $first", r"= 20\n"),
        ("print second_rounds - $rounds", r"= 0\n"),
        ("set scheduler-locking off", ""),
        # Both go on. When the host lets the second run is the host's affair; if it never does, the time limit says so.
        ("while second_rounds <= $rounds\ntbreak round_done\ncontinue\nend", r"round=\d+"),
    ])


@gdb_test()
def monitor_and_physical_memory(debuggee, path):
    check(debuggee, path, [
        ("monitor info status", "VM status: paused"),
        ("monitor info version", "Pagoda"),
        ("monitor info cpus", "CPU #1"),
        ("monitor nonsense", "unknown command"),
        ("maintenance packet qqemu.PhyMemMode", 'received: "0"'),
        ("maintenance packet Qqemu.PhyMemMode:1", 'received: "OK"'),
        ("x/wx 0x80000000", "0x80000000 <_start>:"),
        ("maintenance packet qqemu.PhyMemMode", 'received: "1"'),
        ("maintenance packet vMustReplyEmpty", 'received: ""'),
        ("maintenance packet qqemu.sstepbits", "NOIRQ=2"),
    ])


@gdb_test()
def detach_and_attach(debuggee, path):
    check(debuggee, path, [
        ("break round_done", ""),
        ("continue", "round=1"),
        # Once detached nothing stops it: it counts on, however slowly the host runs it.
        ("while counter <= 1000\ndetach\nshell sleep 0.2\ntarget remote %s\nend" % path, [r"Detaching|detached", "!refused"]),
        ("kill", ""),
    ])


@gdb_test()
def interrupted_by_ctrl_c(debuggee, path):
    script = path + ".int"
    with open(script, "w") as f:
        f.write("set confirm off\nset width 0\nfile %s\ntarget remote %s\nset debug remote 1\n"
                "continue\nset debug remote 0\necho @@stopped\\n\nprint counter > 0\ninfo threads\nkill\n" % (debuggee, path))
    gdb = subprocess.Popen(["gdb-multiarch", "-nx", "-batch", "-x", script], stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    text = ""
    for line in gdb.stdout:
        text += line
        if re.search(r"Sending packet: \$vCont;c", line):
            break  # from here on an interrupt is the guest's
    time.sleep(1)
    gdb.send_signal(signal.SIGINT)
    text += gdb.communicate(timeout=60 * PATIENCE)[0]
    for pattern in (r"SIGINT", r"@@stopped", r"CPU#1"):
        if not re.search(pattern, text):
            raise Failure("missing %r in:\n%s" % (pattern, text))


class Wire:
    """The protocol by hand, for what no gdb would send."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60 * PATIENCE)
        self.socket.connect(path)
        self.text = b""

    def send(self, packet):
        data = b""
        for byte in packet:
            data += bytes([0x7d, byte ^ 0x20]) if byte in b"#$}*" else bytes([byte])
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))
        # As every debugger does: what is not read is lost in the end.
        while select.select([self.socket], [], [], 0)[0]:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise Failure("the emulator closed the connection")
            self.text = (self.text + piece)[-4096:]

    def catch_up(self):
        """Asks for the current thread and reads up to the answer."""
        self.text = b""
        self.send(b"qC")
        while not re.search(rb"\$QC[12]#", self.text):
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise Failure("the emulator closed the connection")
            self.text = (self.text + piece)[-4096:]


@gdb_test("-no-shutdown")  # a guest with strange registers may well power off
def hostile_packets(debuggee, path):
    # Everything a debugger may say, with addresses, numbers and values that mean little, on a machine that runs in between.
    random = Random(20261122)
    wire = Wire(path)
    wire.send(b"QStartNoAckMode")
    registers = list(range(66)) + [65 + n for n in (0x001, 0x002, 0x003, 0x100, 0x104, 0x105, 0x141, 0x144, 0x180, 0x300, 0x301,
                                                    0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x320, 0x341, 0x344, 0x3a0,
                                                    0x3a2, 0x3b0, 0x3bf, 0x14d, 0xb00, 0xb02, 0x7a0, 0xc00, 0xf14)] + [4161, 99999]
    places = [0, 0x1000, 0x80000000, 0x80000100, 0x80001000, 0x83fffffe, 0x10000000, 0x0c000000, 0x02000000, 2**64 - 1]

    def place():
        return (random.choice(places) + random.choice((0, 1, 2, 4094, random.getrandbits(12)))) & (2**64 - 1)

    def value():
        number = random.choice((0, 1, 2**64 - 1, 1 << random.randrange(64), random.getrandbits(64)))
        return number.to_bytes(8, "little").hex()
    for _ in range(4000):
        kind = random.randrange(14)
        if kind < 3:
            wire.send(b"P%x=%s" % (random.choice(registers), value().encode()))
        elif kind < 4:
            wire.send(b"p%x" % random.choice(registers))
        elif kind < 5:
            wire.send(b"m%x,%x" % (place(), random.choice((0, 1, 8, 100, 5000))))
        elif kind < 7:
            wire.send(b"M%x,8:%s" % (place(), value().encode()))
        elif kind < 9:
            wire.send(b"%s%d,%x,%x" % (random.choice((b"Z", b"Z", b"z")), random.randrange(6), place(),
                                       random.choice((0, 1, 2, 4, 8, 4096))))
        elif kind < 10:
            wire.send(b"H%s%x" % (random.choice((b"g", b"c")), random.randrange(4)))
        elif kind < 11:
            wire.send(random.choice((b"g", b"G" + value().encode(), b"?", b"qqemu.PhyMemMode", b"Qqemu.PhyMemMode:1",
                                     b"Qqemu.PhyMemMode:0", b"Qqemu.sstep=%x" % random.randrange(8), b"qThreadExtraInfo,1")))
        elif kind < 12:
            wire.send(b"qRcmd," + random.choice((b"info mem", b"info tlb", b"info registers -a", b"x/9i $pc", b"system_reset",
                                                 b"xp/4xg 0x0c000000")).hex().encode())
        else:
            wire.send(random.choice((b"c", b"s", b"vCont;s:1;c", b"vCont;c", b"vCont;s:2", b"C05", b"s80000000")))
            if random.randrange(2):
                time.sleep(random.random() * 0.003)
            wire.socket.sendall(b"\x03")
        if random.randrange(32) == 0:
            wire.catch_up()
    wire.catch_up()
    wire.socket.close()
    # A new debugger finds a machine that works.
    check(debuggee, path, [("monitor info status", "VM status: paused"), ("monitor info cpus", "CPU #1"),
                           ("monitor system_reset", ""), ("monitor info registers", r"pc +0000000000001000"), ("kill", "")])


@gdb_test("-smp", "1", "-icount", "shift=3")
def counted_instructions(debuggee, path):
    breakpoints(debuggee, path)


@gdb_test("-accel", "tiered,fusion=off")
def watchpoints_on_the_reference(debuggee, path):
    watchpoints(debuggee, path)


def main():
    program, debuggee, names = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3:]
    if shutil.which("gdb-multiarch") is None:
        print("skipped: gdb-multiarch is not installed (Debian package gdb-multiarch)\n0 passed, 0 failed")
        return 0
    passed = failed = 0
    for function, options in TESTS:
        if names and function.__name__ not in names:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="pagoda-gdb-") as folder:
            process = None
            word = "ok"
            try:
                process, path = start(program, debuggee, folder, options)
                function(debuggee, path)
            except (Failure, OSError) as e:
                word = "FAILED: %s" % e
                time.sleep(1)  # where it is ending
                if process is not None and process.poll() is not None:
                    word += " (status %d: %s)" % (process.returncode, process.stdout.read())
            except subprocess.TimeoutExpired as e:
                word = "FAILED: time limit; gdb printed:\n%s" % (e.stdout or b"").decode(errors="replace")
            finally:
                if process is not None:
                    if process.poll() is None:
                        process.terminate()
                    try:
                        output = process.communicate(timeout=20)[0] if not process.stdout.closed else ""
                    except subprocess.TimeoutExpired:
                        process.kill()
                        output = process.communicate()[0] + "(it did not end by itself)"
                        word = "FAILED: hang at the end" if word == "ok" else word
                    # -SIGTERM: it was ending already, its handlers gone (a sanitizer's leak check takes its time).
                    if process.returncode not in (0, 128 + signal.SIGTERM, -signal.SIGTERM) and word == "ok":
                        word = "FAILED: the emulator ended with status %s: %s" % (process.returncode, output)
        passed, failed = (passed + 1, failed) if word == "ok" else (passed, failed + 1)
        print("  gdb %-32s %5.1f s  %s" % (function.__name__, time.monotonic() - began, word), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
