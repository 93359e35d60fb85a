#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Usage: digest.py OUTPUT HEADER...: writes plugin_headers.h, a number that stands for the text of the headers."""
import hashlib
import sys

digest = hashlib.sha256()
for path in sys.argv[2:]:
    with open(path, "rb") as f:
        digest.update(hashlib.sha256(f.read()).digest())
with open(sys.argv[1], "w") as f:
    f.write("// Made by the build: a digest of the headers that plugins and program share.\n#pragma once\n\n"
            "inline constexpr unsigned long long kPluginHeaders = 0x%sULL;\n" % digest.hexdigest()[:16])
