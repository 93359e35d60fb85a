#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a small initramfs (newc cpio) from unpacked Debian packages: busybox, chosen kernel modules, an init script.

Needs no root and no loop device: device nodes are only entries in the archive, and modules are decompressed and given their
modules.dep and modules.alias here, because depmod runs in a package's post-install script, which unpacking does not run.
"""
import argparse
import gzip
import lzma
import os
import stat
import struct
import sys


def fail(message):
    sys.exit("initramfs: " + message)


class Cpio:
    """Collects newc entries; the kernel unpacks them in order, so parents come before children."""

    def __init__(self):
        self.chunks = []
        self.seen = set()
        self.inode = 0

    def _entry(self, name, mode, data=b"", rdev=(0, 0), nlink=1):
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, nlink, 0, len(data), 0, 0, rdev[0], rdev[1], len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields)
        self.chunks.append(head + raw + b"\0" * (-(len(head) + len(raw)) % 4))
        self.chunks.append(data + b"\0" * (-len(data) % 4))

    def parents(self, name):
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self.directory("/".join(parts[:depth]))

    def directory(self, name, mode=0o755):
        if name and name not in self.seen:
            self.parents(name)
            self.seen.add(name)
            self._entry(name, stat.S_IFDIR | mode, nlink=2)

    def file(self, name, data, mode=0o644):
        if name in self.seen:
            fail("two files are called /" + name)
        self.parents(name)
        self.seen.add(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def symlink(self, name, to):
        if name not in self.seen:
            self.parents(name)
            self.seen.add(name)
            self._entry(name, stat.S_IFLNK | 0o777, to.encode())

    def char_device(self, name, major, minor, mode=0o600):
        self.parents(name)
        self.seen.add(name)
        self._entry(name, stat.S_IFCHR | mode, rdev=(major, minor))

    def tree(self, root, skip):
        """Adds everything below `root` but the folders named in `skip`. Symbolic links stay links."""
        for folder, names, files in os.walk(root):
            names[:] = sorted(n for n in names if os.path.relpath(os.path.join(folder, n), root) not in skip)
            for entry in sorted(names + files):
                path = os.path.join(folder, entry)
                inside = os.path.relpath(path, root)
                info = os.lstat(path)
                if stat.S_ISLNK(info.st_mode):
                    self.symlink(inside, os.readlink(path))
                elif stat.S_ISDIR(info.st_mode):
                    self.directory(inside)
                elif stat.S_ISREG(info.st_mode) and inside not in self.seen:
                    with open(path, "rb") as f:
                        self.file(inside, f.read(), stat.S_IMODE(info.st_mode))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        data = b"".join(self.chunks)
        return data + b"\0" * (-len(data) % 512)


def module_info(data, name):
    """Values of a module's .modinfo section as {key: [value...]}."""
    if data[:5] != b"\x7fELF\x02":
        fail(name + " is not a 64-bit ELF file")
    shoff, = struct.unpack_from("<Q", data, 0x28)
    size, count, strings = struct.unpack_from("<HHH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", data, shoff + i * size) for i in range(count)]
    names_at = sections[strings][4]
    info = {}
    for section in sections:
        start = names_at + section[0]
        if data[start:data.index(b"\0", start)] == b".modinfo":
            for item in data[section[4]:section[4] + section[5]].split(b"\0"):
                key, _, value = item.partition(b"=")
                info.setdefault(key.decode(), []).append(value.decode(errors="replace"))
    return info


def read_module(path):
    with open(path, "rb") as f:
        data = f.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def plain(name):
    return os.path.basename(name).split(".ko")[0].replace("-", "_")


