#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The standard-stream console on a real terminal and on pipes: raw mode and its end on every way out, Ctrl-A commands,
signals, suspension, output that must not be lost. Usage: terminal_test.py PROBE"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
import unittest

PROBE = sys.argv[1]
WAIT = 120  # seconds; only reached when something is wrong


class Terminal:
    """The probe as the foreground program of a fresh terminal, as a shell would start it."""

    def __init__(self, *options):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.output = b""
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.close(self.master)
            # Opening it makes it the controlling terminal of the new session.
            fd = os.open(os.ttyname(self.slave), os.O_RDWR)
            for n in (0, 1, 2):
                os.dup2(fd, n)
            # The session leader stays in front as a shell does, the probe has a process group of its own.
            job = os.fork()
            if job == 0:
                os.setpgid(0, 0)
                signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                os.tcsetpgrp(0, os.getpid())
                # What the tests were started under (nohup, a background job) may ignore signals that the probe has to see.
                for number in (signal.SIGTTOU, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_DFL)
                os.execv(PROBE, ["pagoda", "riscv64", *options])
            self.shell_report(job)
        self.pid = pid
        self.job = int(self.read_until(b"\n", "job ").split()[-1])

    @staticmethod
    def shell_report(job):
        """The 'shell': says the job's pid, waits for its end and passes the status on."""
        os.write(1, b"job %d\n" % job)
        _, status = os.waitpid(job, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)

    def read_until(self, wanted, after=""):
        deadline = time.monotonic() + WAIT
        start = len(after)
        while self.output.find(wanted, start) < 0:
            start = max(start, len(self.output) - len(wanted))
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {wanted!r} in {self.output!r}")
            try:
                self.output += os.read(self.master, 65536)
            except OSError:
                raise AssertionError(f"ended without {wanted!r}: {self.output!r}")
        end = self.output.index(wanted, start) + len(wanted)
        text, self.output = self.output[:end], self.output[end:]
        return text.decode(errors="replace")

    def type(self, data):
        os.write(self.master, data)

    def settings(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.settings()[3] & (termios.ICANON | termios.ECHO)

    def wait_raw(self, wanted):
        deadline = time.monotonic() + WAIT
        while self.is_raw() != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f"raw mode did not become {wanted}")
            time.sleep(0.005)

    def wait_state(self, wanted):
        """Waits until the job's state letter in /proc is one of `wanted`."""
        deadline = time.monotonic() + WAIT
        while True:
            with open(f"/proc/{self.job}/stat") as stat:
                state = stat.read().rpartition(")")[2].split()[0]
            if state in wanted:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"state {state}, wanted {wanted}")
            time.sleep(0.005)

    def end(self):
        """Exit status of the job (negative signal numbers as 256 - N)."""
        deadline = time.monotonic() + WAIT
        while True:
            ready, _, _ = select.select([self.master], [], [], 0.01)
            if ready:
                try:
                    self.output += os.read(self.master, 65536)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                os.kill(self.job, signal.SIGKILL)
                raise AssertionError(f"does not end: {self.output!r}")

    def close(self):
        os.close(self.master)
        os.close(self.slave)


