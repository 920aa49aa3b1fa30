"""Measures a client from outside, whichever it is: its CPU by the kernel's clock of its processes, its work by the
counts of the server, both at two instants well inside the steady time."""

import json
import subprocess
import time

import processes
from clients import SETTLE, environment_of

PATIENCE = 60  # seconds that a client may take to get steady, or to end after its time
STOPPING = 5  # seconds that a client may take to end when it is told to


class Server:
    """The bare server. It ends when this process does, since its standard input does. Without a circle it echoes; with
    one so many connections hear what one of them says."""

    def __init__(self, program, core, circle=0, is_secure=False):
        told = ["--circle", str(circle)] if circle else []
        told += ["--tls"] if is_secure else []
        self.command = pinned([core], [program, "serve", *told])
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.port = json.loads(self.process.stdout.readline())["port"]

    def counts(self):
        """All that it has counted since its start."""
        self.process.stdin.write("\n")
        return json.loads(self.process.stdout.readline())

    def settled_counts(self):
        """The same, once no connection is left of a client that has ended."""
        end = time.monotonic() + PATIENCE
        while is_open(counts := self.counts()) > 0:
            if time.monotonic() > end:
                raise RuntimeError(f"{is_open(counts)} connections are still open after the client has ended")
            time.sleep(0.02)
        return counts

    def stop(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Servers:
    """One for each size of circles, and one for TLS, from when it is first asked for; those that wait for connections do
    nothing."""

    def __init__(self, program, core):
        self.program, self.core, self.running = program, core, {}

    def of(self, circle, is_secure=False):
        wanted = (circle, is_secure)
        if wanted not in self.running:
            self.running[wanted] = Server(self.program, self.core, circle, is_secure)
            print("$", " ".join(self.running[wanted].command), flush=True)
        return self.running[wanted]

    def stop(self):
        for server in self.running.values():
            server.stop()


def pinned(cores, command):
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


def measure(case, client, server, command, seconds, log):
    """Runs one client to its end. Returns what was seen of it."""
    before = server.settled_counts()
    with started(client, command, log) as process:
        wait(process, lambda: server.counts()["opened"] > before["opened"], "the first connection")
        wait(process, lambda: is_steady(case, before, server.counts()), "the steady state")
        time.sleep(SETTLE)
        start = sample(server, process.pid)
        time.sleep(seconds)
        end = sample(server, process.pid)
        code = process.wait(PATIENCE) if client.ends else process.poll()
    after = server.settled_counts()
    if not client.ends and code is not None:
        raise RuntimeError(f"the client has ended by itself, with exit code {code}; its output is in {log}")
    return {
        "command": command,
        "exit_code": code,
        "samples": [start, end],
        "server": {count: after[count] - before[count] for count in after},
        **costs(case, start, end),
    }


class started:
    """A client at work. However it ends, nothing of it is left afterwards."""

    def __init__(self, client, command, log):
        self.client, self.command, self.log = client, command, log

    def __enter__(self):
        with open(self.log, "w") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment_of(self.client),
            )
        return self.process

    def __exit__(self, kind, error, _):
        processes.stop(self.process, STOPPING)
        if isinstance(error, (RuntimeError, OSError, subprocess.TimeoutExpired)):
            raise RuntimeError(f"{error}; its output is in {self.log}") from error


def is_steady(case, before, now):
    opened = now["opened"] - before["opened"]
    return opened >= case.connections and now[case.counted] > before[case.counted]


def costs(case, start, end):
    """What the samples say."""
    seconds = end["at"] - start["at"]
    count = end[case.counted] - start[case.counted]
    cpu = processes.cpu_between(start["cpu_s"], end["cpu_s"])
    return {
        "per_second": count / seconds,
        "cpu_us": cpu * 1e6 / count if count else None,
        "load": cpu / seconds,
        "server_load": (end["server_cpu_s"] - start["server_cpu_s"]) / seconds,
        "rss": end["rss"],
        "open": is_open(end),
    }


def bytes_per_connection(fewer, more):
    """How much a client grows with each connection, by two runs of it with so many open."""
    return (more["rss"] - fewer["rss"]) / (more["open"] - fewer["open"])


def is_open(counts):
    return counts["opened"] - counts["closed"] - counts["broken"]


def sample(server, pid):
    return {
        "at": time.monotonic(),
        "cpu_s": processes.cpu_of_each(pid),
        "rss": processes.resident_bytes(pid),
        "server_cpu_s": processes.cpu_seconds(server.process.pid),
        **server.counts(),
    }


def wait(process, done, what):
    end = time.monotonic() + PATIENCE
    while not done():
        if process.poll() is not None:
            raise RuntimeError(f"the client has ended before {what}")
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {PATIENCE} s")
        time.sleep(0.02)
