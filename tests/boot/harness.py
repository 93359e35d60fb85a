# SPDX-License-Identifier: MIT
"""What the boot tests share: the registry, the guest's files, checks with one-line messages."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(ROOT, "scripts/guest"))
import console  # noqa: E402  (the path has to be known first)

GUEST = os.path.join(ROOT, "build/guest/riscv64")
TESTS = []
# Images without which tests are skipped: packages that not every archive has.
OPTIONAL_IMAGES = ("firmware", "debian", "installer")


class Failure(Exception):
    pass


class Skipped(Exception):
    pass


def boot_test(images=("shell",), smoke=False):
    """Registers a test function; `images` are what scripts/guest/make has to have made."""
    def register(function):
        name = function.__module__ + "." + function.__name__
        TESTS.append((name, function, images, smoke))
        return function
    return register


def check(condition, message):
    if not condition:
        raise Failure(message)


def check_equal(got, wanted, what):
    check(got == wanted, "%s is %r instead of %r" % (what, got, wanted))


def image():
    return os.path.join(GUEST, "Image")


def initrd(name="initrd.cpio"):
    return os.path.join(GUEST, name)


def machine(smp=1, memory="512M"):
    return ["riscv64", "-M", "virt", "-smp", str(smp), "-m", memory]


def linux(*more, smp=1, memory="512M", append="", files="initrd.cpio"):
    """Arguments that boot the guest's Linux with its console on the terminal."""
    if console.patience(1) > 1:
        # The kernel's watchdogs go by the clock; a slow build on a busy host is not a lockup.
        append += " watchdog_thresh=60 workqueue.watchdog_thresh=600 rcupdate.rcu_cpu_stall_timeout=300"
    return machine(smp, memory) + ["-nographic", "-kernel", image(), "-initrd", initrd(files),
                                   "-append", ("console=ttyS0 " + append).strip()] + list(more)


def boot(arguments):
    return console.Guest(arguments)


def finish(guest, wanted=0):
    """Powers the guest off by its shell and checks how the program leaves."""
    guest.send("poweroff\n")
    leave(guest, wanted)


def leave(guest, wanted=0):
    check_equal(guest.wait(), wanted, "the exit status")
    check_equal(guest.errors, "", "what stderr got")
    check(guest.terminal_is_sane(), "the terminal's settings were not restored")


def no_kernel_complaints(guest):
    for line in guest.text.splitlines():
        for word in ("BUG:", "WARNING:", "Oops", "Call Trace", "rcu: INFO", "Unable to handle"):
            check(word not in line, "the kernel printed %r" % line.strip())


def invoke(arguments, timeout=60, program=None):
    """Runs the emulator without a terminal; returns (status, stdout, stderr)."""
    try:
        done = subprocess.run([program or console.emulator()] + console.with_accelerator(arguments), stdin=subprocess.DEVNULL, text=True,
                              errors="replace", capture_output=True, timeout=console.patience(timeout))
    except subprocess.TimeoutExpired:
        raise Failure("the emulator did not end within %d s" % console.patience(timeout))
    return done.returncode, done.stdout, done.stderr


def scratch():
    """A folder that goes away with the `with` block."""
    return tempfile.TemporaryDirectory(prefix="pagoda-boot-")


def disk_file(folder, megabytes, name="disk.img"):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.truncate(megabytes << 20)
    return path


def virtio_disk(path, name="d0", options=""):
    return ["-drive", "if=none,format=raw,file=%s,id=%s%s" % (path, name, options),
            "-device", "virtio-blk-device,drive=" + name]
