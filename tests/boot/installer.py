# SPDX-License-Identifier: MIT
"""Debian's installer, its own kernel and initrd, gets to its first screen."""
import glob
import os

from harness import GUEST, Skipped, boot, boot_test, check, machine, no_kernel_complaints


@boot_test(images=("shell", "installer"))
def reaches_its_first_screen():
    files = glob.glob(os.path.join(GUEST, "installer/usr/lib/debian-installer/images/*/riscv64/text/debian-installer/riscv64"))
    if not files:
        raise Skipped("Debian's package has no text installer")
    arguments = machine(smp=2, memory="1G") + [
        "-nographic", "-kernel", os.path.join(files[0], "linux"), "-initrd", os.path.join(files[0], "initrd.gz"),
        "-append", "console=ttyS0", "-device", "virtio-rng-device", "-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0"]
    with boot(arguments) as guest:
        # The list of languages is drawn last.
        guest.expect(r"(?s)Select a language.*English", 600)
        no_kernel_complaints(guest)
        # A key moves the choice: the screen is alive, and input gets there.
        guest.send("\x1b[B")
        guest.expect(r"\S", 60)
        check(guest.process.poll() is None, "the emulator ended")
