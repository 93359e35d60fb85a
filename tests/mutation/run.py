#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the sources in the ways that mutations.toml lists, one at a time, and requires that tests notice: caught (they
fail), SURVIVED (they pass: a test is missing), STALE (the old text is not there once any more), BROKEN (does not compile).
All happens in a copy below build/mutation. Usage: run.py [--list | --stale] [NAME-PREFIX...]. Ends with "N passed, N failed"."""
import argparse
import os
import shutil
import subprocess
import sys
import time
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
WORK = os.path.join(ROOT, "build/mutation")
TREE, BUILD = os.path.join(WORK, "tree"), os.path.join(WORK, "build")
# Little optimisation: rows compile more than they run.
OPTIONS = ["-Dbuildtype=plain", "-Doptimization=1", "-Dwerror=false", "-Db_ndebug=true"]


def sync():
    """Makes the copy equal to the tree; what is equal already keeps its time, so that it is not compiled again."""
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    wanted = {name for name in os.fsdecode(listed.stdout).split("\0") if name and os.path.isfile(os.path.join(ROOT, name))}
    for folder, _, names in os.walk(TREE):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.relpath(path, TREE) not in wanted:
                os.remove(path)
    for name in wanted:
        source, copy = os.path.join(ROOT, name), os.path.join(TREE, name)
        with open(source, "rb") as f:
            content = f.read()
        if os.path.exists(copy):
            with open(copy, "rb") as f:
                if f.read() == content:
                    continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(copy, "wb") as f:
            f.write(content)
        shutil.copymode(source, copy)


def build(targets):
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        done = subprocess.run(["meson", "setup", *OPTIONS, BUILD, TREE], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("run.py: meson could not configure %s:\n%s" % (BUILD, done.stdout[-2000:]))
    jobs = os.environ.get("PAGODA_JOBS", str(os.cpu_count()))
    done = subprocess.run(["ninja", "-C", BUILD, "-j", jobs, *targets], capture_output=True, text=True)
    return done.returncode == 0, done.stdout


def passes(row):
    """None: the time limit ended it, which is what some mutations lead to."""
    command = [os.path.join(BUILD, row["run"][0])] + [word.replace("{build}", BUILD) for word in row["run"][1:]]
    try:
        done = subprocess.run(command, cwd=BUILD, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=row.get("timeout", 120))
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return None


def write(row, text):
    with open(os.path.join(TREE, row["file"]), "w") as f:
        f.write(text)


def read(root, row):
    with open(os.path.join(root, row["file"])) as f:
        return f.read()


def judge(row):
    text = read(TREE, row)
    if text.count(row["old"]) != 1:
        return "STALE", "%s has the old text %d times" % (row["file"], text.count(row["old"]))
    write(row, text.replace(row["old"], row["new"]))
    try:
        compiled, output = build(row["targets"])
        if not compiled:
            errors = [line for line in output.splitlines() if "error" in line]
            return "BROKEN", (errors or ["it does not compile"])[0]
        result = passes(row)
    finally:
        write(row, text)
    return ("caught", "time limit") if result is None else ("SURVIVED", "") if result else ("caught", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="list the rows")
    parser.add_argument("--stale", action="store_true", help="only look for rows whose old text is not there once")
    parser.add_argument("names", nargs="*", metavar="NAME-PREFIX")
    args = parser.parse_args()
    with open(os.path.join(HERE, "mutations.toml"), "rb") as f:
        rows = tomllib.load(f)["mutation"]
    rows = [row for row in rows if not args.names or row["name"].startswith(tuple(args.names))]
    if args.list:
        for row in rows:
            print("%-28s %s: %s" % (row["name"], row["file"], " ".join(row["run"])))
        return 0
    if args.stale:
        stale = [row["name"] for row in rows if read(ROOT, row).count(row["old"]) != 1]
        for name in stale:
            print("  %-28s STALE" % name)
        print("%d passed, %d failed" % (len(rows) - len(stale), len(stale)))
        return 1 if stale else 0
    if not rows:
        sys.exit("run.py: no row is called so (--list lists them)")
    sync()
    print("building the sources as they are in build/mutation", flush=True)
    compiled, output = build(sorted({target for row in rows for target in row["targets"]}))
    if not compiled:
        sys.exit("run.py: the sources do not build\n" + output[-2000:])
    # A test that fails anyway catches nothing.
    healthy = {command: passes(row) for command, row in {" ".join(row["run"]): row for row in rows}.items()}
    failed = 0
    for row in rows:
        start = time.monotonic()
        sound = healthy[" ".join(row["run"])]
        verdict, note = judge(row) if sound else ("BROKEN", "its test fails without the mutation")
        failed += verdict != "caught"
        print("  %-28s %-8s %6.1f s  %s" % (row["name"], verdict, time.monotonic() - start, note), flush=True)
    print("%d passed, %d failed" % (len(rows) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
