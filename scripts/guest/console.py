# SPDX-License-Identifier: MIT
"""Starts the emulator and talks to its guest over a pseudo-terminal, as a person at a terminal would."""
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
PROMPT = "/ # "


class GuestError(Exception):
    """What was expected did not come; the message is one line, `console` holds what came instead."""

    def __init__(self, message, console=""):
        super().__init__(message)
        self.console = console


def emulator():
    """The program under test; PAGODA_EMULATOR names another one."""
    return os.environ.get("PAGODA_EMULATOR") or os.path.join(ROOT, "build/release/pagoda")


def patience(seconds):
    """Time limits are only there to end a hang; PAGODA_PATIENCE multiplies them for slow builds (sanitizers)."""
    return seconds * float(os.environ.get("PAGODA_PATIENCE", "1"))


def with_accelerator(arguments):
    """PAGODA_ACCEL ("tiered,max-tier=0") is how machines run that do not say it themselves."""
    accelerator = os.environ.get("PAGODA_ACCEL")
    if not accelerator or arguments[:1] != ["riscv64"] or "-accel" in arguments:
        return list(arguments)
    return ["riscv64", "-accel", accelerator] + list(arguments[1:])


def own_terminal():
    """In the child: its standard input becomes its controlling terminal, and signals do what they do by default.

    What we were started under (nohup, a background job) may ignore some of them.
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Guest:
    """One run of the emulator. stdin and stdout are a terminal, stderr is a pipe of its own."""

    def __init__(self, arguments, program=None):
        self.arguments = [program or emulator()] + with_accelerator(arguments)
        self.master, slave = pty.openpty()
        self.slave = slave
        self.terminal_before = termios.tcgetattr(slave)
        self.text = ""
        self.errors = ""
        self.seen = 0
        try:
            # A session of its own with the pseudo-terminal as controlling terminal, as a shell's foreground job has it.
            self.process = subprocess.Popen(self.arguments, stdin=slave, stdout=slave, stderr=subprocess.PIPE,
                                            start_new_session=True, preexec_fn=own_terminal)
        except OSError as e:
            os.close(slave)
            os.close(self.master)
            raise GuestError("%s: %s" % (self.arguments[0], e.strerror))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, timeout):
        """Takes in what the program wrote; returns False when it has ended and everything was read."""
        sources = [self.master]
        if not self.process.stderr.closed:
            sources.append(self.process.stderr)
        ready, _, _ = select.select(sources, [], [], timeout)
        for source in ready:
            if source == self.master:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            else:
                data = os.read(source.fileno(), 65536)
                self.errors += data.decode(errors="replace")
                if not data:
                    source.close()
        return bool(ready) or self.process.poll() is None

    def expect(self, pattern, timeout=60):
        """Waits for a regular expression in what came since the last match; returns the match."""
        limit = time.monotonic() + patience(timeout)
        while True:
            match = re.compile(pattern).search(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            left = limit - time.monotonic()
            if left <= 0:
                raise GuestError("waited %d s for %r" % (patience(timeout), pattern), self.text)
            if not self._read(min(left, 0.5)):
                raise GuestError("the emulator ended (status %s) before %r came%s" % (
                    self.process.returncode, pattern, ": " + self.errors.strip() if self.errors else ""), self.text)

    def send(self, text):
        os.write(self.master, text.encode())

    def prompt(self, timeout=120):
        return self.expect(re.escape(PROMPT), timeout)

    def run(self, command, timeout=60):
        """Runs a shell command; returns (status, output). The quotes keep the markers from matching in the command's echo."""
        self.send("echo o''utput; " + command + "; echo s''tatus=$?.\n")
        match = self.expect(r"(?s)output\r*\n(.*?)status=(\d+)\.", timeout)
        self.prompt(timeout)
        return int(match.group(2)), match.group(1).replace("\r", "")

    def wait(self, timeout=60):
        """Waits for the program's end; returns its exit status."""
        limit = time.monotonic() + patience(timeout)
        while self._read(0.2):
            if time.monotonic() > limit:
                raise GuestError("the emulator did not end within %d s" % patience(timeout), self.text)
        return self.process.returncode

    def terminal_is_sane(self):
        return termios.tcgetattr(self.slave)[:4] == self.terminal_before[:4]

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        if self.process.poll() is None:
            # The session holds whatever a wrapper script started, too.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)


def tail(text, lines=12):
    return "\n".join("    | " + l for l in text.replace("\r", "").splitlines()[-lines:])
