# SPDX-License-Identifier: MIT
"""A virtio disk keeps what the guest writes: ext4 is made, filled, unmounted, and clean for the host's e2fsck."""
import hashlib
import os
import shutil
import subprocess

from harness import Skipped, boot, boot_test, check, check_equal, disk_file, finish, invoke, linux, scratch, virtio_disk


def tool(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skipped("%s is not installed (package e2fsprogs)" % name)
    return path


def fill(guest):
    """Makes ext4 on /dev/vda and fills it; returns the hash of one file as the guest computed it."""
    for command in ("mkfs.ext4 -q -F /dev/vda", "mount -t ext4 /dev/vda /mnt", "mkdir /mnt/d",
                    "dd if=/dev/urandom of=/mnt/random bs=1M count=20 2>/dev/null",
                    "for i in $(seq 200); do cp /etc/passwd /mnt/d/f$i; done",
                    "rm /mnt/d/f1*", "ln /mnt/d/f2 /mnt/d/hard", "ln -s f2 /mnt/d/soft", "mv /mnt/d/f3 /mnt/moved"):
        status, text = guest.run(command, 180)
        check_equal(status, 0, "the status of %r (%s)" % (command, text.strip()))
    value = guest.run("sha256sum < /mnt/random", 120)[1].split()[0]
    for command in ("umount /mnt", "mount -t ext4 -o ro /dev/vda /mnt"):
        check_equal(guest.run(command)[0], 0, "the status of %r" % command)
    check_equal(guest.run("sha256sum < /mnt/random", 120)[1].split()[0], value, "the file's hash after mounting again")
    check_equal(guest.run("umount /mnt")[0], 0, "the status of umount")
    return value


def ext4_survives(smp, arguments):
    fsck, debugfs = tool("e2fsck"), tool("debugfs")
    with scratch() as folder:
        path = disk_file(folder, 96)
        with boot(linux(*arguments(path), smp=smp, files="disk.cpio")) as guest:
            guest.prompt(300)
            value = fill(guest)
            finish(guest)
        done = subprocess.run([fsck, "-f", "-n", path], capture_output=True, text=True)
        check_equal(done.returncode, 0, "the status of e2fsck -f (%s)" % done.stdout.strip().splitlines()[-1:])
        done = subprocess.run([debugfs, "-R", "cat /random", path], capture_output=True)
        check_equal(hashlib.sha256(done.stdout).hexdigest(), value, "the file's hash on the host")
        with boot(linux(*arguments(path), smp=smp, files="disk.cpio")) as guest:
            guest.prompt(300)
            guest.run("mount /dev/vda /mnt")
            check_equal(guest.run("sha256sum < /mnt/random", 120)[1].split()[0], value, "the file's hash in the next boot")
            check_equal(guest.run("ls /mnt/d | wc -l")[1].strip(), "90", "the number of files in the next boot")
            finish(guest)


@boot_test(images=("disk",))
def ext4():
    ext4_survives(1, virtio_disk)


@boot_test(images=("disk",))
def ext4_smp4():
    ext4_survives(4, virtio_disk)


@boot_test(images=("disk",))
def ext4_on_tier2():
    ext4_survives(1, lambda path: virtio_disk(path) + ["-accel", "tiered,max-tier=2,check-registers=on"])


@boot_test(images=("disk",))
def ext4_drive_shorthand():
    ext4_survives(2, lambda path: ["-drive", "if=virtio,format=raw,file=" + path])


def disk_tool(*words):
    check_equal(invoke(["disk"] + list(words)), (0, "", ""), "what 'disk %s' says" % " ".join(words))


@boot_test(images=("disk",))
def ext4_qcow2():
    """A qcow2 overlay with several queues: filled, trimmed, checked; what lies below stays as it was."""
    fsck = tool("e2fsck")
    with scratch() as folder:
        base, top, raw = disk_file(folder, 96), os.path.join(folder, "top.qcow2"), os.path.join(folder, "back.img")
        disk_tool("create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", top)
        arguments = ["-blockdev", "driver=qcow2,node-name=d0,file.driver=file,file.filename=%s,discard=unmap" % top,
                     "-device", "virtio-blk-device,drive=d0,num-queues=2"]
        with boot(linux(*arguments, smp=2, files="disk.cpio")) as guest:
            guest.prompt(300)
            value = fill(guest)
            check_equal(guest.run("ls /sys/block/vda/mq | wc -l")[1].strip(), "2", "the number of queues")
            guest.run("mount -t ext4 /dev/vda /mnt")
            check_equal(guest.run("fstrim /mnt || true; umount /mnt", 120)[0], 0, "the status of umount")
            finish(guest)
        disk_tool("check", "-q", top)
        disk_tool("convert", "-O", "raw", top, raw)
        done = subprocess.run([fsck, "-f", "-n", raw], capture_output=True, text=True)
        check_equal(done.returncode, 0, "the status of e2fsck -f (%s)" % done.stdout.strip().splitlines()[-1:])
        check_equal(os.stat(base).st_blocks, 0, "the blocks of the backing file")
        with boot(linux("-drive", "format=qcow2,snapshot=on,file=" + top, smp=1, files="disk.cpio")) as guest:
            guest.prompt(300)
            guest.run("mount /dev/vda /mnt")
            check_equal(guest.run("sha256sum < /mnt/random", 120)[1].split()[0], value, "the file's hash in the next boot")
            guest.run("rm /mnt/random; umount /mnt")
            finish(guest)
        disk_tool("convert", "-O", "raw", top, raw + "2")
        with open(raw, "rb") as f, open(raw + "2", "rb") as g:
            check(f.read() == g.read(), "snapshot=on changed the image")


@boot_test(images=("shell",))
def read_only():
    with scratch() as folder:
        path = disk_file(folder, 4)
        with open(path, "r+b") as f:
            f.write(b"untouched" * 100)
        with open(path, "rb") as f:
            before = f.read()
        with boot(linux(*virtio_disk(path, options=",readonly=on"))) as guest:
            guest.prompt(300)
            check_equal(guest.run("cat /sys/block/vda/ro")[1].strip(), "1", "the disk's read-only mark")
            check_equal(guest.run("head -c 9 /dev/vda")[1].strip(), "untouched", "the disk's first bytes")
            check(guest.run("dd if=/dev/zero of=/dev/vda bs=512 count=1 conv=fsync")[0] != 0, "the guest wrote to a read-only disk")
            finish(guest)
        with open(path, "rb") as f:
            check(f.read() == before, "a read-only disk changed")
