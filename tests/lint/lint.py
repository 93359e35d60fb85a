#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rules of the house that a compiler does not check. Usage: lint.py ROOT

Prints "path:line: rule: what is wrong" for each violation; exit status 1 if there is any. lint_test.py plants one violation
of each rule and requires that it is found."""

import os
import re
import sys

SKIPPED_DIRECTORIES = {"subprojects", "__pycache__", "node_modules"}
CODE = (".h", ".cpp", ".def", ".inc", ".insns")
SPDX_FILES = CODE + (".py", ".sh", ".S", ".c", ".ld", ".build")
LONGEST_FILE = 800

# --- who may include whom --------------------------------------------------------------------------------------------
# The first row whose folder a file lies in says what it may include: files, or folders with a slash at the end.
# "{own}" is the file's own folder at the depth of the row's "*".
MAY_INCLUDE = [
    ("base/", ["base/"]),
    ("memory/", ["base/", "memory/"]),
    ("tcg/", ["base/", "tcg/"]),
    ("devices/bus/", ["base/", "memory/", "devices/bus/"]),
    # Its disks, network cards, shared folders and console ports hold on to the host's ends: the storage and network folders,
    # the 9P server and the character back end contract.
    ("devices/virtio/", ["base/", "memory/", "devices/bus/", "devices/virtio/", "devices/pci/", "devices/storage/",
                         "devices/net/", "devices/p9/", "devices/serial/char_backend.h"]),
    ("devices/*/", ["base/", "memory/", "devices/bus/", "{own}"]),
    # A guest: its own folder and the shared files beside it, never another guest's.
    ("cpu/*/", ["base/", "memory/", "tcg/ir/", "tcg/abi/", "tcg/engine.h", "tcg/host/fp.h", "tcg/host/x87.h", "tcg/host/soft_float.h", "devices/bus/", "cpu/.",
                "{own}"]),
    # The shared vcpu code drives the translator, whose front doors are interp.h, light.h and tcg/cache; slow-path atomics
    # compute with tier 0's own operations.
    ("cpu/", ["base/", "memory/", "tcg/ir/", "tcg/abi/", "tcg/engine.h", "tcg/interp/interp.h",
              "tcg/interp/integer_ops.h", "tcg/tier/backend.h", "tcg/tier/fallback.h", "tcg/tier/policy.h", "tcg/opt/form.h", "tcg/opt/build.h", "tcg/cache/", "tcg/host/atomic16.h", "tcg/host/fp.h",
              "devices/bus/", "cpu/."]),
    ("machines/", ["base/", "memory/", "tcg/", "cpu/", "devices/", "machines/"]),
    ("cli/", ["base/", "machines/config.h", "machines/catalog.h", "machines/disk/disk_command.h", "cli/"]),
    ("control/", ["base/", "machines/machine.h", "*/inspect.h", "control/"]),
    ("ui/", ["base/", "machines/machine.h", "*/inspect.h", "ui/"]),
    ("main.cpp", ["base/", "cli/", "machines/", "control/", "ui/"]),
]


def row_for(path):
    for folder, allowed in MAY_INCLUDE:
        match = re.match(re.escape(folder).replace(r"\*", "[^/]+"), path)
        if match:
            return [match.group(0) if entry == "{own}" else entry for entry in allowed]
    return None


def is_allowed(included, allowed):
    for entry in allowed:
        if entry.startswith("*/"):
            if included.endswith(entry[1:]):
                return True
        elif entry.endswith("/."):  # files of the folder itself, not of its subfolders
            if os.path.dirname(included) == entry[:-2]:
                return True
        elif included == entry or (entry.endswith("/") and included.startswith(entry)):
            return True
    return False


# Made by the build and found on its own include path: the file and the folder that includes it.
GENERATED = {"riscv64_firmware.h": "machines/", "plugin_headers.h": "tcg/tier/"}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def check_includes(path, lines, exists):
    if not path.startswith("src/") or not path.endswith(CODE):
        return
    allowed = row_for(path[4:])
    if allowed is None:
        yield 1, "layout", "a folder that the include rules do not know"
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        included = match.group(1)
        if included in GENERATED and path[4:].startswith(GENERATED[included]):
            continue
        if not exists("src/" + included):
            yield number, "include", f'"{included}" is not a path below src/'
        elif not is_allowed(included, allowed):
            yield number, "include", f'{path[4:]} may not include "{included}"'


# --- text rules ------------------------------------------------------------------------------------------------------
# Words are put together here so that this file does not contain them.
FORBIDDEN_WORDS = ["tool" + " library", "steering" + " repo", "developer" + " session", "TO" + "DO: implement"]
MARKER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}*])/(work|home|root|Users)/\w")
QUOTED_VARIABLE = re.compile(r'"\$\{?\w+\}?"')  # a shell's "$dir"/home is relative
REGISTRY = re.compile(r"\b(deb\.debian|pypi|crates|registry\.npmjs|proxy\.golang)\.(org|io)\b")

# (rule, where it holds, pattern, message)
RAM_READ = re.compile(r"\bram_(load|copy_out|copy_lines)\b")
RAM_WRITE = re.compile(r"\bram_(store|copy_in)\b|\b\w*(range|window)\w*(\.|->)host\b")
# The code manager reads pages of code that the softmmu gave it.
RAM_READERS = re.compile(r"^src/(memory/|cpu/softmmu|cpu/code_manager|cpu/region_compiler)")
RAM_WRITERS = re.compile(r"^src/(memory/|cpu/softmmu)")
GUEST_OR_HOST = re.compile(r"\b(target_\w+|Target[A-Z]\w*|kTarget\w*|TARGET_\w+)\b")
EXCEPTION = re.compile(r"\b(throw\b|catch\s*\(|try\s*\{)")
STD_FORMAT = re.compile(r"#\s*include\s*<(format|print)>|\bstd::(format|print)\b")


def strip_comment(line):
    return line.split("//", 1)[0]


def check_text(path, lines, _):
    in_src = path.startswith("src/") and path.endswith(CODE)
    for number, line in enumerate(lines, 1):
        lower = line.lower()
        for word in FORBIDDEN_WORDS:
            if word.lower() in lower:
                yield number, "word", f"'{word}' does not belong into the product"
        if MARKER.search(line):
            yield number, "marker", "open ends are said in the report, not in the code"
        if MACHINE_PATH.search(QUOTED_VARIABLE.sub("$", line)):
            yield number, "machine path", "an absolute path of one machine"
        if REGISTRY.search(line):
            yield number, "registry", "packages are named, their hosts are not"
        if not in_src:
            continue
        code = strip_comment(line)
        reads = RAM_READ.search(code) and not RAM_READERS.match(path)
        if reads or (RAM_WRITE.search(code) and not RAM_WRITERS.match(path)):
            yield number, "raw RAM", "guest RAM is reached through GuestMemory"
        if GUEST_OR_HOST.search(code):
            yield number, "target", "say guest or host"
        if EXCEPTION.search(code) and "// a compile error" not in line:  # in consteval functions
            yield number, "exception", "our code throws none; a library's are caught in its one wrapper"
        if STD_FORMAT.search(code):
            yield number, "format", "g++ 12 has no <format>: use fmt"


def check_shape(path, lines, _):
    name = os.path.basename(path)
    has_shebang = bool(lines) and lines[0].startswith("#!")
    if path.endswith(SPDX_FILES) or name == "meson.build" or has_shebang:
        first = lines[1:2] if has_shebang else lines[:1]
        if not first or "SPDX-License-Identifier: MIT" not in first[0]:
            yield 1, "SPDX", "the first line names the license"
        elif path.endswith(CODE) and not (len(lines) > 1 and lines[1].startswith("// ") and len(lines[1]) > 10):
            yield 2, "purpose", "the second line says what the file is for"
    if path.endswith(".h") and "#pragma once" not in lines:
        yield 1, "pragma once", "missing in a header"
    if path.startswith("src/") and len(lines) > LONGEST_FILE:
        yield len(lines), "length", f"more than {LONGEST_FILE} lines: split it by subject"
    if path.startswith("src/tcg/") and "target" in name.lower():
        yield 1, "target", "say guest or host"
    if path.startswith("src/") and path.endswith(CODE) and not any(line.strip() for line in lines[2:]):
        yield 1, "empty file", "nothing in it yet"


CHECKS = [check_includes, check_text, check_shape]


def source_files(root):
    """Paths relative to `root` of the files a person wrote: no hidden or build directories."""
    for folder, directories, files in os.walk(root):
        directories[:] = sorted(d for d in directories
                                if not d.startswith(".") and d not in SKIPPED_DIRECTORIES and d != "build"
                                and not os.path.exists(os.path.join(folder, d, "meson-private")))
        for name in sorted(files):
            if not name.startswith("."):
                yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def lint(root):
    """All violations as (path, line, rule, message)."""
    def exists(path):
        return os.path.isfile(os.path.join(root, path))

    for path in source_files(root):
        with open(os.path.join(root, path), "rb") as file:
            data = file.read()
        if b"\0" in data:
            continue  # not text
        lines = data.decode("utf-8", errors="replace").splitlines()
        for check in CHECKS:
            for number, rule, message in check(path, lines, exists):
                yield path, number, rule, message


def main():
    violations = list(lint(sys.argv[1]))
    for path, number, rule, message in violations:
        print(f"{path}:{number}: {rule}: {message}")
    print(f"{len(list(source_files(sys.argv[1])))} files, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
