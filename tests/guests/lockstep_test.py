#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A stress guest in lockstep: lockstep_test.py PAGODA IMAGE. Nothing may differ, and hardly anything may be left out."""
import re
import subprocess
import sys

MOST_SKIPPED = 0.1  # per cent


def run(accel, *more):
    command = [sys.argv[1], "riscv64", "-M", "virt", "-bios", "none", "-kernel", sys.argv[2], "-m", "128M", "-nographic", "-nodefaults",
               "-serial", "null", "-accel", accel, *more]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)


def main():
    passed = failed = 0

    def check(condition, what, done):
        nonlocal passed, failed
        passed, failed = passed + bool(condition), failed + (not condition)
        if not condition:
            print("FAILED: %s: status %d\n%s%s" % (what, done.returncode, done.stdout, done.stderr))

    icount = ["-icount", "shift=3,sleep=off"]
    for accel in ("force-tier=1", "tier1-threshold=1,code-cache=1M", "force-tier=0"):
        done = run("tiered,lockstep=on," + accel, *icount)
        check(done.returncode == 0, accel, done)
        match = re.search(r"^lockstep: (\d+) instructions in \d+ blocks with [1-9]\d* stores compared, \d+ skipped \((.*) %\), no difference$", done.stdout, re.M)
        check(match and int(match.group(1)) + ("force-tier=0" in accel) > 0, accel + ": the count of instructions", done)
        check("are equal at the end" in done.stdout, accel + ": the end", done)
        check(match and (accel != "force-tier=1" or float(match.group(2)) <= MOST_SKIPPED), accel + ": what is skipped", done)
        check(done.stderr == "", accel + ": stderr", done)
    done = run("tiered,lockstep=on")
    check(done.returncode == 1 and done.stderr == "pagoda: lockstep=on needs -icount: runs have to repeat exactly\n", "no -icount", done)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
