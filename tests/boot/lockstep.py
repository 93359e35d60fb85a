# SPDX-License-Identifier: MIT
"""Linux boots and powers off in lockstep: each block of tier 1 beside the reference, tier 0 without fusion."""
import json
import os
import re

from harness import boot_test, check, check_equal, console, disk_file, invoke, linux, scratch, virtio_disk

MOST_SKIPPED = 0.1  # per cent of the instructions


def in_lockstep(accel, *more, command="echo sum $((40+2))", skipped=MOST_SKIPPED):
    arguments = linux("-icount", "shift=3,sleep=off", *more, append='guest_run="%s; /bin/poweroff"' % command)
    status, out, err = invoke(arguments + ["-accel", "tiered,lockstep=on," + accel], 1200)
    report = "\n".join(line for line in out.splitlines() if line.startswith("lockstep: "))
    check_equal((status, err), (0, ""), "(status, stderr) after " + report)
    check("sum 42" in out, "the guest's command did not run")
    match = re.search(r"(\d+) instructions in \d+ blocks with [1-9]\d* stores compared, \d+ skipped \((.*) %\), no difference$", report, re.M)
    check(match and int(match.group(1)) > 10**9, "what was compared: " + report)
    check(float(match.group(2)) <= skipped, "too much was skipped: " + report)
    check("are equal at the end" in report, "the end was not compared: " + report)


@boot_test()
def whole_boot():
    in_lockstep("force-tier=1")


# Code comes and goes all the time; what is done once or twice stays on tier 0.
@boot_test()
def small_cache_and_disk():
    with scratch() as folder:
        work = "dd if=/dev/urandom of=/dev/vda bs=64k count=16 conv=fsync 2>/dev/null; sha256sum /dev/vda; echo sum $((40+2))"
        in_lockstep("tier1-threshold=1,code-cache=1M", *virtio_disk(disk_file(folder, 4)), command=work, skipped=5)


def statistics_of(accel, *more, smp=1):
    with scratch() as folder:
        path = os.path.join(folder, "statistics.json")
        status, out, err = invoke(linux("-accel", "tiered," + accel, "-stats-json", path, *more, smp=smp,
                                        append='guest_run="echo sum $((40+2)); /bin/poweroff"'), 900)
        check_equal((status, err), (0, ""), "(status, stderr)")
        check("sum 42" in out, "the guest's command did not run")
        with open(path) as f:
            return json.load(f)


# All of the guest is compiled, or nearly so.
@boot_test()
def hardly_anything_falls_back():
    found = statistics_of("force-tier=1")
    check(found["fallback"]["percent"] <= 1, "what falls back to tier 0: %r" % found["fallback"])


# With hardly any room for code, and steps of the translator that fail, the guest goes on.
@boot_test()
def small_cache_and_failures():
    found = statistics_of("tier1-threshold=1,code-cache=1M", "-icount", "shift=3,sleep=off")
    check(found["cache"]["evictions"] > 1000 and found["cache"]["full_flushes"] == 0, "generations evicted: %r" % found["cache"])
    found = statistics_of("code-cache=1M", smp=4)
    check(found["cache"]["evictions"] > 1000 and found["cache"]["full_flushes"] == 0,
          "generations evicted with four CPUs: %r" % found["cache"])
    found = statistics_of("tier1-threshold=1,fail-every=100", "-icount", "shift=3,sleep=off")
    check(found["tier1"]["failed"] > 100, "steps that failed: %r" % found["tier1"])


# Each hot-spot policy brings most of the guest to tier 1.
@boot_test()
def policies():
    for policy in ("threshold", "window", "decay", "adaptive"):
        found = statistics_of("policy=" + policy)
        check_equal(found["policy"]["name"], policy, "the policy")
        check(found["policy"]["promotions"] > 1000, "promotions: %r" % found["policy"])
        check(found["fallback"]["percent"] < 20, "what stays on tier 0 by %s: %r" % (policy, found["fallback"]))


# The example of a plugin does all that tier 1 does.
@boot_test()
def light_plugin():
    folder = os.path.join(os.path.dirname(console.emulator()), "src/tcg/plugins")
    found = statistics_of("force-tier=1,backend=light-plugin,plugins=" + folder, smp=2)
    check_equal(found["tier1"]["backend"], "light-plugin", "the backend")
    check(found["fallback"]["percent"] <= 1, "what falls back to tier 0: %r" % found["fallback"])


# At one count of instructions the guest's RAM and registers are the same whatever regions tier 2 made of it, and however.
@boot_test()
def state_on_tier2():
    def state(accel):
        status, out, err = invoke(linux("-icount", "shift=0,stop-at=700000000", "-accel", "tiered," + accel), 900)
        check_equal((status, err), (0, ""), "(status, stderr) with " + accel)
        match = re.search(r"^state-hash: \w+ instructions: 700000000$", out, re.M)
        check(match, "no hash with %s: %r" % (accel, out[-200:]))
        return match.group(0)

    wanted = state("max-tier=1")
    for accel in ("check-registers=on,compile-thread=off", "tier2-threshold=50,shuffle-registers=3", "spill-everything=on",
                  "opt-level=0,page-sharing=off"):
        check_equal(state("max-tier=2," + accel), wanted, "the state with " + accel)
    found = statistics_of("max-tier=2,compile-thread=off")
    check(found["tier2"]["published"] > 20, "regions: %r" % found["tier2"])


# Counted code does the same, and what it counts is plausible.
@boot_test()
def regions_are_counted():
    def run(*accel):
        status, out, err = invoke(linux("-icount", "shift=0,stop-at=700000000", "-d", "tier", "-accel", ",".join(("tiered",) + accel)), 900)
        check_equal(status, 0, "status")
        return re.search(r"^state-hash: .*$", out, re.M).group(0), err

    state, log = run("max-tier=2", "compile-thread=off", "count-regions=on")
    check_equal(state, run("max-tier=1")[0], "the state")
    found = re.findall(r"^region \w+: \d+ parts, \d+ instructions; entered (\d+) times, (\d+) instructions", log, re.M)
    entered, executed = (sum(int(row[i]) for row in found) for i in (0, 1))
    check(len(found) > 20 and entered > 10000, "regions: %d, entered %d times" % (len(found), entered))
    check(10 * entered < executed < 700000000, "instructions in regions: %d, entered %d times" % (executed, entered))
    check(re.search(r"^ +\d+\.\d % from \w+ to \w+", log, re.M), "no exits in %r" % log[-500:])


@boot_test()
def linux_on_tier2_smp4():
    found = statistics_of("max-tier=2,tier2-threshold=50,check-registers=on", smp=4)
    check(found["tier2"]["published"] > 20, "regions: %r" % found["tier2"])
