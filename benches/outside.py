"""Measures a client from outside, whichever it is: its CPU by the kernel's clock of the process, its work by the
counts of the server, both at two instants well inside the steady time."""

import json
import subprocess
import time
from pathlib import Path

from cases import SETTLE

PATIENCE = 30  # seconds that a client may take to get steady, or to end after its time


class Server:
    """The bare echo server. It ends when this process does, since its standard input does."""

    def __init__(self, program, core):
        self.command = pinned(core, [program, "serve"])
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.port = json.loads(self.process.stdout.readline())["port"]

    def counts(self):
        """All that it has counted since its start."""
        self.process.stdin.write("\n")
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


def pinned(core, command):
    return ["taskset", "-c", str(core), *command]


def measure(case, server, command, seconds, log):
    """Runs one client to its end. Returns what was seen of it."""
    before = server.counts()
    with open(log, "w") as output:
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait(client, lambda: server.counts()["opened"] > before["opened"], "the first connection")
            first = sample(server, client.pid)
            wait(client, lambda: is_steady(case, before, server.counts()), "the steady state")
            time.sleep(SETTLE)
            start = sample(server, client.pid)
            time.sleep(seconds)
            end = sample(server, client.pid)
            code = client.wait(PATIENCE)
        except Exception as error:
            raise RuntimeError(f"{error}; its output is in {log}") from error
        finally:
            if client.poll() is None:
                client.kill()
                client.wait()
    after = server.counts()
    return {
        "command": command,
        "exit_code": code,
        "samples": [first, start, end],
        "server": {count: after[count] - before[count] for count in after},
        **costs(case, first, start, end),
    }


def is_steady(case, before, now):
    opened = now["opened"] - before["opened"]
    return opened >= case.connections and now[case.counted] > before[case.counted]


def costs(case, first, start, end):
    """What the samples say."""
    seconds = end["at"] - start["at"]
    count = end[case.counted] - start[case.counted]
    cpu = end["cpu_s"] - start["cpu_s"]
    grown = is_open(end) - is_open(first)
    enough = case.connections > 0 and grown >= case.connections * 0.9
    return {
        "per_second": count / seconds,
        "cpu_us": cpu * 1e6 / count if count else None,
        "load": cpu / seconds,
        "server_load": (end["server_cpu_s"] - start["server_cpu_s"]) / seconds,
        "bytes_per_connection": (end["rss"] - first["rss"]) / grown if enough else None,
    }


def is_open(counts):
    return counts["opened"] - counts["closed"] - counts["broken"]


def sample(server, pid):
    return {
        "at": time.monotonic(),
        "cpu_s": cpu_seconds(pid),
        "rss": resident_bytes(pid),
        "server_cpu_s": cpu_seconds(server.process.pid),
        **server.counts(),
    }


def cpu_seconds(pid):
    """User and system time of all threads, to the nanosecond: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the client has ended too early")


def wait(client, done, what):
    end = time.monotonic() + PATIENCE
    while not done():
        if client.poll() is not None:
            raise RuntimeError(f"the client has ended before {what}")
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {PATIENCE} s")
        time.sleep(0.02)