def wait_until_caught(pid, number):
    """Waits until a process has a handler for a signal: on a slow host it may not have got that far."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        with open(f"/proc/{pid}/status") as status:
            caught = int(re.search(r"^SigCgt:\s*(\w+)$", status.read(), re.M)[1], 16)
        if caught >> (number - 1) & 1:
            return
        time.sleep(0.005)
    raise AssertionError(f"signal {number} is not caught")


class OnATerminal(unittest.TestCase):
    def start(self, *options):
        terminal = Terminal(*options)
        self.addCleanup(terminal.close)
        terminal.wait_raw(True)
        terminal.type(b"\x07")
        terminal.read_until(b"ready\r\n")
        return terminal

    def check_restored(self, terminal):
        self.assertEqual(terminal.settings(), terminal.before)

    def test_keys_reach_the_guest(self):
        terminal = self.start("-nographic")
        terminal.type(b"abc\r\x03\x1a\x11\x13\x1c\x16\x04")
        terminal.read_until(b"ABC\r\x03\x1a\x11\x13\x1c\x16\x04")
        terminal.type(b"\x01x")
        self.assertEqual(terminal.end(), 0)
        self.check_restored(terminal)

    def test_commands(self):
        terminal = self.start("-nographic")
        terminal.type(b"\x01h")
        terminal.read_until(b"Ctrl-A X")
        terminal.type(b"\x01b")
        terminal.read_until(b"<break>")
        terminal.type(b"\x01\x01a")
        terminal.read_until(b"\x01A")
        terminal.type(b"\x01c")
        terminal.read_until(b"(pagoda) ")
        terminal.type(b"info status\r")
        terminal.read_until(b"VM status: running")
        terminal.type(b"\x01cxyz")
        terminal.read_until(b"XYZ")
        terminal.type(b"\x01cquit\r")
        self.assertEqual(terminal.end(), 0)
        self.check_restored(terminal)

    def test_power_off(self):
        terminal = self.start("-nographic")
        terminal.type(b"\x10")
        self.assertEqual(terminal.end(), 0)
        self.check_restored(terminal)

    def test_signals_end_it_in_order(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            terminal = self.start("-nographic")
            os.kill(terminal.job, number)
            terminal.read_until(b"pagoda: terminating on signal %d from a process\r\n" % number)
            self.assertEqual(terminal.end(), 128 + number)
            self.check_restored(terminal)

    def test_ctrl_c_ends_plain_stdio(self):
        terminal = self.start("-serial", "stdio")
        terminal.type(b"\x03")
        terminal.read_until(b"pagoda: terminating on signal 2\r\n")
        self.assertEqual(terminal.end(), 130)
        self.check_restored(terminal)

    def test_crash(self):
        terminal = self.start("-nographic")
        terminal.type(b"\x06")
        self.assertEqual(terminal.end(), 256 - signal.SIGABRT)
        self.check_restored(terminal)

    def test_suspend_and_continue(self):
        terminal = self.start("-nographic")
        for _ in range(2):
            os.kill(terminal.job, signal.SIGTSTP)
            terminal.wait_state("T")
            self.check_restored(terminal)
            os.kill(terminal.job, signal.SIGCONT)
            terminal.wait_raw(True)
            terminal.type(b"again\x07")
            terminal.read_until(b"AGAINready\r\n")
        # A stop that cannot be caught leaves the terminal raw; going on makes it raw again whatever was done meanwhile.
        os.kill(terminal.job, signal.SIGSTOP)
        terminal.wait_state("T")
        termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.before)
        os.kill(terminal.job, signal.SIGCONT)
        terminal.wait_raw(True)
        terminal.type(b"\x01x")
        self.assertEqual(terminal.end(), 0)
        self.check_restored(terminal)

    def test_nothing_is_lost_on_a_slow_terminal(self):
        terminal = self.start("-nographic")
        terminal.type(b"\x05")
        text = terminal.read_until(b"00199999\r\n")
        self.assertEqual([line for line in text.split("\r\n") if line], [f"{i:08}" for i in range(200000)])
        terminal.type(b"\x01x")
        self.assertEqual(terminal.end(), 0)


class OnPipes(unittest.TestCase):
    def run_probe(self, data, *options):
        done = subprocess.run([PROBE, "riscv64", *options], executable=PROBE, input=data, capture_output=True,
                              timeout=WAIT)
        return done.returncode, done.stdout, done.stderr

    def test_input_and_output(self):
        self.assertEqual(self.run_probe(b"hello\x10", "-nographic"), (0, b"HELLO", b""))
        self.assertEqual(self.run_probe(b"\x01x", "-nographic"), (0, b"", b""))
        self.assertEqual(self.run_probe(b"hello\x01y\x10", "-serial", "stdio"), (0, b"HELLO\x01Y", b""))

    def test_the_end_of_input_is_not_the_end(self):
        with subprocess.Popen([PROBE, "riscv64", "-nographic"], executable=PROBE, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as probe:
            with self.assertRaises(subprocess.TimeoutExpired):
                probe.wait(0.3)
            wait_until_caught(probe.pid, signal.SIGTERM)
            probe.send_signal(signal.SIGTERM)
            self.assertEqual(probe.wait(WAIT), 128 + signal.SIGTERM)
            self.assertEqual(probe.stderr.read(), b"pagoda: terminating on signal 15 from a process\n")

    def test_much_output_through_a_pipe(self):
        status, out, err = self.run_probe(b"\x05\x10", "-serial", "stdio")
        self.assertEqual((status, err), (0, b""))
        self.assertEqual(out, b"".join(b"%08d\n" % i for i in range(200000)))

    def test_a_reader_that_goes_away(self):
        with subprocess.Popen([PROBE, "riscv64", "-nographic"], executable=PROBE, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as probe:
            probe.stdout.close()
            probe.stdin.write(b"\x05\x10")
            probe.stdin.flush()
            self.assertEqual(probe.wait(WAIT), 0)
            self.assertEqual(probe.stderr.read(), b"pagoda: stdio: Broken pipe; output is lost\n")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=1)
