#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Judges a result of bench/run: score.py FILE prints its table and what the project asks for; the exit status is 1 if a
bar is missed. A factor says how many times faster Pagoda is than the fastest of the other emulators at that workload.
Runs with the richest CPU that each emulator has (bench/run --rich) are compared among themselves, in a column that no bar
judges.
"""
import argparse
import json
import math
import statistics
import sys

# Least factors, as geometric means over a category. No single program may fall below WORST.
BARS = {"integer": 1.5, "calls": 2.5, "memory": 1.4, "floating": 4.0, "system": 1.3, "real": 1.3}
WORST = 0.97
BOOT = 1 / 0.6  # to the first line of init
RICH = " rich"  # behind an emulator's name


def median(rows, key):
    return statistics.median(r[key] for r in rows)


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def rows_of(results, emulator, name):
    return [r[name] for r in results[emulator]["rounds"] if "wall" in r.get(name, {})]


def names_of(results):
    return list(next(iter(results.values()))["workloads"].items())


def check_outputs(results):
    """Prints the workloads that failed somewhere; returns (passed, failed)."""
    passed = failed = 0
    for name, _ in names_of(results):
        rows = [rows_of(results, e, name) for e in results]
        if len({r.get("hash") for of in rows for r in of}) > 1:
            print("%s: outputs differ" % name)
            failed += 1
        elif not all(rows) or any(r["status"] != 0 for of in rows for r in of):
            print("%s: did not run to its end" % name)
            failed += 1
        else:
            passed += 1
    return passed, failed


def summary_of(results, clock):
    """Medians and factors by workload, category and for the boot; {} where there is nothing to compare."""
    same = {e: e for e in results if not e.endswith(RICH)}
    rich = {e[:-len(RICH)]: e for e in results if e.endswith(RICH)}
    summary = {"workloads": {}, "categories": {}}

    def compare(rows):
        """`rows` by emulator: None unless all have some."""
        if not all(rows.values()) or len(rows) < 2:
            return None
        pagoda = {k: median(rows["pagoda"], k) for k in ("wall", "cpu", "resident") if k in rows["pagoda"][0]}
        fastest = min((e for e in rows if e != "pagoda"), key=lambda e: median(rows[e], clock))
        best = {k: median(rows[fastest], k) for k in pagoda}
        entry = {"pagoda": pagoda, "other": best, "fastest": fastest}
        entry["factors"] = {k: max(best[k], 1e-3) / max(pagoda[k], 1e-3) for k in pagoda}
        return entry

    for name, category in names_of(results):
        entry = compare({e: rows_of(results, k, name) for e, k in same.items()})
        if entry:
            summary["workloads"][name] = dict(entry, category=category)
            summary["workloads"][name]["rich"] = compare({e: rows_of(results, k, name) for e, k in rich.items()})
    boot = compare({e: results[e]["boots"] for e in same})
    if boot:
        summary["boot"] = dict(boot, rich=compare({e: results[k]["boots"] for e, k in rich.items()}))
    by_category, by_category_rich = {}, {}
    for entry in summary["workloads"].values():
        by_category.setdefault(entry["category"], []).append(entry["factors"][clock])
        if entry["rich"]:
            by_category_rich.setdefault(entry["category"], []).append(entry["rich"]["factors"][clock])
    summary["categories"] = {c: mean(values) for c, values in by_category.items()}
    summary["rich"] = {c: mean(values) for c, values in by_category_rich.items()}
    summary["clock"] = clock
    return summary


def print_table(summary):
    clock, rich = summary["clock"], summary["rich"]

    def print_row(group, name, entry):
        column = "%8.2f" % entry["rich"]["factors"][clock] if entry["rich"] else " " * 8
        print("%-10s %-16s %9.2f %9.2f %8.2f%s  %s" % (group, name, entry["pagoda"][clock], entry["other"][clock], entry["factors"][clock],
                                                     column if rich else "", entry["fastest"]))

    print("\n%-10s %-16s %9s %9s %8s%s  %s" % ("category", "workload", "pagoda s", "other s", "factor", "    rich" if rich else "", "fastest other"))
    for name, entry in summary["workloads"].items():
        print_row(entry["category"], name, entry)
    for category, value in summary["categories"].items():
        print("%-27s %28.2f%s  geometric mean" % (category, value, "%8.2f" % rich[category] if category in rich else ""))
    if "boot" in summary:
        print_row("boot", "to init", summary["boot"])


def verdict(summary):
    """Lines of what was asked and what it is; whether all holds."""
    clock = summary["clock"]
    lines = []
    for category, bar in BARS.items():
        if category in summary["categories"]:
            value = summary["categories"][category]
            lines.append((value >= bar, "%s: %.2f times as fast, at least %.2f" % (category, value, bar)))
    slow = {n: e["factors"][clock] for n, e in summary["workloads"].items() if e["factors"][clock] < WORST}
    text = ", ".join("%s %.2f" % pair for pair in sorted(slow.items(), key=lambda p: p[1]))
    lines.append((not slow, "no program below %.2f: %s" % (WORST, text or "none is")))
    cpu = {k: sum(e[k]["cpu"] for e in summary["workloads"].values()) for k in ("pagoda", "other")}
    lines.append((cpu["pagoda"] <= cpu["other"], "CPU seconds of all: %.1f, at most %.1f" % (cpu["pagoda"], cpu["other"])))
    ends = [list(summary["workloads"].values())[-1]] if summary["workloads"] else []
    points = [("after boot", summary["boot"])] if "boot" in summary else []
    points += [("after the run", e) for e in ends]
    for when, entry in points:
        if "resident" in entry["pagoda"]:
            own, other = (entry[k]["resident"] / 2**20 for k in ("pagoda", "other"))
            lines.append((own < other, "resident MiB %s: %.0f, below %.0f" % (when, own, other)))
    if "boot" in summary:
        value = summary["boot"]["factors"][clock]
        lines.append((value >= BOOT, "boot to init: %.2f of the time, at most %.2f" % (1 / value, 1 / BOOT)))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    args = parser.parse_args()
    try:
        with open(args.file) as f:
            kept = json.load(f)
        summary = summary_of(kept["results"], kept["clock"])
    except (OSError, ValueError, KeyError) as e:
        sys.exit("score: %s: %s" % (args.file, e))
    print_table(summary)
    print()
    lines = verdict(summary)
    for good, text in lines:
        print("%s  %s" % ("holds " if good else "MISSED", text))
    failed = sum(not good for good, _ in lines)
    print("%d passed, %d failed" % (len(lines) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
