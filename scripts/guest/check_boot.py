#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots a guest without a terminal of ours: waits for the prompt, lets the shell compute, powers off. Exit 0 when all came."""
import signal
import sys

import console


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with console.Guest(sys.argv[2:], sys.argv[1]) as guest:
            guest.expect("init: started", 300)
            print("the guest's init runs", flush=True)
            guest.prompt()
            status, output = guest.run("echo $((6*7))")
            if status != 0 or output.strip() != "42":
                sys.exit("quickstart: the guest's shell computed %r instead of 42" % output.strip())
            print("its shell answers, 6*7 = 42", flush=True)
            guest.send("poweroff\n")
            status = guest.wait()
            if status != 0:
                sys.exit("quickstart: the emulator's status after power-off is %d instead of 0" % status)
            print("powered off, status 0", flush=True)
    except console.GuestError as e:
        if e.console:
            sys.stderr.write(console.tail(e.console) + "\n")
        sys.exit("quickstart: %s" % e)


if __name__ == "__main__":
    main()
