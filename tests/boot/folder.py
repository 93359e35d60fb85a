# SPDX-License-Identifier: MIT
"""A folder of the host by 9P: what the guest writes is on the host and the other way round, and nothing leads out of it;
a Debian system boots to a login from a disk and from a folder."""
import hashlib
import os
import shutil
import subprocess
import threading

from harness import (GUEST, Skipped, boot, boot_test, check, check_equal, finish, leave, linux, no_kernel_complaints, scratch,
                     virtio_disk)

MOUNT = "modprobe -a 9pnet_virtio 9p; mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share /mnt"


def share(path, model="none", options=""):
    return ["-fsdev", "local,id=fs0,path=%s,security_model=%s%s" % (path, model, options),
            "-device", "virtio-9p-device,fsdev=fs0,mount_tag=share"]


def mounted(arguments, smp=2):
    guest = boot(linux(*arguments, smp=smp))
    guest.prompt(300)
    guest.run("dmesg -n 1")  # a late message of the kernel would be taken for a command's output
    status, text = guest.run(MOUNT)
    check_equal(status, 0, "the status of mounting the folder (%s)" % text.strip())
    return guest


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def both_ways(model):
    with scratch() as place:
        path = os.path.join(place, "shared")
        os.mkdir(path)
        with open(os.path.join(path, "from-host"), "wb") as f:
            f.write(os.urandom(20 << 20))
        with mounted(share(path, model)) as guest:
            check_equal(guest.run("sha256sum < /mnt/from-host", 120)[1].split()[0], sha256(os.path.join(path, "from-host")),
                        "the hash of a file of the host")
            for command in ("dd if=/dev/urandom of=/mnt/from-guest bs=1M count=20 2>/dev/null", "mkdir /mnt/d",
                            "for i in $(seq 300); do echo $i > /mnt/d/f$i; done", "rm /mnt/d/f1*", "mv /mnt/d /mnt/e",
                            "ln -s f2 /mnt/e/soft", "ln /mnt/e/f2 /mnt/e/hard", "chmod 751 /mnt/e/f3", "mkfifo /mnt/e/fifo",
                            "echo appended >> /mnt/e/f2", "sync"):
                status, text = guest.run(command, 120)
                check_equal(status, 0, "the status of %r (%s)" % (command, text.strip()))
            check_equal(guest.run("cat /mnt/e/soft")[1].split(), ["2", "appended"], "a file read through its symbolic link")
            check_equal(guest.run("ls /mnt/e | wc -l")[1].strip(), "192", "the number of files")
            check_equal(guest.run("stat -c '%a %F' /mnt/e/f3 /mnt/e/fifo")[1].splitlines()[0], "751 regular file", "a file's mode")
            value = guest.run("sha256sum < /mnt/from-guest", 120)[1].split()[0]
            with open(os.path.join(path, "e/later"), "w") as f:
                f.write("made while the guest looks on")
            check_equal(guest.run("cat /mnt/e/later")[1].strip(), "made while the guest looks on", "a file made meanwhile")
            guest.run("dmesg")
            no_kernel_complaints(guest)
            guest.run("umount /mnt")
            finish(guest)
        check_equal(sha256(os.path.join(path, "from-guest")), value, "the hash of the guest's file on the host")
        with open(os.path.join(path, "e/hard")) as f:
            check_equal(f.read(), "2\nappended\n", "the content of a hard link")
        is_plain = os.path.isfile(os.path.join(path, "e/soft")) and not os.path.islink(os.path.join(path, "e/soft"))
        check_equal(is_plain, model == "mapped-xattr", "whether the link is a plain file on the host")


@boot_test(images=("shell",))
def read_and_write():
    both_ways("none")


@boot_test(images=("shell",))
def mapped_owners():
    with scratch() as place:
        try:
            os.setxattr(place, "user.test", b"")
        except OSError:
            raise Skipped("the folder for temporary files has no extended attributes")
    both_ways("mapped-xattr")


@boot_test(images=("shell",))
def read_only_folder():
    with scratch() as path:
        with open(os.path.join(path, "f"), "w") as f:
            f.write("untouched")
        with mounted(["-virtfs", "local,path=%s,mount_tag=share,security_model=none,readonly=on" % path]) as guest:
            check_equal(guest.run("cat /mnt/f")[1].strip(), "untouched", "the file")
            for command in ("echo x > /mnt/f", "echo x > /mnt/g", "rm /mnt/f", "mkdir /mnt/d", "mv /mnt/f /mnt/g", "chmod 777 /mnt/f"):
                check(guest.run(command + " 2>/dev/null")[0] != 0, "%r worked in a read-only folder" % command)
            finish(guest)
        check_equal(os.listdir(path), ["f"], "what is in the folder")


