"""The clients: where each is found, how it is told to do a piece of work, and what only it can know."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import front
import peers

# In seconds. Each client opens its connections over RAMP_UP, and wsbench warms up for 1 s more.
RAMP_UP = 2
SETTLE = 1  # from the first steady message to the first sample
MARGIN = 3  # by how much sending lasts longer than what is sampled of it

ERL_FLAGS = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
FAILURES = ("connections.failed", "connections.dead", "heartbeat.missed", "messages.timed_out", "messages.lost")
FAILURES += ("messages.mismatched", "setup.failed", "delivery.late", "delivery.stray", "delivery.unordered")


class Client:
    """One program that does the work."""

    name = ""
    program = ""
    ends = True  # by itself, and what it says then is wanted; others are stopped once they have been sampled
    environment = {}

    def missing(self):
        """Why it cannot take part; `None` where it can."""
        return None if shutil.which(self.program) else f"{self.name} is not built\nhint: scripts/bench builds it"

    def version(self):
        return ""

    def port(self, of_server):
        """The port that it is told: that of the server, or of what stands in front of it."""
        return of_server

    def command(self, case, port, seconds, out):
        """The command line; `out` is a folder that it may write to."""
        raise NotImplementedError

    def own_view(self, log, out):
        """What only the client itself can know, once it has ended."""
        return {}


class Floor(Client):
    program = "target/release/examples/floor"

    def __init__(self, best=False):
        self.name, self.told = ("floor-best", ["--best"]) if best else ("floor", [])

    def command(self, case, port, seconds, out):
        sending = seconds + MARGIN
        command = [self.program, *self.work(case, sending)]
        tls = ["--tls", case.tls] if case.tls else []
        return [*command, "--port", str(port), "--duration", str(sending), *tls, *self.told]

    def work(self, case, sending):
        if case.opening:
            words = {"opened": "open", "closed": "cycle"}
            return [words[case.counted], "--connections", str(int(case.opening * sending))]
        count = ["--connections", str(case.connections)]
        if case.counted == "pings":
            return ["ping", *count, "--every", str(1 / case.rate)]
        if case.circle:
            return ["say", *count, "--speakers", str(case.speakers), "--rate", str(case.rate), "--heard-by", str(case.circle)]
        if case.in_flight:
            return ["echo", *count, "--in-flight", str(case.in_flight)]
        return ["echo", *count, "--rate", str(case.rate)]

    def own_view(self, log, out):
        seen = json.loads(log.read_text())
        return {"late_p50_us": seen["lateness_p50_us"], "late_p99_us": seen["lateness_p99_us"]}


class Wsbench(Client):
    def __init__(self, program, workers):
        self.program = program
        self.workers = workers
        self.name = "wsbench" if workers == 1 else f"wsbench-{workers}"

    def command(self, case, port, seconds, out):
        scenario = f"benches/scenarios/{case.scenario}.toml"
        # The check of a certificate is done once in a run, so nothing is saved by leaving it out.
        scheme, trust = ("wss", ["--insecure"]) if case.tls else ("ws", [])
        command = [self.program, "run", scenario, "--url", f"{scheme}://127.0.0.1:{port}/", *trust]
        if case.counted == "echoes" or case.asks_for_memory:
            command += ["--connections", str(case.connections)]
        if case.counted == "echoes":
            command += ["--rate", f"{case.rate}/s"] if case.rate else []
        command += ["--duration", f"{seconds + MARGIN}s", "--workers", str(self.workers)]
        return [*command, "--out", str(out / "report"), "--quiet"]

    def own_view(self, log, out):
        metrics = json.loads((out / "report" / "run.json").read_text())["metrics"]
        late = [metric for metric in metrics if metric["name"] == "schedule.lateness"]
        size = [metric for metric in metrics if metric["name"] == "generator.bytes_per_connection"]
        return {
            "late_p50_us": late[0]["p50"] if late else None,
            "late_p99_us": late[0]["p99"] if late else None,
            "own_bytes_per_connection": size[0]["max"] if size else None,
            "failures": sum(metric["count"] for metric in metrics if metric["name"] in FAILURES) + missing(metrics),
        }


class Plain(Wsbench):
    """wsbench without what the case is about: each such case has a scenario of the same size beside its own."""

    def __init__(self, program):
        super().__init__(program, 1)
        self.name = "wsbench-plain"

    def command(self, case, port, seconds, out):
        return super().command(replace(case, scenario=f"{case.scenario}-plain"), port, seconds, out)


class Fronted(Wsbench):
    """wsbench through a proxy: over HTTP/1.1, or over HTTP/2 with so many WebSockets on a TCP connection."""

    def __init__(self, program, streams=0):
        super().__init__(program, 1)
        self.streams = streams
        self.name = f"wsbench-h2-{streams}" if streams else "wsbench-h1"

    def missing(self):
        return super().missing() or (None if front.PROGRAM else f"haproxy, for {self.name}, is not installed")

    def port(self, of_server):
        proxy = front.before(of_server)
        return proxy.http2 if self.streams else proxy.http1

    def command(self, case, port, seconds, out):
        command = super().command(case, port, seconds, out)
        return [*command, "--http2", str(self.streams)] if self.streams else command


def missing(metrics):
    """How many deliveries did not come."""
    counts = {metric["name"]: metric["count"] for metric in metrics if metric["name"].startswith("delivery.")}
    return counts.get("delivery.expected", 0) - counts.get("delivery.received", 0)


class Naive(Client):
    name = "naive"
    program = "target/release/examples/naive"

    def command(self, case, port, seconds, out):
        command = [self.program, "--port", str(port), "--connections", str(case.connections)]
        command += ["--rate", str(case.rate)] if case.rate else ["--in-flight", str(case.in_flight)]
        return [*command, "--duration", str(seconds + MARGIN)]


class Peer(Client):
    """A load generator of somebody else's. It runs for as long as it is let."""

    ends = False
    version_arguments = ("--version",)

    def missing(self):
        found = shutil.which(self.program)
        return None if found else f"{self.name} is not installed\nhint: {self.hint}"

    hint = "scripts/peers installs it"

    def version(self):
        """The first number that looks like one."""
        said = subprocess.run([self.program, *self.version_arguments], capture_output=True, text=True, timeout=60)
        words = f"{said.stdout} {said.stderr}".replace(",", " ").split()
        return next((word.lstrip("v") for word in words if word.lstrip("v")[:1].isdigit()), "of unknown version")


