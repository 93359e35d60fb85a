# SPDX-License-Identifier: MIT
"""What a user can get wrong: one clear line on stderr that names it, status 1, nothing on stdout, no file changed."""
import gzip
import os
import struct

from harness import boot, boot_test, check, check_equal, image, invoke, linux, machine, scratch, virtio_disk


def rejected(arguments, *names):
    status, out, err = invoke(arguments)
    lines = err.strip().splitlines()
    check_equal(status, 1, "the exit status (stderr: %r)" % err[:200])
    check_equal(out, "", "stdout")
    check_equal(len(lines), 1, "the number of lines on stderr (%r)" % err[:300])
    for name in names:
        check(name.lower() in lines[0].lower(), "the message does not name %r: %s" % (name, lines[0]))


def write(folder, name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def kernel(path, *more):
    return machine() + ["-nographic", "-kernel", path] + list(more)


@boot_test(images=())
def kernel_missing():
    rejected(kernel("/nothing/there"), "/nothing/there")


@boot_test(images=())
def kernel_empty():
    with scratch() as folder:
        path = write(folder, "empty", b"")
        rejected(kernel(path), path)


@boot_test(images=())
def kernel_is_a_folder():
    with scratch() as folder:
        rejected(kernel(folder), folder)


@boot_test()
def kernel_truncated():
    with open(image(), "rb") as f:
        head = f.read(1 << 20)
    with scratch() as folder:
        for name, data in (("header", head[:40]), ("gzip", gzip.compress(head, 1)[:20000]),
                           ("elf", elf_file(243, 0x1000)[:100])):
            path = write(folder, name, data)
            rejected(kernel(path), path)


def elf_file(machine_number, size):
    """An ELF64 executable of one segment at 0x80200000 that is `size` bytes long."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, machine_number, 1, 0x80200000, 64, 0, 0,
                                                             64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 120, 0x80200000, 0x80200000, size, size, 0x1000)
    return header + segment + b"\x13\x00\x00\x00" * (size // 4)


@boot_test(images=())
def kernel_of_another_architecture():
    with scratch() as folder:
        arm64_image = struct.pack("<IIQQQQQQ", 0, 0, 0x80000, 1 << 20, 0, 0, 0, 0)[:56] + b"ARM\x64" + bytes(4096)
        for name, data in (("x86", elf_file(62, 4096)), ("arm64", elf_file(183, 4096)), ("arm64-image", arm64_image)):
            path = write(folder, name, data)
            rejected(kernel(path), path)


@boot_test()
def initrd_missing():
    rejected(kernel(image(), "-initrd", "/nothing/there"), "/nothing/there")


@boot_test()
def initrd_beyond_memory():
    with scratch() as folder:
        path = os.path.join(folder, "big")
        with open(path, "wb") as f:
            f.truncate(200 << 20)
        arguments = machine(memory="128M") + ["-nographic", "-kernel", image(), "-initrd", path]
        rejected(arguments, path)


@boot_test()
def disk_missing():
    rejected(linux(*virtio_disk("/nothing/there")), "/nothing/there")


@boot_test(images=())
def disk_of_no_device_missing():
    rejected(machine() + ["-nographic", "-drive", "if=none,format=raw,id=d0,file=/nothing/there"], "/nothing/there")


@boot_test()
def disk_unreadable():
    with scratch() as folder:
        rejected(linux(*virtio_disk(folder)), folder)
        path = write(folder, "secret", bytes(512))
        os.chmod(path, 0)
        if os.geteuid() != 0:
            rejected(linux(*virtio_disk(path)), path)


@boot_test()
def disk_not_whole_sectors():
    with scratch() as folder:
        path = write(folder, "odd", bytes(513))
        rejected(linux(*virtio_disk(path)), path)


@boot_test()
def disk_used_twice():
    with scratch() as folder:
        path = write(folder, "disk", bytes(1 << 20))
        with boot(linux(*virtio_disk(path))) as guest:
            guest.expect("Linux version", 60)
            rejected(linux(*virtio_disk(path)), path)
            guest.signal(15)
            guest.wait()
        with open(path, "rb") as f:
            check(f.read() == bytes(1 << 20), "the disk changed")


@boot_test(images=())
def disk_without_device():
    rejected(kernel("/dev/null", "-device", "virtio-blk-device,drive=nope"), "nope")


VALUES = {
    "memory_zero": (["-m", "0"], "-m"), "memory_word": (["-m", "lots"], "lots"), "memory_negative": (["-m", "-5"], "-m"),
    "memory_too_much": (["-m", "100000000G"], "-m"), "memory_too_little": (["-m", "16M"], "-m"), "smp_zero": (["-smp", "0"], "-smp"), "smp_word": (["-smp", "many"], "many"),
    "smp_too_many": (["-smp", "100000"], "100000"), "cpu": (["-cpu", "z80"], "z80"), "cpu_feature": (["-cpu", "rv64,nope=on"], "nope"),
    "cpu_unimplemented": (["-cpu", "rv64,v=on"], "v"), "machine": (["-M", "toaster"], "toaster"),
    "device": (["-device", "toaster"], "toaster"), "device_property": (["-device", "virtio-rng-device,nope=1"], "nope"),
    "accelerator": (["-accel", "kvm"], "kvm"), "object": (["-object", "toaster,id=a"], "toaster"),
    "serial": (["-serial", "toaster:"], "toaster"), "chardev": (["-chardev", "toaster,id=c"], "toaster"),
    "drive_interface": (["-drive", "if=toaster,file=/dev/null"], "toaster"),
    "drive_format": (["-drive", "if=virtio,format=toaster,file=/dev/null"], "toaster"),
    "icount": (["-icount", "shift=toaster"], "toaster"), "display": (["-display", "toaster"], "toaster"),
    "unknown_option": (["-kernal", "x"], "-kernel"), "argument_missing": (["-kernel"], "-kernel"),
    "firmware_missing": (["-bios", "/nothing/there"], "/nothing/there"), "dtb_missing": (["-dtb", "/nothing/there"], "/nothing/there"),
    "log_category": (["-d", "toaster"], "toaster"), "log_file": (["-D", "/nothing/there/log"], "/nothing/there"),
}


@boot_test()
def option_values():
    wrong = []
    for name, (arguments, word) in sorted(VALUES.items()):
        try:
            rejected(["riscv64", "-M", "virt", "-nographic"] + ([] if name == "argument_missing" else ["-kernel", image()])
                     + arguments, word)
        except Exception as e:  # every row is looked at, so that one message names all that are wrong
            wrong.append("%s: %s" % (name, e))
    check(not wrong, "; ".join(wrong))


@boot_test(images=())
def guest_unknown():
    rejected(["toaster"], "toaster")
