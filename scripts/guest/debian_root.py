#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a folder of unpacked Debian packages a system that boots to a login, without running the packages' scripts.

What those would do and a boot needs is done here: accounts, PAM's common files, shells' profiles, host name. root has no
password. With --image an ext4 disk image of the folder is made, too (mke2fs of e2fsprogs; no root, no loop device).
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

PAM = {
    "auth": "auth required pam_unix.so nullok\n",
    "account": "account required pam_unix.so\n",
    "password": "password required pam_unix.so nullok\n",
    "session": "session required pam_unix.so\n",
    "session-noninteractive": "session required pam_unix.so\n",
}


def fail(message):
    sys.exit("debian_root: " + message)


def write(root, name, text, mode=0o644):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path):
        os.remove(path)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def finish(root):
    masters = os.path.join(root, "usr/share/base-passwd")
    if not os.path.isdir(masters):
        fail("no package base-passwd below " + root)
    if not os.path.isdir(os.path.join(root, "usr/share/base-files")):
        fail("no package base-files below " + root)
    for name in ("passwd", "group"):
        with open(os.path.join(masters, name + ".master")) as f:
            text = f.read()
        write(root, "etc/" + name, text.replace("root:*:", "root:x:") if name == "passwd" else text)
    with open(os.path.join(masters, "passwd.master")) as f:
        users = [line.split(":")[0] for line in f if ":" in line]
    write(root, "etc/shadow", "".join("%s:%s:19000:0:99999:7:::\n" % (u, "" if u == "root" else "*") for u in users), 0o640)
    for name, text in PAM.items():
        write(root, "etc/pam.d/common-" + name, text)
    write(root, "etc/hostname", "pagoda\n")
    write(root, "etc/hosts", "127.0.0.1 localhost pagoda\n")
    write(root, "etc/fstab", "")
    write(root, "etc/machine-id", "")
    write(root, "etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")
    for folder in ("root", "mnt", "run", "tmp", "proc", "sys", "dev", "var/tmp", "var/log"):
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    for name, source in (("etc/profile", "profile"), ("root/.profile", "dot.profile"), ("root/.bashrc", "dot.bashrc")):
        shutil.copyfile(os.path.join(root, "usr/share/base-files", source), os.path.join(root, name))
    # Where a second counts for less than on a machine of silicon, a minute for logging in is short.
    defs = os.path.join(root, "etc/login.defs")
    with open(defs) as f:
        text = f.read()
    write(root, "etc/login.defs", re.sub(r"(?m)^(LOGIN_TIMEOUT\s+).*", r"\g<1>600", text))
    # Alternatives are links that package scripts make.
    for link, target in (("usr/bin/awk", "mawk"), ("usr/bin/pager", "more")):
        path = os.path.join(root, link)
        if os.path.exists(os.path.join(root, "usr/bin", target)) and not os.path.lexists(path):
            os.symlink(target, path)


def make_image(root, image, megabytes):
    mke2fs = shutil.which("mke2fs", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not mke2fs:
        fail("mke2fs is not installed (package e2fsprogs)")
    part = image + ".part"
    with open(part, "wb") as f:
        f.truncate(megabytes << 20)
    done = subprocess.run([mke2fs, "-q", "-F", "-t", "ext4", "-E", "root_owner=0:0", "-d", root, part],
                          capture_output=True, text=True)
    if done.returncode != 0:
        fail("mke2fs: " + (done.stderr.strip().splitlines() or ["failed"])[-1])
    os.replace(part, image)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="where the packages were unpacked")
    parser.add_argument("--image", help="disk image to make of it")
    parser.add_argument("--megabytes", type=int, default=512)
    args = parser.parse_args()
    finish(args.root)
    if args.image:
        make_image(args.root, args.image, args.megabytes)


if __name__ == "__main__":
    main()
