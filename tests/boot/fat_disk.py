# SPDX-License-Identifier: MIT
"""Makes disk images with files on a FAT16 file system, bare or as the one partition of a GPT disk, without any tools.

FAT after Microsoft's "FAT32 File System Specification" (which covers FAT16 and long names), partitions after the UEFI
specification, chapter 5.
"""
import struct
import uuid
import zlib

SECTOR = 512
CLUSTER = 4096
RESERVED = 8
ROOT_ENTRIES = 512
EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
DISK_ID = uuid.UUID("6c6b0f1e-3a51-4b0c-8a4e-0d2a1f9b7c01")
PARTITION_ID = uuid.UUID("6c6b0f1e-3a51-4b0c-8a4e-0d2a1f9b7c02")
FIRST_LBA = 2048


def long_name_entries(name, short):
    """The directory entries that carry a long name, last piece first."""
    checksum = 0
    for byte in short:
        checksum = ((checksum >> 1 | checksum << 7) + byte) & 0xFF
    text = name.encode("utf-16-le")
    units = [text[i:i + 2] for i in range(0, len(text), 2)]
    if len(units) % 13:
        units.append(b"\0\0")
        units += [b"\xff\xff"] * (-len(units) % 13)
    pieces = [b"".join(units[i:i + 13]) for i in range(0, len(units), 13)]
    entries = []
    for number, piece in enumerate(pieces, 1):
        order = number | (0x40 if number == len(pieces) else 0)
        entries.append(struct.pack("<B10sBBB12sH4s", order, piece[:10], 0x0F, 0, checksum, piece[10:22], 0, piece[22:]))
    return b"".join(reversed(entries))


class Fat16:
    def __init__(self, sectors):
        self.sectors = sectors
        self.fat_sectors = -(-(sectors // (CLUSTER // SECTOR) + 2) * 2 // SECTOR)
        self.data_start = RESERVED + 2 * self.fat_sectors + ROOT_ENTRIES * 32 // SECTOR
        self.clusters = (sectors - self.data_start) // (CLUSTER // SECTOR)
        assert 4085 <= self.clusters < 65525, "no FAT16 of %d sectors" % sectors
        self.fat = [0xFFF8, 0xFFFF]
        self.short_names = 0

    def allocate(self, size):
        """A run of clusters; returns the first, 0 for an empty file."""
        count = -(-size // CLUSTER)
        if count == 0:
            return 0
        first = len(self.fat)
        assert first + count <= self.clusters + 2, "the files do not fit"
        self.fat += [first + i + 1 for i in range(count - 1)] + [0xFFFF]
        return first

    def entry(self, name, attributes, cluster, size):
        self.short_names += 1
        short = ("F%07d" % self.short_names).encode() + b"   "
        return long_name_entries(name, short) + struct.pack(
            "<11sBBBHHHHHHHI", short, attributes, 0, 0, 0, 0x5821, 0x5821, 0, 0, 0x5821, cluster, size)

    def write(self, out, start, tree):
        """Writes the file system at byte `start` of `out`; `tree` is {name: bytes or another tree}."""
        def place(cluster, data):
            out.seek(start + self.data_start * SECTOR + (cluster - 2) * CLUSTER)
            out.write(data)

        def folder(content, cluster, parent):
            entries = b""
            if cluster:
                for name, to in ((b".          ", cluster), (b"..         ", parent)):
                    entries += struct.pack("<11sBBBHHHHHHHI", name, 0x10, 0, 0, 0, 0x5821, 0x5821, 0, 0, 0x5821, to, 0)
            for name, value in content.items():
                if isinstance(value, dict):
                    inside = self.allocate(CLUSTER)
                    entries += self.entry(name, 0x10, inside, 0)
                    place(inside, folder(value, inside, cluster).ljust(CLUSTER, b"\0"))
                else:
                    first = self.allocate(len(value))
                    entries += self.entry(name, 0x20, first, len(value))
                    if value:
                        place(first, value)
            assert len(entries) <= CLUSTER, "too many files in a folder"
            return entries

        root = folder(tree, 0, 0)
        boot = struct.pack("<3s8sHBHBHHBHHHII", b"\xeb\x3c\x90", b"FATDISK ", SECTOR, CLUSTER // SECTOR, RESERVED, 2,
                           ROOT_ENTRIES, self.sectors if self.sectors < 65536 else 0, 0xF8, self.fat_sectors, 32, 64,
                           start // SECTOR, 0 if self.sectors < 65536 else self.sectors)
        boot += struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 0x50414741, b"PAGODA     ", b"FAT16   ")
        out.seek(start)
        out.write(boot.ljust(510, b"\0") + b"\x55\xaa")
        table = struct.pack("<%dH" % len(self.fat), *self.fat)
        for copy in range(2):
            out.seek(start + (RESERVED + copy * self.fat_sectors) * SECTOR)
            out.write(table)
        out.seek(start + (RESERVED + 2 * self.fat_sectors) * SECTOR)
        out.write(root)


def write_gpt(out, sectors):
    """Both partition tables of a disk whose one partition is an EFI system partition."""
    last = sectors - 34
    entry = struct.pack("<16s16sQQQ72s", EFI_SYSTEM.bytes_le, PARTITION_ID.bytes_le, FIRST_LBA, last, 0,
                        "boot".encode("utf-16-le"))
    entries = entry.ljust(128 * 128, b"\0")

    def header(own, other, table):
        raw = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, own, other, 34, last, DISK_ID.bytes_le,
                          table, 128, 128, zlib.crc32(entries))
        return (raw[:16] + struct.pack("<I", zlib.crc32(raw)) + raw[20:]).ljust(SECTOR, b"\0")

    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, sectors - 1)
    out.seek(0)
    out.write(b"\0" * 446 + protective + b"\0" * 48 + b"\x55\xaa" + header(1, sectors - 1, 2) + entries)
    out.seek((sectors - 33) * SECTOR)
    out.write(entries + header(sectors - 1, 1, sectors - 33))


def make(path, megabytes, files, gpt=False):
    """Makes the image; `files` is {"a/path/in/it": bytes}."""
    tree = {}
    for name, data in files.items():
        *folders, leaf = name.split("/")
        place = tree
        for f in folders:
            place = place.setdefault(f, {})
        place[leaf] = data
    sectors = megabytes * 2048
    with open(path, "wb") as out:
        out.truncate(sectors * SECTOR)
        if gpt:
            write_gpt(out, sectors)
            Fat16(sectors - 33 - FIRST_LBA).write(out, FIRST_LBA * SECTOR, tree)
        else:
            Fat16(sectors).write(out, 0, tree)
    return path
