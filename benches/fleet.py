"""Many processes, one verdict: holds very many connections with heartbeats on one machine, and tells what they cost.

Each process of wsbench plays a part of one scenario against bare servers on addresses of 127.0.0.0/8, so that no process
needs more descriptors than one may have. What they saw is judged by one of them: `wsbench merge`. It loads the machine
fully for some minutes, and ends early where memory runs out. The servers count as well: a second observer.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import processes
import table

OUT = Path("target/fleet")
LEAD = 15  # seconds for all parts to get ready
PATIENCE = 60  # seconds beyond the plan until a part is ended
LOOK = 2  # seconds between two looks at the machine
SPARE = 2 << 30  # bytes of memory: with less than that free all is ended
OWN = 128  # descriptors of a process besides those of connections
GIB, KIB = 1 << 30, 1 << 10


@dataclass(frozen=True)
class Case:
    """So many connections, and when what happens. Times are in seconds."""

    name: str
    connections: int
    processes: int  # of clients, and as many servers: connection i has server i mod n and is of part i mod n
    ramp_up: int
    warm_up: int  # what the last connections have to open in
    duration: int
    ramp_down: int
    interval: int  # between two pings of a connection
    timeout: int  # from a ping to its pong
    sources: int = 2  # local addresses; no divisor of the number of processes, or some pairs would never be used

    @property
    def seconds(self):
        return self.ramp_up + self.warm_up + self.duration + self.ramp_down

    @property
    def each(self):
        """The most connections of one process."""
        return -(-self.connections // self.processes)


ALL = (
    Case("fleet", 250_000, 13, ramp_up=50, warm_up=10, duration=60, ramp_down=30, interval=30, timeout=15),
    Case("million", 1_000_000, 51, ramp_up=150, warm_up=12, duration=121, ramp_down=60, interval=120, timeout=60),
)
NAMES = [case.name for case in ALL]


class Refused(Exception):
    """It cannot be measured here."""


def scenario(case, ports):
    """The scenario that all parts play."""
    urls = ", ".join(f'"ws://{server_address(place)}:{port}/"' for place, port in enumerate(ports))
    return f"""# Written by scripts/bench --case {case.name}.
name = "{case.name}"
description = "{case.connections:,} connections with heartbeats under one verdict."

[target]
url = [{urls}]
source_addresses = ["127.0.1.1-127.0.1.{case.sources}"]
connect_timeout = "30s"
close_timeout = "60s"

[load]
connections = {case.connections}
ramp_up = "{case.ramp_up}s"
warm_up = "{case.warm_up}s"
duration = "{case.duration}s"
ramp_down = "{case.ramp_down}s"

[heartbeat]
interval = "{case.interval}s"
timeout = "{case.timeout}s"

[gates]
pass = [
  "count(connections.opened) == {case.connections}",
  "count(connections.failed) == 0",
  "count(connections.lost) == 0",
  "count(connections.dead) == 0",
  "count(heartbeat.missed) == 0",
]
"""


def server_address(place):
    return f"127.0.2.{place + 1}"


class Server:
    """A bare server on an address of its own. It ends when this process does, since its standard input does."""

    def __init__(self, program, place):
        command = [program, "serve", "--address", server_address(place)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def counts(self):
        self.process.stdin.write("\n")
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Parts:
    """The processes of a run in parts, without a broker: started together, judged by `wsbench merge`."""

    def __init__(self, program, case, folder):
        self.program, self.case, self.folder = program, case, folder
        self.records = [folder / f"part{number}.wsbr" for number in range(1, case.processes + 1)]
        self.running = []

    def start(self, path, begins):
        at = datetime.fromtimestamp(begins, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        for number, record in enumerate(self.records, 1):
            part = ["--part", f"{number}/{self.case.processes}", "--start-at", at, "--record", str(record)]
            command = [self.program, "run", str(path), *part, "--workers", "1", "--quiet"]
            log = open(self.folder / f"part{number}.log", "w")
            with log:
                self.running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def pids(self):
        return [process.pid for process in self.running if process.poll() is None]

    def judged(self):
        """Judges all parts. Returns the exit code, and what judging took."""
        command = [self.program, "merge", *map(str, self.records), "--out", str(self.folder / "report")]
        with open(self.folder / "merge.log", "w") as log:
            began = time.monotonic()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, {
            "seconds": time.monotonic() - began,
            "cpu_s": used.ru_utime + used.ru_stime,
            "rss": used.ru_maxrss * KIB,
            "record_bytes": sum(record.stat().st_size for record in self.records if record.exists()),
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 10
        for process in self.running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def meminfo():
    """/proc/meminfo, in bytes."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) * KIB for line in lines}


