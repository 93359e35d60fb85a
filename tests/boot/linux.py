# SPDX-License-Identifier: MIT
"""Debian's kernel boots to a shell that works, on one to four CPUs, and ends as it should."""
import hashlib
import os
import time

from harness import (GUEST, boot, boot_test, check, check_equal, console, finish, invoke, linux,
                     no_kernel_complaints, scratch, virtio_disk)


def busybox_hash():
    with open(os.path.join(GUEST, "root/usr/bin/busybox"), "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def plain_sum(numbers):
    """Rounded at every step, which sum() of Python 3.12 and later is not."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def boots(smp, *more):
    with boot(linux(*more, smp=smp)) as guest:
        guest.expect("init: started", 300)
        guest.prompt()
        check_equal(guest.run("nproc")[1].strip(), str(smp), "nproc")
        check_equal(guest.run("echo $((6*7))")[1].strip(), "42", "6*7")
        text = guest.run("awk 'BEGIN { for (i = 1; i <= 1000; i++) s += 1 / (i * i); printf \"%.15f\\n\", s }'")[1]
        check_equal(text.strip(), "%.15f" % plain_sum(1 / (i * i) for i in range(1, 1001)), "a floating-point sum")
        # More workers than CPUs, so that the scheduler moves them; every hash has to be the host's.
        workers = 2 * smp
        text = guest.run("for i in $(seq %d); do sha256sum /bin/busybox & done; wait" % workers, 120)[1]
        check_equal(text.count(busybox_hash()), workers, "the number of right hashes")
        no_kernel_complaints(guest)
        finish(guest)


@boot_test(smoke=True)
def smp1():
    boots(1)


@boot_test()
def smp2():
    boots(2)


@boot_test()
def smp2_on_tier0():
    accel = "tiered,max-tier=0"
    # An interpreter under a sanitizer gets no further than the timer interrupts of a clock that runs with the host's.
    if console.patience(1) > 1:
        accel += ",clock-divisor=25"
    boots(2, "-accel", accel)


@boot_test()
def smp4():
    boots(4)


# More memory than the host has, most likely: it is the host's only where the guest has touched it.
@boot_test()
def much_memory():
    with boot(linux(memory="64G")) as guest:
        guest.expect("init: started", 300)
        guest.prompt()
        kilobytes = int(guest.run("awk '/^MemTotal/ { print $2 }' /proc/meminfo")[1])
        check(kilobytes > 60 << 20, "MemTotal is %d kB of 64 GiB" % kilobytes)
        finish(guest)


@boot_test()
def reboot_comes_back():
    with boot(linux(smp=2)) as guest:
        for _ in range(2):
            guest.expect("init: started", 300)
            guest.prompt()
            guest.send("reboot\n")
        guest.expect("init: started", 300)
        guest.prompt()
        finish(guest)


@boot_test()
def panic_without_reboot():
    # No init and no root disk: the kernel panics and asks for a reset at once.
    with boot(linux("-no-reboot", append="rdinit=/nothing panic=-1")) as guest:
        guest.expect("Kernel panic", 300)
        status = guest.wait()
        check(status not in (0, None), "the exit status after a panic is %s" % status)
        check_equal(len(guest.errors.strip().splitlines()), 1, "the number of lines on stderr after a panic")
        check(guest.terminal_is_sane(), "the terminal's settings were not restored")


@boot_test()
def no_terminal():
    # Everything through pipes, as a build server has it; the guest ends by itself.
    status, out, err = invoke(linux(append='guest_run="echo sum $((40+2)); /bin/poweroff"'), 300)
    check_equal(status, 0, "the exit status")
    check_equal(err, "", "what stderr got")
    check("sum 42" in out, "the guest's command did not run")


@boot_test()
def serial_to_file():
    with scratch() as folder:
        log = os.path.join(folder, "serial.log")
        arguments = linux("-display", "none", "-serial", "file:" + log, append="guest_run=/bin/poweroff")
        arguments.remove("-nographic")
        status, out, err = invoke(arguments, 300)
        check_equal((status, out, err), (0, "", ""), "(status, stdout, stderr)")
        with open(log) as f:
            check("init: started" in f.read(), "the serial line's file has no console text")


@boot_test()
def clock_and_entropy():
    with boot(linux("-object", "rng-random,filename=/dev/urandom,id=r0", "-device", "virtio-rng-device,rng=r0")) as guest:
        guest.prompt(300)
        seconds = int(guest.run("date +%s")[1])
        check(abs(seconds - time.time()) < 3600, "the guest's clock says %d" % seconds)
        check("virtio_rng" in guest.run("cat /sys/class/misc/hw_random/rng_current")[1], "the kernel does not use virtio-rng")
        first = guest.run("dd if=/dev/hwrng bs=32 count=1 2>/dev/null | sha256sum")[1]
        second = guest.run("dd if=/dev/hwrng bs=32 count=1 2>/dev/null | sha256sum")[1]
        check(first != second, "virtio-rng gave the same bytes twice")
        finish(guest)


def counters_in(guest):
    """What the guest program tests/guests/counters.cpp, on the first disk, says."""
    guest.run("dd if=/dev/vda of=/counters bs=4096 2>/dev/null; chmod +x /counters")
    text = guest.run("/counters", 120)[1]
    return {line.split()[0]: int(line.split()[1]) for line in text.split("\n") if len(line.split()) == 2}


# The kernel's perf events by SBI PMU, the built-in firmware's and a real loop's; they are exact.
@boot_test()
def performance_counters():
    folders = os.path.dirname(console.emulator()), os.path.join(console.ROOT, "build/release")
    programs = [os.path.join(folder, "tests/guests/guest_counters.elf") for folder in folders]
    program = next((p for p in programs if os.path.exists(p)), None)
    check(program, "there is no " + programs[0])
    with scratch() as folder:
        path = os.path.join(folder, "program")
        with open(program, "rb") as f, open(path, "wb") as to:
            data = f.read()
            to.write(data + bytes(-len(data) % 4096))
        for cpu, samples in ("max", 20), ("rv64", -1), ("max,sscofpmf=off", -1):
            with boot(linux("-cpu", cpu, *virtio_disk(path), smp=2)) as guest:
                guest.prompt(300)
                check("SBI PMU extension is available" in guest.run("dmesg | grep pmu")[1], "no SBI PMU with " + cpu)
                seen = counters_in(guest)
                for name in "cycles", "instructions":
                    check(2000000 <= seen.get(name, -1) < (2001000 if samples > 0 else 20000000), "%s: %s" % (cpu, seen))
                got = seen.get("samples", 0)
                check(got == -1 if samples < 0 else abs(got - samples) <= 1, "%s: %s" % (cpu, seen))
                no_kernel_complaints(guest)
                finish(guest)


# What the kernel makes of the extensions that -cpu max adds.
@boot_test()
def privileged_extensions():
    for cpu, present in ("max", True), ("max,svinval=off,svnapot=off,svpbmt=off,smstateen=off,zkr=off", False):
        with boot(linux("-cpu", cpu)) as guest:
            guest.prompt(300)
            names = guest.run("grep -m1 ^isa /proc/cpuinfo")[1].split("_")
            for name in "svinval", "svnapot", "svpbmt", "smstateen", "zkr":
                check((name in [n.strip() for n in names]) == present, "%s: %s" % (name, names))
            no_kernel_complaints(guest)
            finish(guest)


@boot_test()
def virtio_console():
    with scratch() as folder:
        out = os.path.join(folder, "console.txt")
        more = ["-chardev", "file,id=c0,path=" + out, "-device", "virtio-serial-device", "-device", "virtconsole,chardev=c0"]
        with boot(linux(*more)) as guest:
            guest.prompt(300)
            check_equal(guest.run("echo hello from hvc0 > /dev/hvc0")[0], 0, "the status of writing to hvc0")
            finish(guest)
        with open(out) as f:
            check("hello from hvc0" in f.read(), "the virtio console's file lacks what the guest wrote")


@boot_test()
def counted_instructions_repeat():
    # With -icount nothing but the guest's own instructions moves its clock, so three runs print the same to the last digit.
    texts = set()
    for _ in range(3):
        status, out, err = invoke(linux("-icount", "shift=3", append="guest_run=/bin/poweroff"), 600)
        check_equal((status, err), (0, ""), "(status, stderr)")
        check("init: started" in out, "the guest did not reach its init")
        texts.add(out)
    check_equal(len(texts), 1, "the number of different consoles in three boots")
