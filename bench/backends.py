# SPDX-License-Identifier: MIT
"""bench/run --backends: each backend of the program on one boot of Linux: is the result the reference's, what does
compiling cost, how big is the code, how fast does it run."""
import json
import os
import re
import subprocess
import tempfile
import time

INSTRUCTIONS = 400_000_000


def measure(program, guest, accel):
    """(seconds, state hash, statistics) of a run of exactly INSTRUCTIONS."""
    with tempfile.TemporaryDirectory(prefix="pagoda-bench-") as folder:
        path = os.path.join(folder, "statistics.json")
        command = [program, "riscv64", "-M", "virt", "-m", "512M", "-nographic", "-kernel", os.path.join(guest, "Image"),
                   "-initrd", os.path.join(guest, "initrd.cpio"), "-append", "console=ttyS0 quiet", "-stats-json", path,
                   "-icount", "shift=3,sleep=off,stop-at=%d" % INSTRUCTIONS, "-accel", "tiered," + accel]
        start = time.monotonic()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        seconds = time.monotonic() - start
        match = re.search(r"^state-hash: ([0-9a-f]+) instructions: %d\r?$" % INSTRUCTIONS, done.stdout, re.M)
        if done.returncode != 0 or not match:
            raise RuntimeError("%s: status %d: %s" % (accel, done.returncode, done.stderr.strip()))
        with open(path) as f:
            return seconds, match.group(1), json.load(f)


def compare(program, guest):
    """Prints a line for each backend; the number of those whose result is not the reference's."""
    listed = json.loads(subprocess.run([program, "backends", "--json"], capture_output=True, text=True, check=True).stdout)
    _, reference, _ = measure(program, guest, "force-tier=0,fusion=off")
    print("%-14s %-8s %22s %22s %18s" % ("backend", "result", "compile ns/instruction", "host bytes/instruction", "million instr./s"))
    wrong = 0
    for backend in listed:
        if not backend["available"]:
            print("%-14s not on this host" % backend["name"])
            continue
        seconds, state, statistics = measure(program, guest, "backend=%s,force-tier=%d" % (backend["name"], backend["tier"]))
        compiled, lowered = statistics["tier1"], statistics["translation"]["lower_ns_per_instruction"]
        cost = compiled["compile_ns_per_instruction"] if backend["tier"] else lowered
        size = compiled["host_bytes"] / compiled["guest_instructions"] if compiled["guest_instructions"] else 0
        wrong += state != reference
        print("%-14s %-8s %22.1f %22.1f %18.1f" % (backend["name"], "right" if state == reference else "WRONG", cost, size,
                                                  INSTRUCTIONS / seconds / 1e6), flush=True)
    print("%d passed, %d failed" % (len(listed) - wrong, wrong))
    return wrong