def sockets():
    """How many TCP sockets are in use: two for each connection on loopback."""
    lines = Path("/proc/net/sockstat").read_text().splitlines()
    words = next(line.split() for line in lines if line.startswith("TCP:"))
    return int(words[words.index("inuse") + 1])


def sample(clients, servers):
    """The machine, and what both sides use, at this moment."""
    memory = meminfo()
    stat = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return {
        "at": time.time(),
        "available": memory["MemAvailable"],
        "kernel": memory["Slab"] + memory["KernelStack"] + memory["PageTables"],
        "pairs": sockets() // 2,
        "client_rss": sum(map(processes.resident_bytes_of_one, clients)),
        "server_rss": sum(map(processes.resident_bytes_of_one, servers)),
        "client_cpu_s": cpu(clients),
        "server_cpu_s": cpu(servers),
        "jiffies": stat[:8],
    }


def cpu(pids):
    seconds = 0.0
    for pid in pids:
        try:
            seconds += processes.cpu_seconds(pid)
        except OSError:
            continue
    return seconds


def watch(case, parts, servers, begins, samples):
    """Looks at the machine until all parts have ended. Returns why it ended them early, if it did."""
    pids = [server.process.pid for server in servers]
    last = begins + case.seconds + PATIENCE
    while clients := parts.pids():
        seen = sample(clients, pids)
        samples.append(seen)
        if seen["available"] < SPARE:
            return f"only {seen['available'] / GIB:.1f} GiB of memory were left"
        if seen["at"] > last:
            return f"{len(clients)} parts were at work {PATIENCE} s after their end"
        time.sleep(LOOK)
    return ""


def measure(case, program, floor):
    """Does it once. Returns all that was seen."""
    folder = OUT / case.name
    check(case, program, floor)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("part*"):
        old.unlink()
    samples = []
    with ExitStack() as stack:
        before = sample([], [])
        servers = [stack.enter_context(Server(floor, place)) for place in range(case.processes)]
        path = folder / "scenario.toml"
        path.write_text(scenario(case, [server.port for server in servers]))
        parts = stack.enter_context(Parts(program, case, folder))
        begins = int(time.time()) + LEAD
        parts.start(path, begins)
        stopped = watch(case, parts, servers, begins, samples)
        codes = [process.poll() for process in parts.running]
        counts = [server.counts() for server in servers]
    code, merging = parts.judged()
    seen = {
        "case": case.name,
        "begins": begins,
        "stopped": stopped,
        "codes": codes,
        "exit_code": code,
        "merging": merging,
        "server": {name: sum(count[name] for count in counts) for name in counts[0]},
        "before": before,
        "samples": samples,
    }
    (folder / "seen.json").write_text(json.dumps(seen, indent=1))
    report = folder / "report" / "run.json"
    return seen, json.loads(report.read_text()) if code != 2 and report.exists() else None


