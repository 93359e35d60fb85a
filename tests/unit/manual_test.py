#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual page and the shells' completions: every option is in each, and shells and roff take them.

Usage: manual_test.py OPTIONS_DEF MANUAL BASH ZSH"""
import re
import shutil
import subprocess
import sys

PASSED = FAILED = 0


def case(name, problem):
    global PASSED, FAILED
    if problem:
        FAILED += 1
        print("  FAILED %s: %s" % (name, problem))
    else:
        PASSED += 1


def complete(script, words):
    """What bash offers for the last of the words."""
    program = "source %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _pagoda; echo \"${COMPREPLY[*]}\"" % (
        script, " ".join("'%s'" % w for w in words))
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    return done.stdout.split() if not done.stderr else [done.stderr]


def main():
    table, manual, bash, zsh = sys.argv[1:]
    with open(table) as f:
        text = f.read()
    names = []
    for match in re.finditer(r'PAGODA_OPTION\("([\w-]+)", "([\w-]*)"', text):
        names += [n for n in match.groups() if n]
    case("the option table", "" if len(names) > 30 else "only %d options found" % len(names))
    refused = re.findall(r'PAGODA_UNSUPPORTED_OPTION\("([\w-]+)"', text)
    with open(manual) as f:
        page = f.read()
    with open(zsh) as f:
        zsh_text = f.read()
    offered = complete(bash, ["pagoda", "riscv64", "-"])
    for name in names:
        case("manual -" + name, "" if re.search(r"^\.B (.*, )?\\-%s(?![\w\\])" % re.escape(name.replace("-", r"\-")), page, re.M)
             else "missing")
        case("bash -" + name, "" if "-" + name in offered else "missing")
        case("zsh -" + name, "" if "'*-%s[" % name in zsh_text else "missing")
    for name in refused:
        case("refused -" + name, "it is offered" if "-" + name in offered else "")
    case("bash, an option", "" if complete(bash, ["pagoda", "riscv64", "-mach"]) == ["-machine"] else "not completed")
    case("bash, two dashes", "" if complete(bash, ["pagoda", "riscv64", "--mach"]) == ["-machine"] else "not completed")
    case("bash, a guest", "" if complete(bash, ["pagoda", "ris"]) == ["riscv64"] else "not completed")
    case("bash, a machine", "" if complete(bash, ["pagoda", "riscv64", "-M", "vi"]) == ["virt"] else "not completed")
    case("bash, a device", "" if "virtio-rng-device" in complete(bash, ["pagoda-system-riscv64", "-device", "virtio-rng"])
         else "not completed")
    case("bash, no value known", "" if complete(bash, ["pagoda", "riscv64", "-append", ""]) == [] else "something is offered")
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", manual], capture_output=True, text=True)
        case("groff", done.stderr.strip())
    if shutil.which("zsh"):
        done = subprocess.run(["zsh", "-n", zsh], capture_output=True, text=True)
        case("zsh -n", done.stderr.strip())
    print("%d passed, %d failed" % (PASSED, FAILED))
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
