#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Options that only a whole run shows: semihosting, -pidfile, -stats-json, -daemonize, dumpdtb, -no-shutdown, -rtc, sockets, -monitor.

Usage: options_test.py PROGRAM SEMIHOSTING_GUEST ENDLESS_GUEST"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PROGRAM, SEMIHOSTING, ENDLESS = (os.path.abspath(a) for a in sys.argv[1:])
PATIENCE = float(os.environ.get("PAGODA_PATIENCE", "1"))
QUIET = ["-display", "none", "-serial", "null", "-monitor", "none"]
TESTS = []


class Failure(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def check_equal(got, wanted, what):
    if got != wanted:
        raise Failure("%s is %r instead of %r" % (what, got, wanted))


def arguments(kernel, *more):
    return [PROGRAM, "riscv64", "-M", "virt", "-m", "64M", "-bios", "none", "-kernel", kernel] + list(more)


def run(*args, **more):
    done = subprocess.run(arguments(*args), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60 * PATIENCE, **more)
    return done.returncode, done.stdout, done.stderr


def wait_until(condition, what):
    limit = time.monotonic() + 30 * PATIENCE
    while not condition():
        if time.monotonic() > limit:
            raise Failure("waited in vain for " + what)
        time.sleep(0.02)


class Monitor:
    """A monitor on a Unix socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30 * PATIENCE)
        wait_until(lambda: self.socket.connect_ex(path) == 0, "the monitor's socket")
        self.read()

    def read(self):
        text = b""
        while not text.endswith(b"(pagoda) "):
            piece = self.socket.recv(65536)
            if not piece:
                raise Failure("the monitor went away after %r" % text)
            text += piece
        return text.decode().replace("\r\n", "\n")[:-len("(pagoda) ")]

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\n")
        return self.read().split("\n", 1)[1]


def running(folder, kernel, *more):
    path = os.path.join(folder, "monitor")
    process = subprocess.Popen(arguments(kernel, "-display", "none", "-serial", "null", "-monitor",
                                         "unix:%s,server=on,wait=off" % path, *more),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process, path


@test
def semihosting(folder):
    work = os.path.join(folder, "work")
    os.makedirs(os.path.join(work, "folder"))
    for name, text in (("work/input.txt", "some words"), ("secret", "secret")):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    os.symlink("../secret", os.path.join(work, "link"))
    os.mkfifo(os.path.join(work, "pipe"))
    status, out, err = run(SEMIHOSTING, *QUIET, "-semihosting-config", "enable=on,arg=one,arg=two", "-rtc",
                           "base=2026-01-02T03:04:05", cwd=work)
    wanted = """hello
!
is tty 1
to the console
left 0
command line 0
one two
its length 7
length 10
left 0
seek 0
left 96
some wordsords
is tty 0
close 0
close again -1
left 0
../secret -1
/etc/passwd -1
link -1
folder/../../secret -1
pipe -1
missing -1
errno 2
bad pointer -1
bad handle -1
unknown -1
heap 33554432
time 17673
ticks 1000000000
clock is small 1
trap 3
pagoda: the guest ended with status 42
"""
    check_equal((status, out), (42, ""), "(status, stdout)")
    check_equal(re.sub(r"^(time 17673)\d+$", r"\1", err, flags=re.M), wanted, "the guest's text")
    with open(os.path.join(work, "output.txt")) as f:
        check_equal(f.read(), "from the guest", "the file")


@test
def semihosting_is_off(folder):
    # Without it the first call is an exception, which the guest's handler answers with another one: it never ends.
    process = subprocess.Popen(arguments(SEMIHOSTING, *QUIET), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    time.sleep(0.5)
    ended = process.poll()
    process.terminate()
    check_equal((ended, process.communicate(timeout=20 * PATIENCE)[0].startswith(b"hello")), (None, False), "(status, printed)")


@test
def dump_device_tree(folder):
    path = os.path.join(folder, "tree.dtb")
    status, out, err = run(ENDLESS, *QUIET, "-M", "virt,dumpdtb=" + path)
    check_equal((status, out, err), (0, "", ""), "(status, stdout, stderr)")
    with open(path, "rb") as f:
        check_equal(f.read(4), b"\xd0\x0d\xfe\xed", "the magic number")
    status, out, err = run(ENDLESS, *QUIET, "-M", "virt,dumpdtb=/nonexistent/x")
    check_equal((status, err), (1, "pagoda: -machine dumpdtb: /nonexistent/x: No such file or directory\n"), "(status, stderr)")


@test
def pidfile(folder):
    path = os.path.join(folder, "pid")
    process, monitor = running(folder, ENDLESS, "-pidfile", path)
    Monitor(monitor)
    with open(path) as f:
        check_equal(int(f.read()), process.pid, "the process id")
    process.terminate()
    process.communicate(timeout=20 * PATIENCE)
    check_equal(os.path.exists(path), False, "the file's existence at the end")


@test
def statistics(folder):
    path = os.path.join(folder, "stats.json")
    tiers = {}
    for accel in ("tiered,force-tier=1", "tiered,max-tier=0"):
        run(SEMIHOSTING, *QUIET, "-semihosting", "-accel", accel, "-stats-json", path, cwd=folder)
        with open(path) as f:
            stats = json.load(f)
        vcpu = stats["vcpus"][0]
        tiers[accel] = vcpu["instructions_by_tier"]
        check_equal(sum(vcpu["instructions_by_tier"].values()), vcpu["instructions"], "instructions by tier, together")
        check_equal(stats["translation"]["blocks"] >= stats["cache"]["made"] > 0, True, "that blocks are counted")
    check_equal(tiers["tiered,max-tier=0"]["lightweight"], 0, "instructions on tier 1 without it")
    check_equal(tiers["tiered,force-tier=1"]["lightweight"] > 100, True, "that tier 1 ran")
    status, _, err = run(ENDLESS, *QUIET, "-stats-json", "/nonexistent/x")
    check_equal((status, err), (1, "pagoda: -stats-json /nonexistent/x: No such file or directory\n"), "(status, stderr)")


@test
def daemonize(folder):
    path, monitor = os.path.join(folder, "pid"), os.path.join(folder, "monitor")
    command = arguments(ENDLESS, "-display", "none", "-serial", "null", "-monitor", "unix:%s,server=on,wait=off" % monitor,
                        "-pidfile", path, "-daemonize")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * PATIENCE)
    check_equal((done.returncode, done.stdout, done.stderr), (0, "", ""), "(status, stdout, stderr)")
    with open(path) as f:
        pid = int(f.read())
    try:
        check_equal(Monitor(monitor).ask("info status"), "VM status: running\n", "the status")
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(path), "its end")
    command[command.index(ENDLESS)] = "/nonexistent"
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * PATIENCE)
    check_equal((done.returncode, done.stderr), (1, "pagoda: -kernel /nonexistent: could not open kernel: No such file or directory\n"),
                "(status, stderr) of a failure")


@test
def monitor_commands(folder):
    process, path = running(folder, ENDLESS, "-S", "-smp", "2")
    try:
        monitor = Monitor(path)
        check_equal(monitor.ask("info status"), "VM status: paused\n", "the status")
        if not re.search(r"0x00001000: +\w+ +auipc t0", monitor.ask("x/2i $pc")):
            raise Failure("no instruction at the reset vector")
        for command, pattern in (("info registers", r"CPU#0\n pc +0000000000001000"), ("info registers 1", "CPU#1"),
                                 ("info mem", "No translation"), ("info mtree", "i/o: serial0"), ("info tlb", "TLB|vaddr"),
                                 ("info qtree", r"dev: plic\n    mmio 000000000c000000"), ("info block", "no disks"),
                                 ("info chardev", r"serial0: filename=null"), ("info cpus", r"\* CPU #0"),
                                 ("info network", "no networks"), ("info jit", "units"), ("info version", "Pagoda"), ("x 0x123", "Cannot access"),
                                 ("xp/1xw 0x10000005", "0x00000060"), ("system_powerdown", "power button")):
            text = monitor.ask(command)
            if not re.search(pattern, text):
                raise Failure("%r printed %r, without %r" % (command, text, pattern))
        monitor.ask("cont")
        check_equal(monitor.ask("info status"), "VM status: running\n", "the status")
        time.sleep(0.2)
        monitor.ask("stop")
        first = monitor.ask("info registers 1")
        check_equal(monitor.ask("info registers 1") == first, True, "that registers stand still")
        monitor.ask("system_reset")
        if "0000000000001000" not in monitor.ask("info registers"):
            raise Failure("the reset did not reset")
        monitor.socket.sendall(b"quit\n")
        check_equal(process.wait(timeout=30 * PATIENCE), 0, "the status")
    finally:
        process.kill()
        process.communicate()


@test
def monitor_networks(folder):
    process, path = running(folder, ENDLESS, "-S", "-name", "box", "-netdev", "user,id=n0,hostfwd=tcp::0-:22", "-netdev",
                            "user,id=n1,net=192.168.5.0/24,restrict=yes", "-device", "virtio-net-device,netdev=n0", "-device",
                            "virtio-net,id=card,mac=52:54:00:aa:bb:0c", "-device", "virtio-net-pci")
    try:
        monitor = Monitor(path)
        check_equal(monitor.ask("info name"), "box\n", "the name")
        check_equal(monitor.ask("info network"),
                    "virtio-net-device.0: index=0,type=nic,model=virtio-net-device,macaddr=52:54:00:12:34:56\n"
                    " \\ n0: index=0,type=user,net=10.0.2.0,restrict=off\n"
                    "card: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:aa:bb:0c\n"
                    "virtio-net-pci.1: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:58\n"
                    "n1: index=0,type=user,net=192.168.5.0,restrict=on\n", "the networks")
    finally:
        process.kill()
        process.communicate()


@test
def no_shutdown(folder):
    # lui t0, 0x100; lui t1, 5; addi t1, t1, 0x555; sw t1, 0(t0); j .
    firmware = os.path.join(folder, "poweroff.bin")
    with open(firmware, "wb") as f:
        f.write(struct.pack("<5I", 0x001002b7, 0x00005337, 0x55530313, 0x0062a023, 0x0000006f))
    path = os.path.join(folder, "monitor")
    command = [PROGRAM, "riscv64", "-bios", firmware, "-display", "none", "-serial", "null", "-monitor",
               "unix:%s,server=on,wait=off" % path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=30 * PATIENCE)
    check_equal(done.returncode, 0, "the status of a guest that powers off")
    process = subprocess.Popen(command + ["-no-shutdown"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        monitor = Monitor(path)
        wait_until(lambda: monitor.ask("info status") == "VM status: paused\n", "the stop")
        monitor.ask("cont")
        check_equal(monitor.ask("info status"), "VM status: paused\n", "the status after cont")
        monitor.ask("system_reset")
        monitor.ask("cont")
        wait_until(lambda: monitor.ask("info status") == "VM status: paused\n", "the second stop")
        monitor.socket.sendall(b"quit\n")
        check_equal(process.wait(timeout=30 * PATIENCE), 0, "the status")
    finally:
        process.kill()
        process.communicate()


@test
def tcp_monitor(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(arguments(ENDLESS, "-display", "none", "-serial", "null", "-chardev",
                                         "socket,id=m,port=%d,server=on,wait=off" % port, "-mon", "chardev=m,mode=readline"),
                               stdin=subprocess.DEVNULL)
    try:
        def connect():
            try:
                connect.socket = socket.create_connection(("127.0.0.1", port), 5)
                return True
            except OSError:
                return False
        wait_until(connect, "the TCP socket")
        connect.socket.settimeout(30 * PATIENCE)
        text = b""
        while b"(pagoda) " not in text:
            text += connect.socket.recv(4096)
        connect.socket.sendall(b"quit\n")
        check_equal(process.wait(timeout=30 * PATIENCE), 0, "the status")
    finally:
        process.kill()
        process.wait()


def main():
    failed = 0
    for function in TESTS:
        with tempfile.TemporaryDirectory(prefix="pagoda-options-") as folder:
            try:
                function(folder)
                word = "ok"
            except (Failure, subprocess.TimeoutExpired, OSError) as e:
                word = "FAILED: %s: %s" % (type(e).__name__, e)
                failed += 1
        print("  options %-24s %s" % (function.__name__, word), flush=True)
    print("%d passed, %d failed" % (len(TESTS) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
