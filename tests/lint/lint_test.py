#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lint.py finds what it is there for: each planted violation under its rule, and nothing in clean files."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402

HEADER = "// SPDX-License-Identifier: MIT\n// A file for the test.\n"


def header(body=""):
    return HEADER + "#pragma once\n" + body


def violations(files):
    """{path: text} -> the set of (path, line, rule)."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return {found[:3] for found in lint.lint(root)}


# Headers that planted files include.
WORLD = {f"src/{path}": header() for path in (
    "base/a.h", "memory/a.h", "tcg/ir/a.h", "tcg/abi/a.h", "tcg/interp/a.h", "tcg/interp/interp.h", "tcg/cache/a.h",
    "tcg/tier/inspect.h", "devices/bus/a.h", "devices/serial/a.h", "devices/serial/char_backend.h", "devices/pci/a.h",
    "devices/virtio/a.h", "cpu/a.h", "cpu/riscv64/a.h", "cpu/arm64/a.h", "cpu/x86_64/a.h", "machines/machine.h", "machines/config.h",
    "machines/inspect.h", "machines/run.h", "cli/a.h", "control/a.h", "ui/a.h")}
for path in WORLD:
    WORLD[path] += "int a();\n"


class Includes(unittest.TestCase):
    def check(self, includer, allowed, refused):
        lines = [f'#include "{name}"' for name in allowed + refused]
        found = violations({**WORLD, includer: HEADER + "\n".join(lines) + "\n"})
        expected = {(includer, 3 + len(allowed) + i, "include") for i in range(len(refused))}
        self.assertEqual(found, expected)

    def test_every_folder(self):
        self.check("src/base/x.cpp", ["base/a.h"], ["memory/a.h", "tcg/ir/a.h"])
        self.check("src/memory/x.cpp", ["base/a.h", "memory/a.h"], ["devices/bus/a.h", "cpu/a.h"])
        self.check("src/tcg/opt/x.cpp", ["base/a.h", "tcg/ir/a.h"], ["memory/a.h", "cpu/a.h", "cpu/riscv64/a.h"])
        self.check("src/devices/bus/x.cpp", ["memory/a.h", "devices/bus/a.h"], ["devices/serial/a.h", "cpu/a.h"])
        self.check("src/devices/serial/x.cpp", ["base/a.h", "devices/bus/a.h", "devices/serial/a.h"],
                   ["devices/virtio/a.h", "devices/pci/a.h", "cpu/a.h", "machines/config.h"])
        self.check("src/devices/virtio/x.cpp", ["devices/pci/a.h", "devices/serial/char_backend.h"],
                   ["devices/serial/a.h", "machines/machine.h"])
        self.check("src/cpu/riscv64/x.cpp", ["cpu/a.h", "cpu/riscv64/a.h", "tcg/ir/a.h", "tcg/abi/a.h", "memory/a.h"],
                   ["cpu/arm64/a.h", "tcg/interp/a.h", "tcg/cache/a.h", "devices/serial/a.h", "machines/config.h"])
        self.check("src/cpu/riscv64/translate/x.cpp", ["cpu/riscv64/a.h", "cpu/a.h"], ["cpu/arm64/a.h"])
        self.check("src/cpu/x86_64/x.cpp", ["cpu/a.h", "cpu/x86_64/a.h", "tcg/ir/a.h"],
                   ["cpu/riscv64/a.h", "cpu/arm64/a.h", "tcg/interp/a.h"])
        self.check("src/cpu/x86_64/translate/x.cpp", ["cpu/x86_64/a.h"], ["cpu/riscv64/a.h", "devices/serial/a.h"])
        self.check("src/cpu/x.cpp", ["cpu/a.h", "tcg/interp/interp.h", "tcg/cache/a.h", "devices/bus/a.h"],
                   ["cpu/riscv64/a.h", "tcg/interp/a.h", "machines/config.h"])
        self.check("src/machines/x.cpp", ["cpu/riscv64/a.h", "tcg/interp/a.h", "devices/serial/a.h", "machines/run.h"],
                   ["control/a.h", "ui/a.h", "cli/a.h"])
        self.check("src/cli/x.cpp", ["base/a.h", "machines/config.h", "cli/a.h"], ["machines/run.h", "cpu/a.h"])
        self.check("src/control/x.cpp", ["machines/machine.h", "machines/inspect.h", "tcg/tier/inspect.h", "control/a.h"],
                   ["machines/run.h", "cpu/a.h", "ui/a.h"])
        self.check("src/ui/x.cpp", ["machines/machine.h", "tcg/tier/inspect.h", "ui/a.h"], ["control/a.h", "tcg/ir/a.h"])
        self.check("src/main.cpp", ["cli/a.h", "machines/run.h", "control/a.h"], ["tcg/ir/a.h", "cpu/a.h"])

    def test_tables_and_fragments_obey_too(self):
        self.check("src/tcg/interp/x.inc", [], ["cpu/a.h"])
        self.check("src/cpu/riscv64/x.def", [], ["cpu/arm64/a.h"])

    def test_paths_begin_below_src(self):
        found = violations({**WORLD, "src/base/x.cpp": HEADER + '#include "a.h"\n#include "../memory/a.h"\n'})
        self.assertEqual(found, {("src/base/x.cpp", 3, "include"), ("src/base/x.cpp", 4, "include")})

    def test_generated_headers(self):
        line = HEADER + '#include "riscv64_firmware.h"\n'
        self.assertEqual(violations({"src/machines/x.cpp": line, "src/cpu/x.cpp": line}), {("src/cpu/x.cpp", 3, "include")})

    def test_unknown_folders(self):
        self.assertEqual(violations({"src/misc/x.cpp": HEADER + "int x;\n"}), {("src/misc/x.cpp", 1, "layout")})

    def test_tests_and_system_headers_are_free(self):
        self.assertEqual(violations({**WORLD, "tests/x.cpp": HEADER + '#include "ui/a.h"\n#include "cli/a.h"\n',
                                     "src/base/x.cpp": HEADER + "#include <cpu/a.h>\n"}), set())


class Text(unittest.TestCase):
    def check(self, path, line, rule):
        text = HEADER + line + "\n"
        if path.endswith(".h"):
            text = header(line + "\n")
        number = text.count("\n")
        if not path.endswith(lint.CODE):
            text, number = line + "\n", 1
        expected = {(path, number, rule)} if rule else set()
        self.assertEqual(violations({path: text}), expected, line)

    def test_forbidden_words(self):
        for word in ("tool" + " library", "Steering" + " Repo", "developer" + " session"):
            self.check("docs/x.md", f"see the {word} for more", "word")
        self.check("README.md", "a library of tools", None)

    def test_markers(self):
        for marker in ("TO" + "DO", "FIX" + "ME"):
            self.check("src/base/x.cpp", f"int x;  // {marker} later", "marker")
        self.check("src/base/x.cpp", "int TODOS;", None)

    def test_machine_paths(self):
        self.check("scripts/x.txt", "cd /" + "home/someone/pagoda", "machine path")
        self.check("src/base/x.cpp", 'open("/' + 'work/main/x");', "machine path")
        self.check("scripts/x.txt", 'cp "$dir"/' + 'root/a "${b}"/' + "home/c", None)
        self.check("docs/x.md", "see src/work/a and $HOME/x and /tmp/x", None)

    def test_registries(self):
        self.check("docs/x.md", "from " + "deb.debian" + ".org", "registry")

    def test_raw_ram(self):
        self.check("src/machines/x.cpp", "ram_store<u8>(p, 1);", "raw RAM")
        self.check("src/devices/bus/x.cpp", "memcpy(range->host, p, n);", "raw RAM")
        self.check("src/machines/x.cpp", "auto p = ram_range.host + 4;", "raw RAM")
        self.check("src/cpu/code_manager.cpp", "ram_copy_in(p, q, n);", "raw RAM")
        self.check("src/cpu/code_manager.cpp", "ram_copy_out(p, q, n);", None)
        self.check("src/cpu/code_manager.cpp", "ram_copy_lines(p, q, n);", None)
        self.check("src/cpu/softmmu_x.cpp", "return ram_load<u8>(range->host);", None)
        self.check("src/memory/x.cpp", "return ram_load<u8>(range->host);", None)
        self.check("src/machines/x.cpp", "// never range->host", None)

    def test_guest_and_host(self):
        self.check("src/tcg/x.cpp", "using target_ulong = u64;", "target")
        self.check("src/cpu/x.cpp", "struct TargetInfo {};", "target")
        self.check("src/tcg/x.cpp", "Unit* target = link.target;", None)  # where a jump goes
        self.assertIn(("src/tcg/target_x.cpp", 1, "target"), violations({"src/tcg/target_x.cpp": HEADER + "int x;\n"}))

    def test_exceptions(self):
        for line in ("throw 1;", "try { f(); }", "} catch (int) {"):
            self.check("src/base/x.cpp", line, "exception")
        self.check("src/base/x.cpp", "Result<> try_it();", None)
        self.check("src/base/x.cpp", 'if (bad) throw "why";  // a compile error', None)
        self.check("tests/x.cpp", "throw 1;", None)

    def test_format(self):
        self.check("src/base/x.cpp", "#include <format>", "format")
        self.check("src/base/x.cpp", "return std::format(x);", "format")


class Shape(unittest.TestCase):
    def test_license_line(self):
        self.assertEqual(violations({"src/base/x.cpp": "// Something of mine.\nint x;\nint y;\n"}),
                         {("src/base/x.cpp", 1, "SPDX")})
        self.assertEqual(violations({"scripts/run": "#!/bin/sh\necho\n"}), {("scripts/run", 1, "SPDX")})
        self.assertEqual(violations({"scripts/run": "#!/bin/sh\n# SPDX-License-Identifier: MIT\necho\n"}), set())
        self.assertEqual(violations({"src/meson.build": "x = 1\n"}), {("src/meson.build", 1, "SPDX")})

    def test_purpose_line(self):
        text = "// SPDX-License-Identifier: MIT\nint x;\nint y;\n"
        self.assertEqual(violations({"src/base/x.cpp": text}), {("src/base/x.cpp", 2, "purpose")})

    def test_pragma_once(self):
        self.assertEqual(violations({"src/base/x.h": HEADER + "int x();\n"}), {("src/base/x.h", 1, "pragma once")})

    def test_length(self):
        self.assertEqual(violations({"src/base/x.cpp": HEADER + "int x;\n" * 798}), set())
        self.assertEqual(violations({"src/base/x.cpp": HEADER + "int x;\n" * 799}), {("src/base/x.cpp", 801, "length")})

    def test_empty_files(self):
        self.assertEqual(violations({"src/base/x.cpp": HEADER + "\n"}), {("src/base/x.cpp", 1, "empty file")})

    def test_what_is_not_looked_at(self):
        bad = "throw " + "TO" + "DO\n"
        self.assertEqual(violations({"build/x.cpp": bad, ".git/x.cpp": bad, "out/meson-private/a": "", "out/x.cpp": bad,
                                     "subprojects/x.cpp": bad, "tests/data.bin": "\0" + bad}), set())


if __name__ == "__main__":
    unittest.main()
