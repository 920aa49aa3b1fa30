"""Compares wsbench with other clients on the same work, and prints ratios.

They run in turn, pinned to one core, against a bare server pinned to another. The first client of a case, most
often the floor, a bare epoll client, is what the others are compared with. Nothing passes or fails here: the figures
mean something only on a machine that does nothing else meanwhile. All that was seen is kept in target/bench.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import sys
from pathlib import Path

import cases
import clients
import fleet
import held
import page
import table
from outside import Servers, bytes_per_connection, measure, pinned
from soak import SETTLED, soak

COMMAND = "scripts/bench"
OUT = Path("target/bench")
ROUNDS = "of each client for each case (3); three times as many of wsbench and the floor where a ratio is asked for"
WSBENCH = "target/release/wsbench"
MORE = 3  # times as many rounds, where a ratio is asked for


def main():
    args = arguments()
    # As Ctrl-C does it: whatever is at work is ended first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("scripts/bench: told to end"))
    known = clients.all_of(args.wsbench)
    if args.case and args.case[0] in fleet.NAMES:
        return together(args)
    if args.held:
        return in_turn(args, known)
    chosen = [case for case in cases.ALL if (case.name in args.case if args.case else not case.by_name_only)]
    wanted = {name: client for name, client in known.items() if not args.client or name in args.client}
    # The long run has a table of its own: nobody wants to wait an hour for the others.
    is_long = [case.name for case in chosen] == ["soak"]
    marks = f"{COMMAND} --case soak" if is_long else COMMAND
    if args.write:
        page.check(marks)
    server_core, client_cores = prepared()
    present, left_out = roll_call(chosen, wanted)
    facts = {**machine(), **{name: version for name in present if (version := known[name].version())}}
    print(listed(facts))
    servers = Servers(clients.Floor.program, server_core)
    runs, unmeasured = [], []
    try:
        more = any(case.needs_more_rounds for case in chosen)
        for number in range(1, args.rounds * (MORE if more else 1) + 1):
            print(f"round {number}", flush=True)
            for case in chosen:
                for name in (name for name in taking_part(case, number, args.rounds) if name in present):
                    work = Work(case, known[name], number, client_cores[: case.cores])
                    try:
                        runs.append(work.measured(servers.of(case.circle, bool(case.tls)), args))
                    except (OSError, RuntimeError, ValueError) as error:
                        unmeasured.append(f"{work.name}: failed to measure it: {error}")
                        print(unmeasured[-1], file=sys.stderr, flush=True)
    finally:
        servers.stop()
        kept = {"machine": facts, "seconds": args.seconds, "unmeasured": unmeasured, "runs": runs}
        (OUT / "results.json").write_text(json.dumps(kept, indent=1))
    text = table.render(chosen, runs, left_out, [*unmeasured, *noise(facts)])
    print(text)
    if args.write:
        each = f"{args.minutes} minutes" if is_long else f"{args.seconds} s"
        how = f"{args.rounds} round{'s'[: args.rounds > 1]} of {each} each"
        how += f" and {args.rounds * MORE} where a ratio is asked for" if more else ""
        told = [word for word in sys.argv[1:] if not is_long or word not in ("--case", "soak")]
        page.write(marks, told, f"{how}: {listed(facts)}", text)
    if unmeasured:
        sys.exit(f"scripts/bench: failed to measure {len(unmeasured)} of {len(unmeasured) + len(runs)} runs")


def together(args):
    """Many processes under one verdict, which have tables of their own."""
    marks = {name: f"{COMMAND} --case {name}" for name in args.case}
    if args.write:
        for mark in marks.values():
            page.check(mark)
    failed = []
    for case in map(fleet.one, args.case):
        known = machine()
        print(f"{case.name}: {case.connections:,} connections, for {case.seconds} s; {listed(known)}", flush=True)
        try:
            seen, run = fleet.measure(case, args.wsbench, clients.Floor.program)
        except fleet.Refused as why:
            sys.exit(f"{COMMAND}: cannot measure it: {why}")
        text = fleet.rendered(case, seen, run)
        print(text, flush=True)
        if args.write:
            page.write(marks[case.name], ["--write"], f"once: {listed(known)}", text)
        failed += [case.name] if seen["exit_code"] != 0 else []
    if failed:
        sys.exit(f"{COMMAND}: no pass of {' and '.join(failed)}")


def in_turn(args, known):
    """Those that are at work at the same time, and held in turn; of that is a table of its own."""
    mark = f"{COMMAND} --held"
    if args.write:
        page.check(mark)
    server_core, client_cores = prepared()
    facts, measured = machine(), []
    print(listed(facts))
    for case in (case for case in cases.ALL if case.can_be_held and (not args.case or case.name in args.case)):
        try:
            measured.append((case, held.measure(case, known, server_core, client_cores[: case.cores], OUT)))
        except (OSError, RuntimeError) as error:
            sys.exit(f"{COMMAND}: cannot measure {case.name}: {error}")
    seen = [{"case": case.name, "rounds": rounds} for case, rounds in measured]
    (OUT / "held.json").write_text(json.dumps({"machine": facts, "held": seen}, indent=1))
    text = "\n\n".join([held.rendered(measured), *(table.listed("Doubts", found) for found in [noise(facts)] if found)])
    print(text)
    if args.write:
        how = f"{held.ROUNDS} turns of {held.SLICE:g} s each: {listed(facts)}"
        page.write(mark, [word for word in sys.argv[1:] if word != "--held"], how, text)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help=ROUNDS)
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="sampled in each run (5)")
    parser.add_argument("--minutes", type=int, default=60, metavar="N", help="that the soak lasts (60)")
    parser.add_argument("--wsbench", default=WSBENCH, metavar="PATH", help="another build of wsbench to measure")
    parser.add_argument("--write", action="store_true", help=f"put the table into {page.PAGE}")
    names = [*(case.name for case in cases.ALL), *fleet.NAMES]
    asked = ", ".join([*(case.name for case in cases.ALL if case.by_name_only), *fleet.NAMES])
    only = f"only this one of {', '.join(names)}; can be repeated; {asked} are measured only when they are named"
    parser.add_argument("--case", action="append", choices=names, metavar="NAME", help=only)
    turns = "hold the floor, the best floor and wsbench in turn, in the cases in flight"
    parser.add_argument("--held", action="store_true", help=turns)
    names = list(clients.all_of(WSBENCH))
    only = f"only this one of {', '.join(names)}; can be repeated"
    parser.add_argument("--client", action="append", choices=names, metavar="NAME", help=only)
    args = parser.parse_args()
    if any(name in fleet.NAMES for name in args.case or ()) and not set(args.case) <= set(fleet.NAMES):
        parser.error(f"{' and '.join(fleet.NAMES)} are measured by themselves")
    unable = [case.name for case in cases.ALL if case.name in (args.case or ()) and not case.can_be_held]
    if args.held and unable:
        parser.error(f"{unable[0]} cannot be held: only cases in flight owe nothing to a schedule")
    if args.rounds < 1 or args.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    if args.minutes * 60 < 2 * SETTLED:
        parser.error(f"--minutes must be at least {2 * SETTLED // 60}")
    return args


def taking_part(case, number, rounds):
    """Who has a turn in a round: after the usual ones only those whose ratio is asked for."""
    if number <= rounds:
        return case.clients
    return [name for name in case.clients if name in cases.JUDGED] if case.needs_more_rounds else []


class Work:
    """One run of one client."""

    def __init__(self, case, client, number, cores):
        self.case, self.client, self.number, self.cores = case, client, number, cores
        self.name = f"{case.name}-{client.name}-{number}"

    def measured(self, server, args):
        """Does it, and returns all that was seen."""
        long = self.case.name == "soak"
        seconds = args.minutes * 60 if long else args.seconds
        seen = self.once(self.case, self.name, server, seconds, soak if long else measure)
        if self.case.asks_for_memory:
            fewer = self.once(self.case.quarter, f"{self.name}-quarter", server, seconds, measure)
            seen["bytes_per_connection"] = bytes_per_connection(fewer, seen)
        return {"case": self.case.name, "client": self.client.name, "round": self.number, **seen}

    def once(self, case, name, server, seconds, measured_by):
        """Runs the client on one case."""
        out, log = OUT / name, OUT / f"{name}.log"
        out.mkdir()
        command = pinned(self.cores, self.client.command(case, self.client.port(server.port), seconds, out))
        if self.number == 1:
            show(command)
        seen = measured_by(case, self.client, server, command, seconds, log)
        return {**seen, **self.client.own_view(log, out)}


def roll_call(chosen, wanted):
    """Which of the wanted clients are there, and what is to be said of the others."""
    needed = [name for name in wanted if any(name in case.clients for case in chosen)]
    missing = {name: why for name in needed if (why := wanted[name].missing())}
    for why in missing.values():
        print(f"left out: {why}", file=sys.stderr)
    return [name for name in needed if name not in missing], [why.splitlines()[0] for why in missing.values()]


def prepared():
    """The cores of the server and of clients, once there are descriptors for all and an empty folder."""
    raise_descriptor_limit()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    return cores()


def cores():
    """One for the server, and those of clients: the others, then, for want of one, the server's."""
    ours = sorted(os.sched_getaffinity(0))
    if len(ours) < 2:
        sys.exit("scripts/bench: failed to keep client and server apart: there is only one core")
    return ours[-1], ours


def raise_descriptor_limit():
    """For the server and all clients but wsbench, which does it for itself."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def machine():
    return {
        "cpus": os.cpu_count(),
        "kernel": platform.release().split("-")[0],
        "architecture": platform.machine(),
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    }


def listed(facts):
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def noise(facts):
    """What speaks against all the figures at once."""
    busy = float(facts["load average"].split()[0]) > 0.5
    return [f"the machine was at work before the start: load average {facts['load average']}"] if busy else []


def show(command):
    print("$", " ".join(command), flush=True)


if __name__ == "__main__":
    main()
