# SPDX-License-Identifier: MIT
"""Debian's own firmware starts the kernel: OpenSBI, U-Boot from a FAT disk, EDK2 in flash with GRUB from a GPT disk."""
import os
import shutil

import fat_disk
from harness import (GUEST, Skipped, boot, boot_test, check, check_equal, finish, image, initrd, leave, linux, machine,
                     no_kernel_complaints, scratch, virtio_disk)

OPENSBI = "usr/lib/riscv64-linux-gnu/opensbi/generic/"
U_BOOT = "usr/lib/u-boot/"
EDK2 = "usr/share/qemu-efi-riscv64/"
GRUB = "usr/lib/grub/riscv64-efi/monolithic/grubriscv64.efi"


def debian_file(name):
    path = os.path.join(GUEST, "firmware", name)
    if not os.path.exists(path):
        raise Skipped("Debian's packages have no " + name)
    return path


def read(path):
    with open(path, "rb") as f:
        return f.read()


def opensbi_boots(firmware, smp):
    with boot(linux("-bios", debian_file(OPENSBI + firmware), smp=smp)) as guest:
        guest.expect(r"OpenSBI v\d", 60)
        guest.expect("init: started", 300)
        guest.prompt()
        check_equal(guest.run("nproc")[1].strip(), str(smp), "nproc")
        no_kernel_complaints(guest)
        finish(guest)


@boot_test(images=("shell", "firmware"))
def opensbi_jump_smp1():
    opensbi_boots("fw_jump.bin", 1)


@boot_test(images=("shell", "firmware"))
def opensbi_dynamic_smp4():
    opensbi_boots("fw_dynamic.bin", 4)


@boot_test(images=("shell", "firmware"))
def opensbi_elf():
    # Debian links these at 0: they are moved to the start of RAM.
    opensbi_boots("fw_dynamic.elf", 2)


def boot_disk(folder, marker):
    """A GPT disk that U-Boot and GRUB find their way on; the kernel's command line carries the marker."""
    words = "console=ttyS0 booted_by=" + marker
    return fat_disk.make(os.path.join(folder, "boot.img"), 128, {
        "Image": read(image()),
        "initrd.cpio": read(initrd()),
        "extlinux/extlinux.conf": ("default linux\nlabel linux\n kernel /Image\n initrd /initrd.cpio\n append %s\n"
                                   % words).encode(),
        "EFI/BOOT/BOOTRISCV64.EFI": read(debian_file(GRUB)),
        "EFI/debian/grub.cfg": ("set timeout=0\nlinux /Image %s\ninitrd /initrd.cpio\nboot\n" % words).encode(),
    }, gpt=True)


def reaches_shell(guest, marker):
    guest.expect("init: started", 300)
    guest.prompt()
    check("booted_by=" + marker in guest.run("cat /proc/cmdline")[1], "the kernel was not started by " + marker)
    # The disk the kernel came from is there for the guest, too.
    check_equal(guest.run("mount -t vfat -o ro /dev/vda1 /mnt && cmp /mnt/initrd.cpio /mnt/initrd.cpio")[0], 0,
                "the status of mounting the boot disk")
    no_kernel_complaints(guest)
    finish(guest)


@boot_test(images=("shell", "firmware"))
def opensbi_and_u_boot_from_fat():
    with scratch() as folder:
        disk = boot_disk(folder, "u-boot")
        with boot(machine(2, "1G") + ["-nographic", "-bios", debian_file(OPENSBI + "fw_dynamic.bin"), "-kernel",
                                      debian_file(U_BOOT + "qemu-riscv64_smode/uboot.elf")] + virtio_disk(disk)) as guest:
            guest.expect(r"OpenSBI v\d", 60)
            guest.expect("U-Boot 20", 60)
            guest.expect("Flash: 32 MiB", 60)  # it found the flash by its query table
            guest.expect("Retrieving file: /Image", 120)
            reaches_shell(guest, "u-boot")


@boot_test(images=("firmware",))
def u_boot_in_machine_mode():
    with boot(machine() + ["-nographic", "-bios", debian_file(U_BOOT + "qemu-riscv64/u-boot.bin")]) as guest:
        guest.expect("Hit any key", 60)
        guest.send("\n")
        guest.expect("=> ", 60)
        # Erases a sector of bank 1 and programs it, by the driver's buffered writes.
        guest.send("protect off all; erase 0x22000000 +40000; mw.l 0x84000000 0x12345678 0x1000\n")
        guest.expect(r"Erased \d sectors", 60)
        guest.send("cp.b 0x84000000 0x22000000 0x4000; cmp.b 0x84000000 0x22000000 0x4000\n")
        guest.expect(r"Total of 16384 byte\(s\) were the same", 60)
        guest.send("poweroff\n")
        leave(guest)


def edk2(variables, *more, smp=2):
    return machine(smp, "1G") + ["-nographic",
                                 "-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + debian_file(EDK2 + "RISCV_VIRT_CODE.fd"),
                                 "-drive", "if=pflash,format=raw,unit=1,file=" + variables] + list(more)


@boot_test(images=("shell", "firmware"))
def edk2_and_grub_from_gpt():
    with scratch() as folder:
        disk = boot_disk(folder, "grub")
        blank = debian_file(EDK2 + "RISCV_VIRT_VARS.fd")
        variables = os.path.join(folder, "vars.fd")
        shutil.copyfile(blank, variables)
        drive = ["-drive", "if=none,format=raw,id=d0,file=" + disk, "-device"]
        for smp, more in ((4, virtio_disk(disk)), (1, drive + ["virtio-blk-device,drive=d0,bootindex=0"]),
                          (2, drive + ["virtio-blk-pci,drive=d0,bootindex=0"])):
            with boot(edk2(variables, *more, smp=smp)) as guest:
                guest.expect("EDK2 firmware version", 60)
                reaches_shell(guest, "grub")
            # The second boot starts from the variables that the first one kept.
            check(read(variables) != read(blank), "the firmware's variables were not kept")


@boot_test(images=("shell", "firmware"))
def edk2_and_kernel_by_fw_cfg():
    with scratch() as folder:
        variables = os.path.join(folder, "vars.fd")
        shutil.copyfile(debian_file(EDK2 + "RISCV_VIRT_VARS.fd"), variables)
        note = os.path.join(folder, "note")
        with open(note, "wb") as f:
            f.write(b"from the host\n" * 1000)
        with boot(edk2(variables, "-kernel", image(), "-initrd", initrd(), "-append", "console=ttyS0 booted_by=fw_cfg",
                       "-fw_cfg", "name=opt/note,file=" + note, "-fw_cfg", "name=opt/word,string=hello")) as guest:
            guest.expect("init: started", 300)
            guest.prompt()
            check("booted_by=fw_cfg" in guest.run("cat /proc/cmdline")[1], "the command line was not passed on")
            guest.run("modprobe qemu_fw_cfg")
            items = "/sys/firmware/qemu_fw_cfg/by_name/opt/"
            check_equal(guest.run("cat %sword/raw" % items)[1].strip(), "hello", "the item opt/word")
            check_equal(guest.run("grep -c '^from the host$' %snote/raw" % items)[1].strip(), "1000", "lines of opt/note")
            finish(guest)