def check(case, program, floor):
    for path in (program, floor):
        if not os.access(path, os.X_OK):
            raise Refused(f"{path} is not built\nhint: scripts/bench builds it")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if case.each + OWN > hard:
        raise Refused(f"{case.each:,} connections a process need more than {hard:,} descriptors\nhint: raise the hard limit")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def facts(case, seen, run):
    """What was seen, in rows of a table."""
    begins = seen["begins"]
    measured = (begins + case.ramp_up + case.warm_up, begins + case.ramp_up + case.warm_up + case.duration)
    steady = [one for one in seen["samples"] if measured[0] <= one["at"] <= measured[1]]
    opening = [one for one in seen["samples"] if begins <= one["at"] <= measured[0]]
    parts = run["parts"] if run else []
    rows = [("connections asked for", f"{case.connections:,} by {case.processes} processes, a ping every {case.interval} s")]
    if seen["stopped"]:
        rows.append(("stopped early", seen["stopped"]))
    rows.append(("most at once, by the kernel's table", f"{max((one['pairs'] for one in seen['samples']), default=0):,}"))
    if run:
        rows.append(("opened, failed, lost", ", ".join(f"{total(run, name):,}" for name in CONNECTIONS)))
        settled = [part["settled_seconds"] for part in parts if part["settled_seconds"] is not None]
        if len(settled) == len(parts):
            rows.append(("all open after", f"{max(settled):.1f} s (planned over {case.ramp_up} s)"))
        rows.append(("pings in the measured time, and missed", f"{count(run, 'heartbeat.pings_sent'):,}, {count(run, 'heartbeat.missed'):,}"))
        ours = [total(run, name) for name in ("connections.opened", "connections.closed", "heartbeat.pings_sent")]
        theirs = [seen["server"][name] for name in ("opened", "closed", "pings")]
        for whose, counts in (("wsbench", ours), ("the servers", theirs)):
            rows.append((f"opened, closed, pings of the whole run: {whose}", ", ".join(f"{count:,}" for count in counts)))
        rtt = [metric for metric in run["metrics"] if metric["name"] == "heartbeat.rtt" and metric.get("p99")]
        rows += [("time of a pong, p50 and p99", f"{ms(rtt[0]['p50'])}, {ms(rtt[0]['p99'])}")] if rtt else []
    else:
        rows.append(("opened, as the servers counted", f"{seen['server']['opened']:,}"))
    if steady:
        pairs = median(one["pairs"] for one in steady) or 1
        before = seen["before"]
        for name, key in (("a client, resident", "client_rss"), ("a server, resident", "server_rss")):
            rows.append((f"memory of a connection: {name}", f"{median(one[key] for one in steady) / pairs / KIB:,.2f} KiB"))
        kernel = median(one["kernel"] for one in steady) - before["kernel"]
        rows.append(("memory of a connection: the kernel, both ends", f"{kernel / pairs / KIB:,.2f} KiB"))
        both = median(one["client_rss"] + one["server_rss"] for one in steady)
        rows.append(("memory in all: clients, servers and kernel", f"{(both + kernel) / GIB:.1f} GiB"))
    for name, span in (("while opening", opening), ("while held", steady)):
        if len(span) > 1:
            rows.append((f"cores of clients, servers, all, {name}", ", ".join(f"{load:.2f}" for load in loads(span))))
    if parts:
        late = [part["longest_lag_ns"] for part in parts if part["longest_lag_ns"] is not None]
        rows.append(("longest a process was held up: median, worst", f"{ms(median(late) / 1e3)}, {ms(max(late) / 1e3)}") if late else ("", ""))
        rows.append(("parts in doubt", str(sum(1 for part in parts if part.get("doubts")))))
    merging = seen["merging"]
    if run:
        intervals = case.processes * run["seconds"]
        each = f"{merging['cpu_s'] / intervals * 1e3:.2f} ms CPU, {merging['record_bytes'] / intervals / KIB:.1f} KiB"
        rows.append(("merging: a part and second", each))
        rows.append(("merging in all", f"{merging['seconds']:.1f} s, {merging['rss'] / (1 << 20):.0f} MiB"))
    rows.append(("verdict", verdict(seen, run)))
    return [row for row in rows if row[0]]


CONNECTIONS = ("connections.opened", "connections.failed", "connections.lost")
WORDS = {0: "PASS", 1: "broken off", 2: "refused", 3: "FAIL", 4: "NO VERDICT", 130: "interrupted"}


def verdict(seen, run):
    code = seen["exit_code"]
    word = f"{WORDS.get(code, 'failed')}, exit code {code}"
    failed = [gate["gate"] for gate in run["verdict"]["gates"] if not gate["passed"]] if run else []
    doubts = [doubt["text"] for doubt in run["verdict"]["distrust"]] if run else []
    said = "; ".join([*(f"`{gate}` did not hold" for gate in failed), *doubts[:2]])
    return f"{word}{': ' if said else ''}{said}"


def total(run, name):
    return sum(metric["count"] for metric in run["totals"] if metric["name"] == name)


def count(run, name):
    return sum(metric["count"] for metric in run["metrics"] if metric["name"] == name)


def ms(us):
    return f"{us / 1e3:,.3g} ms" if us < 1e6 else f"{us / 1e6:.2f} s"


def loads(span):
    """How many cores were at work between the first and the last sample: for clients, servers, and in all."""
    first, last = span[0], span[-1]
    seconds = last["at"] - first["at"]
    ticks = [after - before for before, after in zip(first["jiffies"], last["jiffies"])]
    busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK") / seconds
    both = [(last[key] - first[key]) / seconds for key in ("client_cpu_s", "server_cpu_s")]
    return [*both, busy]


def rendered(case, seen, run):
    return table.markdown(("", case.name), facts(case, seen, run))


def one(name):
    return next(case for case in ALL if case.name == name)