@boot_test(images=("shell",))
def nothing_leads_out():
    with scratch() as place:
        path = os.path.join(place, "shared")
        os.makedirs(os.path.join(path, "a/b"))
        with open(os.path.join(place, "secret"), "w") as f:
            f.write("secret")
        os.mkdir(os.path.join(place, "b"))
        with open(os.path.join(place, "b/file"), "w") as f:
            f.write("secret")
        with open(os.path.join(path, "a/b/file"), "w") as f:
            f.write("inside")
        os.symlink(place, os.path.join(path, "out"))
        stop = threading.Event()

        def rename():
            # The folder the guest works in turns into a link to the outside and back.
            a, hidden = os.path.join(path, "a"), os.path.join(path, "hidden")
            while not stop.is_set():
                os.rename(a, hidden)
                os.symlink(place, a)
                os.remove(a)
                os.rename(hidden, a)

        with mounted(share(path)) as guest:
            check(guest.run("cat /mnt/../secret")[0] != 0, "'..' led out of the folder")
            check(guest.run("cat /mnt/out/secret")[0] != 0, "a symbolic link led out of the folder")
            renamer = threading.Thread(target=rename)
            renamer.start()
            try:
                text = guest.run("i=0; while [ $i -lt 3000 ]; do x=; read x < /mnt/a/b/file; echo $x; i=$((i+1)); done 2>/dev/null | sort -u", 240)[1]
                guest.run("i=0; while [ $i -lt 500 ]; do echo inside > /mnt/a/b/file; i=$((i+1)); done 2>/dev/null", 240)
            finally:
                stop.set()
                renamer.join()
            check("secret" not in text, "the guest read a file outside of its folder")
            check("inside" in text, "the guest never read the file inside of its folder")
            guest.run("umount /mnt")
            finish(guest)
        for name in ("secret", "b/file"):
            with open(os.path.join(place, name)) as f:
                check_equal(f.read(), "secret", "a file outside of the folder")


def debian(arguments, from_what, of_type, magic):
    """Boots the Debian system to a login and logs in."""
    # systemd's own time limits are for machines that nothing slows down, its data base of hardware is for others.
    append = "root_from=%s root_type=%s quiet systemd.show_status=0 systemd.default_timeout_start_sec=1800 " \
             "systemd.default_device_timeout_sec=1800 systemd.mask=systemd-hwdb-update.service" % (from_what, of_type)
    with boot(linux(*arguments, smp=2, memory="1G", append=append)) as guest:
        guest.expect("login: ", 1200)
        guest.send("root\n")
        guest.expect(r"root@pagoda:\S*# ", 600)
        guest.send("stty -echo; bind 'set enable-bracketed-paste off' 2>/dev/null; cd /; PS1='/ # '\n")
        guest.prompt()
        check_equal(guest.run("stat -f -c %T /")[1].strip(), magic, "the file system of the root")
        check_equal(guest.run("ps -o comm= -p 1")[1].strip(), "systemd", "the first process")
        binary = "usr/bin/python3.13"
        check_equal(guest.run("sha256sum < /" + binary, 120)[1].split()[0], sha256(os.path.join(GUEST, "debian", binary)),
                    "the hash of a program")
        check_equal(guest.run("python3 -c 'print(sum(range(1000)))'", 120)[1].strip(), "499500", "what Python computed")
        check_equal(guest.run("echo kept > /var/note; sync")[0], 0, "the status of writing")
        guest.run("dmesg")
        no_kernel_complaints(guest)
        guest.send("systemctl poweroff\n")
        check_equal(guest.wait(600), 0, "the exit status")


@boot_test(images=("shell", "debian"))
def debian_on_disk():
    with scratch() as place:
        disk = os.path.join(place, "debian.img")
        subprocess.run(["cp", "--sparse=always", os.path.join(GUEST, "debian.img"), disk], check=True)
        debian(virtio_disk(disk), "/dev/vda", "ext4", "ext2/ext3")


@boot_test(images=("shell", "debian"))
def debian_in_a_folder():
    with scratch() as place:
        path = os.path.join(place, "root")
        shutil.copytree(os.path.join(GUEST, "debian"), path, symlinks=True)
        debian(share(path), "share", "9p", "v9fs")
        with open(os.path.join(path, "var/note")) as f:
            check_equal(f.read(), "kept\n", "what the guest wrote")
