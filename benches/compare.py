"""Compares wsbench with the floor, a bare epoll client, on the same work, and prints ratios.

Both run in turn, pinned to one core, against a bare echo server pinned to another. Nothing passes or fails here: the
figures mean something only on a machine that does nothing else meanwhile. All that was seen is kept in target/bench.
The whole takes about a quarter of an hour.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import sys
from pathlib import Path

import cases
import table
from outside import Server, measure, pinned

OUT = Path("target/bench")
FLOOR = "target/release/examples/floor"
WSBENCH = "target/release/wsbench"


def main():
    args = arguments()
    chosen = [case for case in cases.ALL if not args.case or case.name in args.case]
    server_core, client_core = cores()
    raise_descriptor_limit()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    facts = machine()
    print("; ".join(f"{name} {value}" for name, value in facts.items()))
    server = Server(FLOOR, server_core)
    show(server.command)
    runs = []
    try:
        for number in range(1, args.rounds + 1):
            print(f"round {number} of {args.rounds}", flush=True)
            for case in chosen:
                for client in ("floor", "wsbench"):
                    name = f"{case.name}-{client}-{number}"
                    command = pinned(client_core, command_line(case, client, args, server, OUT / name))
                    if number == 1:
                        show(command)
                    run = measure(case, server, command, args.seconds, OUT / f"{name}.log")
                    runs.append({"case": case.name, "client": client, "round": number, **run, **own_view(client, name)})
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"scripts/bench: failed to measure {name}: {error}")
    finally:
        server.stop()
        kept = {"machine": facts, "seconds": args.seconds, "runs": runs}
        (OUT / "results.json").write_text(json.dumps(kept, indent=1))
    print(table.render(chosen, runs, noise(facts)))


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each client for each case (5)")
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="sampled in each run (5)")
    parser.add_argument("--wsbench", default=WSBENCH, metavar="PATH", help="another build of wsbench to measure")
    names = [case.name for case in cases.ALL]
    only = "only this one of " + ", ".join(names) + "; can be repeated"
    parser.add_argument("--case", action="append", choices=names, metavar="NAME", help=only)
    args = parser.parse_args()
    if args.rounds < 1 or args.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    return args


def cores():
    """One for the server and one for the client."""
    ours = sorted(os.sched_getaffinity(0), reverse=True)
    if len(ours) < 2:
        sys.exit("scripts/bench: failed to keep client and server apart: there is only one core")
    return ours[0], ours[-1]


def raise_descriptor_limit():
    """For the server and the floor; wsbench does it for itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def machine():
    return {
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    }


def noise(facts):
    """What speaks against all the figures at once."""
    busy = float(facts["load average"].split()[0]) > 0.5
    return [f"the machine was at work before the start: load average {facts['load average']}"] if busy else []


def command_line(case, client, args, server, out):
    if client == "floor":
        return case.floor_command(FLOOR, server.port, args.seconds)
    return case.wsbench_command(args.wsbench, server.port, args.seconds, str(out))


def show(command):
    print("$", " ".join(command), flush=True)


def own_view(client, name):
    """What only the client itself can know."""
    if client == "floor":
        seen = json.loads((OUT / f"{name}.log").read_text())
        return {"late_p50_us": seen["lateness_p50_us"], "late_p99_us": seen["lateness_p99_us"]}
    metrics = json.loads((OUT / name / "run.json").read_text())["metrics"]
    late = [metric for metric in metrics if metric["name"] == "schedule.lateness"]
    size = [metric for metric in metrics if metric["name"] == "generator.bytes_per_connection"]
    failures = ("connections.failed", "connections.dead", "heartbeat.missed", "messages.timed_out", "messages.lost")
    return {
        "late_p50_us": late[0]["p50"] if late else None,
        "late_p99_us": late[0]["p99"] if late else None,
        "own_bytes_per_connection": size[0]["max"] if size else None,
        "failures": sum(metric["count"] for metric in metrics if metric["name"] in failures),
    }


if __name__ == "__main__":
    main()
