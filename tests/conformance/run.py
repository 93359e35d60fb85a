#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs architecture tests that were built outside the project and compares with the result files beside this script.

PAGODA_RISCV_TESTS names the folder of riscv-tests images (rv64ui-p-add ...), PAGODA_RISCV_ARCH_TEST that of riscv-arch-test
(I/add-01.elf beside I/add-01.reference_output, linked for spike's HTIF), PAGODA_KVM_UNIT_TESTS the checkout of
kvm-unit-tests built for riscv64. A result file has a line "name,result" for every test; a test that is missing fails.
Results of this run are written to build/conformance. --bless makes them the expected ones.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
sys.path.insert(0, os.path.join(ROOT, "scripts/guest"))
import console  # noqa: E402  (the path has to be known first)

EMULATOR = console.emulator()
# "unsupported" in a result file: the test needs an extension that Pagoda does not offer yet; it is not run.
UNSUPPORTED = "unsupported"
# "differs": the reference says otherwise, for the reason at the head of the result file.
DIFFERS = "differs"
# "untested": nobody has run it; it is not run.
UNTESTED = "untested"


def read_results(name):
    with open(os.path.join(HERE, name + ".csv")) as f:
        rows = [line.strip().split(",", 1) for line in f if line.strip() and not line.startswith("#")]
    return dict(rows)


def write_results(folder, name, results):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".csv")
    head = [line for line in open(path) if line.startswith("#")] if os.path.exists(path) else []
    with open(path, "w") as f:
        f.writelines(head)
        for test in sorted(results):
            f.write("%s,%s\n" % (test, results[test]))


def invoke(arguments, timeout=60):
    try:
        done = subprocess.run([EMULATOR] + console.with_accelerator(["riscv64"] + arguments), stdin=subprocess.DEVNULL, text=True, errors="replace",
                              capture_output=True, timeout=timeout * float(os.environ.get("PAGODA_PATIENCE", "1")))
        return done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired:
        return None, "", ""


def riscv_test(folder, name):
    path = os.path.join(folder, name)
    if not os.path.isfile(path):
        return "missing"
    status, _, err = invoke(["-M", "spike", "-cpu", "max", "-nographic", "-bios", "none", "-kernel", path])
    if status is None:
        return "timeout"
    if status == 0 and err:
        return "fail (stderr: %s)" % err.splitlines()[0]
    return "pass" if status == 0 else "fail %d" % status


def riscv_arch_test(folder, name):
    path = os.path.join(folder, name)
    if not os.path.isfile(path + ".elf") or not os.path.isfile(path + ".reference_output"):
        return "missing"
    with tempfile.NamedTemporaryFile() as signature:
        status, _, err = invoke(["-M", "spike,signature=%s,signature-granularity=4" % signature.name, "-cpu", "max",
                                 "-nographic", "-bios", "none", "-kernel", path + ".elf"])
        got = open(signature.name).read().split()
    if status is None:
        return "timeout"
    if status != 0 or err:
        return "fail %d" % status
    return "pass" if got == open(path + ".reference_output").read().split() else DIFFERS


def kvm_unit_test(folder, name):
    path = os.path.join(folder, "riscv", name + ".flat")
    if not os.path.isfile(path):
        return "missing"
    more = ["-append", "foo bar baz"] if name == "selftest" else []
    status, out, err = invoke(["-nodefaults", "-nographic", "-serial", "mon:stdio", "-machine", "virt", "-kernel", path,
                               "-smp", "4"] + more, 120)
    if status is None:
        return "timeout"
    failing = [l for l in out.splitlines() if l.startswith("FAIL")]
    for line in failing:
        print("  %s: %s" % (name, line))
    return "pass" if "EXIT: STATUS=1" in out.replace("\r", "") and not failing and not err else "fail"


def suite(name, variable, function, workers, bless):
    """(passed, failed) of one collection."""
    folder = os.environ.get(variable)
    if not folder:
        print("  %s is not set: %s not run" % (variable, name))
        return 0, 0
    if not os.path.isdir(folder):
        print("  %s: there is no folder %s" % (variable, folder))
        return 0, 1
    wanted = read_results(name)
    run = sorted(t for t in wanted if wanted[t] not in (UNSUPPORTED, UNTESTED))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        got = dict(zip(run, pool.map(lambda t: function(folder, t), run)))
    results = dict(wanted, **got)
    write_results(os.path.join(ROOT, "build/conformance"), name, results)
    if bless:
        write_results(HERE, name, results)
        wanted = results
    wrong = [t for t in run if got[t] != "pass" and not (got[t] == wanted[t] == DIFFERS)]
    for test in wrong[:30]:
        print("  %s: %s" % (test, got[test]))
    if len(wrong) > 30:
        print("  ... and %d more, see build/conformance/%s.csv" % (len(wrong) - 30, name))
    differ = sum(got[t] == wanted[t] == DIFFERS for t in run)
    print("  %s: %d of %d pass, %d differ as listed, %d are not run" % (name, len(run) - len(wrong) - differ, len(run), differ,
                                                                    len(wanted) - len(run)))
    return len(run) - len(wrong), len(wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bless", action="store_true", help="make this run's results the expected ones")
    args = parser.parse_args()
    if not os.access(EMULATOR, os.X_OK):
        sys.exit("tests/conformance: there is no program at " + EMULATOR)
    first = suite("riscv-tests", "PAGODA_RISCV_TESTS", riscv_test, os.cpu_count(), args.bless)
    arch = suite("riscv-arch-test", "PAGODA_RISCV_ARCH_TEST", riscv_arch_test, os.cpu_count(), args.bless)
    # One at a time: these look at how late timers are.
    second = suite("kvm-unit-tests", "PAGODA_KVM_UNIT_TESTS", kvm_unit_test, 1, args.bless)
    passed, failed = (sum(numbers) for numbers in zip(first, arch, second))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