def add_modules(cpio, modules_root, wanted):
    """Adds `wanted` modules and all they need, with modules.dep and modules.alias beside them."""
    versions = sorted(os.listdir(modules_root))
    if len(versions) != 1:
        fail("%s should hold one kernel version, it holds %d" % (modules_root, len(versions)))
    root = os.path.join(modules_root, versions[0])
    paths = {}
    for folder, _, files in os.walk(root):
        for f in files:
            if ".ko" in f:
                paths[plain(f)] = os.path.join(folder, f)
    with open(os.path.join(root, "modules.builtin")) as f:
        built_in = {plain(line.strip()) for line in f}
    loaded, needs, aliases = {}, {}, []
    # A name with a question mark: newer kernels have it built in, or no longer.
    names = [w.rstrip("?").replace("-", "_") for w in wanted if not w.endswith("?") or plain(w.rstrip("?")) in paths]
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in loaded or name in built_in:
            continue
        if name not in paths:
            fail("kernel %s has no module %s" % (versions[0], name))
        data = read_module(paths[name])
        info = module_info(data, name)
        loaded[name] = data
        needs[name] = [d.replace("-", "_") for d in info.get("depends", [""])[0].split(",") if d]
        needs[name] = [d for d in needs[name] if d not in built_in]
        aliases += [(a, name) for a in info.get("alias", [])]
        queue += needs[name]

    def inside(name):
        return "kernel/" + name + ".ko"

    def closure(name, out):
        for d in needs[name]:
            if d not in out:
                out.append(d)
                closure(d, out)
        return out

    base = "usr/lib/modules/%s/" % versions[0]
    for name in sorted(loaded):
        cpio.file(base + inside(name), loaded[name])
    dep = "".join("%s: %s\n" % (inside(n), " ".join(inside(d) for d in closure(n, []))) for n in sorted(loaded))
    cpio.file(base + "modules.dep", dep.replace(": \n", ":\n").encode())
    cpio.file(base + "modules.alias", "".join("alias %s %s\n" % a for a in aliases).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True, help="where the packages were unpacked")
    parser.add_argument("--init", required=True, help="file that becomes /init")
    parser.add_argument("--module", action="append", default=[], help="kernel module, with all it depends on")
    parser.add_argument("--tree", action="append", default=[], help="a folder whose contents are added at /")
    parser.add_argument("--skip", action="append", default=[], help="a folder inside the trees that is left out")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--output", required=True)
    args = parser.parse_args()

    cpio = Cpio()
    for d in ("dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp", "usr", "usr/bin", "usr/lib", "usr/sbin", "var"):
        cpio.directory(d)
    # Debian's layout: programs name their loader as /lib/ld-*, packages install below /usr.
    for d in ("bin", "lib", "sbin"):
        cpio.symlink(d, "usr/" + d)
    # The kernel opens /dev/console before it starts init, which is before anything can mount devtmpfs.
    cpio.char_device("dev/console", 5, 1)
    cpio.char_device("dev/null", 1, 3, 0o666)
    for tree in args.tree:
        if not os.path.isdir(tree):
            fail("no folder " + tree)
        cpio.tree(tree, args.skip)
    with open(args.init, "rb") as f:
        cpio.file("init", f.read(), 0o755)
    busybox = next((p for p in ("usr/bin/busybox", "bin/busybox") if os.path.exists(os.path.join(args.root, p))), None)
    if not busybox:
        fail("no busybox below " + args.root)
    with open(os.path.join(args.root, busybox), "rb") as f:
        cpio.file("usr/bin/busybox", f.read(), 0o755)
    if args.module:
        places = [os.path.join(args.root, m) for m in ("usr/lib/modules", "lib/modules")]
        modules_root = next((p for p in places if os.path.isdir(p)), None)
        if not modules_root:
            fail("no kernel modules below " + args.root)
        add_modules(cpio, modules_root, args.module)
    data = cpio.bytes()
    if args.gzip:
        data = gzip.compress(data, 6, mtime=0)
    with open(args.output + ".part", "wb") as f:
        f.write(data)
    os.replace(args.output + ".part", args.output)


if __name__ == "__main__":
    main()