class Artillery(Peer):
    name = "artillery"
    program = "target/peers/node/node_modules/.bin/artillery"
    # It counts its users otherwise, by way of the network.
    environment = {"ARTILLERY_DISABLE_TELEMETRY": "true"}

    def version(self):
        package = Path("target/peers/node/node_modules/artillery/package.json")
        return json.loads(package.read_text())["version"]

    def command(self, case, port, seconds, out):
        script = out / "artillery.json"
        script.write_text(peers.artillery(case, port, RAMP_UP))
        return [self.program, "run", str(script), "--quiet"]


class Locust(Peer):
    name = "locust"
    program = "target/peers/python/bin/locust"

    def command(self, case, port, seconds, out):
        self.environment = {"WS_URL": f"ws://127.0.0.1:{port}/", "WS_RATE": str(case.rate or "")}
        count = ["--users", str(case.connections), "--spawn-rate", str(case.connections / RAMP_UP)]
        return [self.program, "--headless", "--only-summary", "--locustfile", "benches/peers/locustfile.py", *count]


class Tsung(Peer):
    name = "tsung"
    program = "tsung"
    version_arguments = ("-v",)
    hint = "scripts/peers installs it on Debian"

    def command(self, case, port, seconds, out):
        script = (out / "tsung.xml").absolute()
        script.write_text(peers.tsung(case, port, RAMP_UP))
        # It keeps a folder and a cookie in its home.
        self.environment = {"HOME": str(out.absolute()), "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_FLAGS": ERL_FLAGS}
        # Erlang's name server, which would stay behind if Erlang started it.
        start = ["bash", "-c", 'epmd & exec "$@"', "tsung"]
        return [*start, self.program, "-f", str(script), "-l", str(script.parent / "log"), "-n", "start"]


class K6(Peer):
    name = "k6"
    program = "k6"
    version_arguments = ("version",)
    hint = "put it on the PATH"

    def command(self, case, port, seconds, out):
        self.environment = {"WS_URL": f"ws://127.0.0.1:{port}/", "WS_RATE": str(case.rate or "")}
        options = ["--vus", str(case.connections), "--duration", "1h", "--no-usage-report", "--quiet"]
        return [self.program, "run", *options, "benches/peers/k6.js"]


class Tcpkali(Peer):
    name = "tcpkali"
    program = "tcpkali"
    hint = "put it on the PATH"

    def command(self, case, port, seconds, out):
        count = ["--connections", str(case.connections), "--connect-rate", str(case.connections / RAMP_UP)]
        message = ["--message-rate", str(case.rate), "--message", peers.PAYLOAD, "--duration", "1h", "--workers", "1"]
        return [self.program, "--ws", *count, *message, f"127.0.0.1:{port}/"]


def all_of(wsbench):
    """Every client there may be, by name; `wsbench` is the program to measure."""
    clients = [Floor(), Floor(best=True), Wsbench(wsbench, 1), Wsbench(wsbench, 2), Plain(wsbench), Naive()]
    clients += [Fronted(wsbench), Fronted(wsbench, 1), Fronted(wsbench, 100)]
    clients += [Artillery(), Locust(), Tsung(), K6(), Tcpkali()]
    return {client.name: client for client in clients}


def environment_of(client):
    return {**os.environ, **client.environment}
