#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the boot tests: tests/boot/run.py [--smoke] [--list] [NAME...]; NAME is how a test's name starts."""
import argparse
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bad_input  # noqa: E402,F401  (importing registers the tests)
import disk  # noqa: E402,F401
import firmware  # noqa: E402,F401
import folder  # noqa: E402,F401
import gdb  # noqa: E402,F401
import harness  # noqa: E402
import installer  # noqa: E402,F401
import linux  # noqa: E402,F401
import lockstep  # noqa: E402,F401
import network  # noqa: E402,F401
import pci  # noqa: E402,F401
import terminal  # noqa: E402,F401
import xv6  # noqa: E402,F401


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="one boot per guest")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    chosen = [t for t in harness.TESTS if (t[3] or not args.smoke)
              and (not args.names or any(t[0].startswith(n) for n in args.names))]
    if args.list:
        print("\n".join(t[0] for t in chosen))
        return 0
    if not chosen:
        sys.exit("tests/boot: no test is called " + " or ".join(args.names))
    if not os.access(harness.console.emulator(), os.X_OK):
        sys.exit("tests/boot: there is no program at " + harness.console.emulator())
    missing = set()
    for image in sorted({i for t in chosen for i in t[2]}):
        if subprocess.run([os.path.join(harness.ROOT, "scripts/guest/make"), "riscv64", image]).returncode != 0:
            if image not in harness.OPTIONAL_IMAGES:
                sys.exit("tests/boot: the guest image %r could not be made" % image)
            missing.add(image)
    # Ended from outside, the guests are ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    passed = failed = skipped = 0
    for name, function, images, _ in chosen:
        start = time.monotonic()
        try:
            for image in missing.intersection(images):
                raise harness.Skipped("the guest image %r could not be made" % image)
            function()
            word, passed = "ok", passed + 1
        except harness.Skipped as e:
            word, skipped = "skipped: %s" % e, skipped + 1
        except (harness.Failure, harness.console.GuestError) as e:
            word, failed = "FAILED: %s" % e, failed + 1
            if getattr(e, "console", ""):
                word += "\n" + harness.console.tail(e.console)
        print("  boot %-40s %5.1f s  %s" % (name, time.monotonic() - start, word), flush=True)
    if skipped:
        print("%d skipped" % skipped)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
