"""Starts the observer and wsbench, each on its own core, and reads what both have written."""

import csv
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from front import Front

PATIENCE = 240  # seconds that a run may take


@dataclass
class Bench:
    """Where the programs are, where their output goes, and on which cores they run."""

    build: Path
    out: Path
    client_core: int
    server_core: int

    def run(self, name, scenario, observer=(), client=(), beside=None, tls=False, front=None):
        """One run of a scenario against an observer. `beside` is what goes on meanwhile: a context manager. `front` names
        the port of haproxy, which then stands before the observer on the same core: `http1` or `http2`."""
        folder = self.out / name
        folder.mkdir()
        (folder / "scenario.toml").write_text(f'name = "{name}"\ntarget.url = "ws://127.0.0.1:1/"\n{scenario}')
        log = folder / "observer.csv"
        keeps = "--messages" in client
        scheme, trusted = "ws", folder / "observer.pem"
        if tls:
            scheme, observer, client = "wss", [*observer, "--tls", str(trusted)], [*client, "--ca", str(trusted)]
        told = [*observer, *(["--log", str(log)] if keeps else [])]
        server = subprocess.Popen(
            pinned(self.server_core, [str(self.build / "examples/observer"), *told]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        proxy = None
        try:
            port = json.loads(server.stdout.readline())["port"]
            if front:
                proxy = Front(port)
                port = getattr(proxy, front)
            command = [str(self.build / "wsbench"), "run", str(folder / "scenario.toml")]
            command += ["--url", f"{scheme}://127.0.0.1:{port}/", "--out", str(folder), "--quiet", *client]
            if keeps:
                command.insert(command.index("--messages") + 1, str(folder / "messages.csv"))
            print("$", " ".join(command), flush=True)
            if beside is None:
                code = self.client(command, folder)
            else:
                with beside:
                    code = self.client(command, folder)
        finally:
            if proxy:
                proxy.stop()
            server.stdin.close()
            last = server.stdout.read()
            server.wait(PATIENCE)
        return Run(folder, code, json.loads((folder / "run.json").read_text()), json.loads(last))

    def client(self, command, folder):
        with open(folder / "client.log", "w") as output:
            done = subprocess.run(
                pinned(self.client_core, command), stdout=output, stderr=subprocess.STDOUT, timeout=PATIENCE
            )
        if not (folder / "run.json").exists():
            raise RuntimeError(f"run {folder.name}: {(folder / 'client.log').read_text().strip()}")
        return done.returncode


@dataclass
class Run:
    """What one run has left."""

    folder: Path
    code: int
    report: dict
    observer: dict

    def total(self, name, cohort=None):
        """A counter over the whole run, or the samples of a distribution; zero where it is not there."""
        rows = (row for row in self.report["totals"] if row["name"] == name)
        return sum(row["count"] for row in rows if cohort is None or row["cohort"] == cohort)

    def times(self, name, part="totals"):
        """The only row of a distribution, in microseconds."""
        rows = [row for row in self.report[part] if row["name"] == name]
        if len(rows) != 1:
            raise RuntimeError(f"find {name} in {self.folder}/run.json: there are {len(rows)} rows of it")
        return rows[0]

    def echoes_per_second(self, message):
        """How many of one message were echoed in the measured time."""
        return self.times(f"latency.{message}", "metrics")["count"] / self.report["measured_seconds"]

    def cpu(self):
        """The mean share of one core that wsbench used."""
        return self.times("generator.cpu", "metrics")["mean"]

    def seen(self, cohort):
        """The observer's counts of a cohort, by its index."""
        rows = [row for row in self.observer["cohorts"] if row["cohort"] == cohort]
        return rows[0] if rows else {}

    def messages(self):
        """The client's answered messages."""
        return rows_of(self.folder / "messages.csv")

    def log(self):
        """The observer's rows."""
        if self.observer["left_out"]:
            raise RuntimeError(f"log all of {self.folder.name}: {self.observer['left_out']} rows had no room")
        return rows_of(self.folder / "observer.csv")


def rows_of(path):
    with open(path, newline="") as file:
        yield from csv.DictReader(file)


def pinned(core, command):
    return ["taskset", "-c", str(core), *command]
