"""Holds wsbench to a second observer: an echo server that has the kernel's times of every message, and counts.

Prints what was looked at, what was expected, what was seen, and whether it held; exits with 1 where something did not.
All that was seen is kept in target/accuracy. The whole takes about eight minutes, on a machine that does nothing else.
"""

import argparse
import os
import resource
import shutil
import sys
from pathlib import Path

# haproxy is started as for scripts/bench.
sys.path.append(str(Path(__file__).parent.parent))

import agreement
import connections
import deliveries
import limits
import losses
import stalls
from outside import Bench
from table import render, write

OUT = Path("target/accuracy")
PAGE = Path("docs/measurement.md")


def main():
    args = arguments()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("scripts/accuracy: failed to keep client and server apart: there is only one core")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    bench = Bench(Path(args.build), OUT, client_core=cores[0], server_core=cores[-1])
    load = os.getloadavg()[0]
    rows = []
    try:
        for part in (agreement, connections, deliveries, losses, stalls, limits):
            rows += part.run(bench, args.quick)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"scripts/accuracy: failed to {error}")
    text = render(rows, load, args.quick)
    (OUT / "table.md").write_text(text)
    print(text)
    if args.write:
        write(PAGE, text)
    sys.exit(0 if all(row.holds for row in rows) else 1)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/accuracy", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE}")
    parser.add_argument("--quick", action="store_true", help="shorter runs, to try the script itself")
    parser.add_argument(
        "--build", default="target/release", metavar="FOLDER", help="measure what is there, and build nothing"
    )
    args = parser.parse_args()
    if args.write and args.quick:
        parser.error("what quick runs show is not worth keeping")
    return args


if __name__ == "__main__":
    main()
