"""Many processes, one verdict: holds very many connections with heartbeats on one machine, and tells what they cost.

Each agent of wsbench plays its share of one scenario against bare servers on addresses of 127.0.0.0/8, so that no process
needs more descriptors than one may have. A coordinator leads and judges them, by way of a NATS server. It loads the machine
fully for some minutes, and ends early where memory runs out. The servers count as well: a second observer.
"""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import processes
import table

OUT = Path("target/fleet")
LEAD = 120  # seconds for all agents to be there, and then to be ready
PATIENCE = 60  # seconds beyond the plan until all are ended
LOOK = 2  # seconds between two looks at the machine
SPARE = 2 << 30  # bytes of memory: with less than that free all is ended
OWN = 128  # descriptors of a process besides those of connections
GIB, KIB = 1 << 30, 1 << 10


@dataclass(frozen=True)
class Case:
    """So many connections, and when what happens. Times are in seconds."""

    name: str
    connections: int
    processes: int  # agents of one worker, and as many servers: connection i has server i mod n and agent i mod n
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
    """The scenario that all agents play."""
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


class Broker:
    """A NATS server with its log in a folder; gone with all that it has kept at the end."""

    PROGRAMS = ("/usr/sbin", "tests/targets/python/.venv/bin")

    def __init__(self, folder):
        program = self.program()
        if program is None:
            raise Refused("there is no nats-server\nhint: scripts/test installs it, or apt-get install nats-server")
        self.store = folder / "nats-store"
        shutil.rmtree(self.store, ignore_errors=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"nats://127.0.0.1:{port}"
        command = [program, "-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(self.store)]
        with open(folder / "nats.log", "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @classmethod
    def program(cls):
        return shutil.which("nats-server", path=os.pathsep.join([os.environ.get("PATH", ""), *cls.PROGRAMS]))

    def used(self):
        """What it has used so far, and what it keeps."""
        kept = sum(path.stat().st_size for path in self.store.rglob("*") if path.is_file())
        return {"cpu_s": cpu([self.process.pid]), "rss": processes.peak_bytes(self.process.pid), "kept_bytes": kept}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.store, ignore_errors=True)


class Fleet:
    """A coordinator and its agents. What ends it early ends the load first, so that there is a report."""

    def __init__(self, program, case, folder, url):
        self.program, self.case, self.folder, self.url = program, case, folder, url
        self.agents, self.coordinator = [], None

    def start(self, path):
        wide = len(str(self.case.processes))
        for number in range(1, self.case.processes + 1):
            # Their numbers follow the order of their names.
            name = f"agent-{number:0{wide}}"
            keep = ["--keep", str(self.folder), "--wait", f"{LEAD}s"]
            self.agents.append(self.process(name, ["agent", "--name", name, "--workers", "1", "--once", "--quiet", *keep]))
        agents = ["--agents", str(self.case.processes), "--ready-timeout", f"{LEAD}s"]
        self.coordinator = self.process("coordinator", ["run", str(path), *agents, "--out", str(self.folder / "report")])

    def process(self, name, words):
        with open(self.folder / f"{name}.log", "w") as log:
            command = [self.program, *words, "--nats", self.url]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def pids(self):
        return [process.pid for process in self.agents if process.poll() is None]

    def is_led(self):
        """Whether the coordinator is at work. It is left to be waited for, with what it has used."""
        return os.waitid(os.P_PID, self.coordinator.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def judged(self):
        """Waits for the coordinator. Returns the exit code, and what leading and judging took."""
        _, status, used = os.wait4(self.coordinator.pid, 0)
        self.coordinator.returncode = os.waitstatus_to_exitcode(status)
        leading = {"cpu_s": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss * KIB}
        return self.coordinator.returncode, leading

    def stop(self):
        if self.is_led():
            self.coordinator.send_signal(signal.SIGINT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        everybody = [*self.agents, *([self.coordinator] if self.coordinator else [])]
        for process in everybody:
            if process.returncode is None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 10
        for process in everybody:
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


def watch(case, led, servers, samples):
    """Looks at the machine until the run is over. Returns why it ended it early, if it did."""
    pids = [server.process.pid for server in servers]
    last = time.time() + 2 * LEAD + case.seconds + PATIENCE
    stopped = ""
    while led.is_led():
        seen = sample(led.pids(), pids)
        samples.append(seen)
        if not stopped and seen["available"] < SPARE:
            stopped = f"only {seen['available'] / GIB:.1f} GiB of memory were left"
            led.stop()
        if not stopped and seen["at"] > last:
            stopped = f"it was at work {PATIENCE} s after its end"
            led.stop()
        if seen["at"] > last + PATIENCE:
            led.coordinator.kill()
        time.sleep(LOOK)
    return stopped


def measure(case, program, floor):
    """Does it once. Returns all that was seen."""
    folder = OUT / case.name
    check(case, program, floor)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    samples = []
    with ExitStack() as stack:
        before = sample([], [])
        servers = [stack.enter_context(Server(floor, place)) for place in range(case.processes)]
        path = folder / "scenario.toml"
        path.write_text(scenario(case, [server.port for server in servers]))
        broker = stack.enter_context(Broker(folder))
        led = stack.enter_context(Fleet(program, case, folder, broker.url))
        led.start(path)
        stopped = watch(case, led, servers, samples)
        code, leading = led.judged()
        brokering = broker.used()
        counts = [server.counts() for server in servers]
    seen = {
        "case": case.name,
        "stopped": stopped,
        "exit_code": code,
        "leading": leading,
        "brokering": brokering,
        "server": {name: sum(count[name] for count in counts) for name in counts[0]},
        "before": before,
        "samples": samples,
    }
    (folder / "seen.json").write_text(json.dumps(seen, indent=1))
    report = folder / "report" / "run.json"
    return seen, json.loads(report.read_text()) if report.exists() else None


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
    opening, steady = spans(seen, run) if run else ([], [])
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
        rows.append(("agents in doubt", str(sum(1 for part in parts if part.get("doubts")))))
    if run:
        intervals = case.processes * run["seconds"]
        leading, brokering = seen["leading"], seen["brokering"]
        each = [f"{used['cpu_s'] / intervals * 1e3:.2f} ms CPU" for used in (leading, brokering)]
        rows.append(("an agent and second: the coordinator", each[0]))
        kept = f"{brokering['kept_bytes'] / intervals / KIB:.1f} KiB kept"
        rows.append(("an agent and second: the NATS server", f"{each[1]}, {kept}"))
        memory = ", ".join(f"{used['rss'] / (1 << 20):.0f} MiB" for used in (leading, brokering))
        rows.append(("most memory of the coordinator, of the NATS server", memory))
    rows.append(("verdict", verdict(seen, run)))
    return [row for row in rows if row[0]]


def spans(seen, run):
    """The samples from the first dial to the begin of measuring, and those of the measured time."""
    begins = datetime.fromisoformat(run["started_at"].replace("Z", "+00:00")).timestamp()
    held = [row for row in run["timeline"] if row["phase"] == "measure"]
    if not held:
        return seen["samples"], []
    first, last = begins + held[0]["second"], begins + held[-1]["second"] + held[-1]["seconds"]
    opening = [one for one in seen["samples"] if begins <= one["at"] <= first]
    return opening, [one for one in seen["samples"] if first <= one["at"] <= last]


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
