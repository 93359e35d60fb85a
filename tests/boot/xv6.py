# SPDX-License-Identifier: MIT
"""xv6 boots and passes its own usertests. PAGODA_XV6 names the folder it was built in (kernel/kernel, fs.img)."""
import os
import shutil

from harness import Skipped, boot, boot_test, check, check_equal, machine, scratch


def passes_usertests(smp):
    built = os.environ.get("PAGODA_XV6")
    if not built:
        raise Skipped("PAGODA_XV6 is not set")
    with scratch() as folder:
        disk = shutil.copy(os.path.join(built, "fs.img"), folder)
        with boot(machine(smp, "128M") + [
                "-bios", "none", "-kernel", os.path.join(built, "kernel/kernel"), "-nographic",
                "-global", "virtio-mmio.force-legacy=false", "-drive", "file=%s,if=none,format=raw,id=x0" % disk,
                "-device", "virtio-blk-device,drive=x0,bus=virtio-mmio-bus.0"]) as guest:
            guest.expect("init: starting sh", 60)
            for hart in range(1, smp):
                check("hart %d starting" % hart in guest.text, "hart %d did not start" % hart)
            guest.expect(r"\$ ")
            guest.send("usertests -q\n")
            result = guest.expect(r"ALL TESTS PASSED|FAILED|SOME TESTS|panic", 3600).group(0)
            check(result == "ALL TESTS PASSED", "usertests says %r" % result)
            guest.expect(r"\$ ")
            guest.send("\x01x")
            check_equal(guest.wait(), 0, "the exit status")


@boot_test(images=())
def usertests_smp1():
    passes_usertests(1)


@boot_test(images=())
def usertests_smp3():
    passes_usertests(3)
