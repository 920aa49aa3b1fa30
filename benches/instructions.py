"""Counts the instructions of the hot paths under valgrind, and holds them to benches/instructions/limits.csv.

Each path is done 1,000 times, then 3,000 times: the difference is its own, without what it takes to start, which is not
always the same. Exits with 1 where one is over its limit. What valgrind saw is kept in target/instructions, for
callgrind_annotate.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import limits
import page
import table

COMMAND = "scripts/instructions"
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release/examples/instructions"
LIMITS = Path("benches/instructions/limits.csv")
OUT = Path("target/instructions")
FEW, MANY = 1_000, 3_000
HEAD = ("path", "is", "instructions each", "limit", "verdict")


def main():
    args = arguments()
    try:
        paths = measured(args.write)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"{COMMAND}: failed to {error}")
    text = table.markdown(HEAD, [cells(path) for path in paths])
    print(text)
    if args.write:
        page.write(COMMAND, sys.argv[1:], ", ".join([version("rustc"), version("valgrind"), platform.machine()]), text)
    for path in paths:
        if path.is_loose():
            print(f"note: the limit of {path.name} is far above its count\nhint: lower it in {LIMITS}")
        if path.is_over():
            print(complaint(path), file=sys.stderr)
    sys.exit(1 if any(path.is_over() for path in paths) else 0)


def arguments():
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    into = f"put limits a tenth above the counts into {LIMITS}, and the table into {page.PAGE}"
    parser.add_argument("--write", action="store_true", help=into)
    return parser.parse_args()


def measured(write):
    """Every path with its limit, which `write` makes anew before."""
    if write:
        page.check(COMMAND)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    whats = listed(output([PROGRAM, "--list"]))
    counts = {name: (counted(name, MANY) - counted(name, FEW)) / (MANY - FEW) for name in whats}
    rows, machine = limits.read(LIMITS), platform.machine()
    if write:
        rows = limits.renewed(rows, counts, machine)
        limits.write(LIMITS, rows)
    return limits.judged(rows, whats, counts, machine)


def listed(text):
    """What each path is, by its name."""
    return dict(line.split(": ", 1) for line in text.splitlines())


def counted(name, times):
    """All instructions of a process that does a path so many times."""
    out = OUT / f"{name}-{times}"
    output(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", PROGRAM, name, str(times)])
    return total(out.read_text())


def total(text):
    """What callgrind has written down as its sum."""
    for line in text.splitlines():
        if line.startswith("totals: "):
            return int(line.removeprefix("totals: "))
    raise ValueError("find a total in what callgrind has written")


def output(command):
    what = f"run {' '.join(map(str, command))}"
    try:
        ended = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise RuntimeError(f"{what}: {error.strerror}") from error
    if ended.returncode:
        raise RuntimeError(f"{what}: exit code {ended.returncode}\n{ended.stderr.rstrip()}")
    return ended.stdout


def version(program):
    return " ".join(output([program, "--version"]).replace("-", " ").split()[:2])


def cells(path):
    limit = "" if path.limit is None else table.number(path.limit)
    return (path.name, path.what, table.number(path.count), limit, path.verdict())


def complaint(path):
    return (
        f"error: {path.name} takes {table.number(path.count)} instructions, and may take {path.limit:,}\n"
        f"hint: make it cheaper, or raise its limit in {LIMITS} and say why in the commit\n"
        f"hint: callgrind_annotate {OUT / path.name}-{MANY} shows where they are"
    )


if __name__ == "__main__":
    main()
