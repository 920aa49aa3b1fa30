"""The pieces of work, in no client's words: what is done, who can do it, and what is asked of wsbench."""

from dataclasses import dataclass, field, replace
from typing import Dict, Optional, Tuple

OURS = ("floor", "wsbench")
BEST = ("floor", "floor-best", "wsbench")
WRITTEN = ("floor", "floor-best", "wsbench", "naive")
FRONTED = ("wsbench-h1", "wsbench-h2-1", "wsbench-h2-100")  # through a proxy
JUDGED = (*BEST, "wsbench-2", "wsbench-plain", *FRONTED)  # of whom ratios are asked
PEERS = ("artillery", "locust", "tsung", "k6")


@dataclass(frozen=True)
class Goal:
    """The most that is asked of wsbench."""

    at_most: float
    unit: str = ""  # as it stands in the table; without one it is a ratio to the first client

    def __str__(self):
        return f"≤ {self.at_most:g}{self.unit or ' ×'}"


@dataclass(frozen=True)
class Case:
    """One piece of work."""

    name: str
    title: str
    unit: str  # what the cost is divided by, as people say it
    counted: str  # the same, as the server counts it
    scenario: str  # of wsbench
    clients: Tuple[str, ...] = OURS  # who can do it; the others are compared with the first
    connections: int = 0  # that are held, and must be open at once before anything is sampled
    rate: Optional[float] = None  # echoes or pings a second, of each connection
    in_flight: Optional[int] = None  # unanswered echoes of each connection
    speakers: int = 0  # of the connections: only they send, at `rate`
    circle: int = 0  # how many hear each of their messages; 0: none, each message is echoed
    opening: Optional[float] = None  # connections opened a second
    tls: str = ""  # the version that is spoken; none: no TLS
    cores: int = 1  # that the client may use
    goals: Dict[str, Goal] = field(default_factory=dict)  # by the value of a run that they hold for
    by_name_only: bool = False

    @property
    def needs_more_rounds(self):
        """Whether a ratio is asked for: neighbours of a shared machine change one by more than the goal leaves."""
        return any(not goal.unit for goal in self.goals.values())

    @property
    def can_be_held(self):
        """Whether one that is held meanwhile goes on as if nothing had been: it owes nothing to a schedule."""
        return self.counted == "echoes" and self.scenario.startswith("in-flight") and not self.tls

    @property
    def asks_for_memory(self):
        """Whether the memory of each connection is measured."""
        return "bytes_per_connection" in self.goals

    @property
    def quarter(self):
        """The same with a quarter of the connections. What more of them take is theirs; the rest a run takes anyway."""
        return replace(self, connections=self.connections // 4)

    @property
    def offered(self):
        """How many are due in a second, where that does not depend on the server."""
        if self.circle:
            return self.speakers * self.rate * self.circle
        return self.opening or (self.connections * self.rate if self.rate else None)


def steady(connections, rate, clients=OURS, goals=None, **more):
    """Echoes on a schedule, whatever comes back."""
    case = {
        "name": f"steady-{connections * rate}",
        "title": f"{connections:,} connections, {rate}/s each",
        "unit": "echo",
        "counted": "echoes",
        "scenario": "steady",
    }
    return Case(**{**case, **more}, clients=clients, connections=connections, rate=rate, goals=goals or {})


def in_flight(connections, unanswered, clients, goals, name=None, tls=""):
    """Echoes as fast as they come back."""
    return Case(
        name=name or f"in-flight-{unanswered}",
        title=f"{connections:,} connections, {unanswered} in flight each{f', TLS {tls}' if tls else ''}",
        unit="echo",
        counted="echoes",
        scenario=f"in-flight-{unanswered}",
        clients=clients,
        connections=connections,
        in_flight=unanswered,
        tls=tls,
        goals=goals,
    )


def exchanges(name, title, goals):
    """As fast as answers come, of which the client makes more than an echo; the floor sends and gets as much."""
    return Case(
        name=name,
        title=title,
        unit="exchange",
        counted="echoes",
        scenario=name,
        connections=100,
        in_flight=1,
        goals=goals,
    )


def heard(name, title, speakers, rate, circle, goals):
    """What one says, many hear: 1,000 connections in circles."""
    return Case(
        name=name,
        title=title,
        unit="delivery",
        counted="delivered",
        scenario=name,
        connections=1000,
        rate=rate,
        speakers=speakers,
        circle=circle,
        goals=goals,
    )


def idle(connections, rate, title, scenario, goals, name=None, tls="", clients=OURS):
    """Connections that are only kept, and pinged."""
    return Case(
        name=name or f"idle-{connections}",
        title=title,
        unit="ping",
        counted="pings",
        scenario=scenario,
        clients=clients,
        connections=connections,
        rate=rate,
        tls=tls,
        goals=goals,
    )


def opening(name, **more):
    """Connections that are opened one after the other."""
    return Case(**{"name": name, "scenario": name, "opening": 500, **more})


def secure(name, title, at_most, **more):
    """The same under TLS, with the most µs that one may take."""
    return opening(name, title=title, opening=300, goals={"cpu_us": Goal(at_most, " µs")}, **more)


def on_time(p50, p99):
    return {"late_p50_us": Goal(p50, " µs"), "late_p99_us": Goal(p99, " µs")}


ALL = [
    in_flight(100, 1, (*WRITTEN, *PEERS), {"cpu_us": Goal(1.1)}),
    in_flight(9000, 1, BEST, {"cpu_us": Goal(1.15)}, name="in-flight-9000"),
    in_flight(10, 16, WRITTEN, {"cpu_us": Goal(1.4)}),
    steady(100, 10, (*WRITTEN, *PEERS, "tcpkali")),
    steady(100, 100, WRITTEN, {"cpu_us": Goal(0.9)}),
    steady(100, 200, OURS, on_time(120, 300)),
    steady(
        100,
        200,
        ("wsbench",),
        on_time(10, 100),
        name="precise-20000",
        title="100 connections, 200/s each, pace = \"precise\"",
        scenario="precise",
    ),
    steady(
        100,
        100,
        ("wsbench-plain", "wsbench"),
        {"cpu_us": Goal(1.1)},
        name="deflate",
        title="100 connections, 100/s each, 1 KiB compressed before and restored, and plain at the same length on the wire",
        scenario="deflate",
    ),
    steady(9000, 1, BEST, {"cpu_us": Goal(0.9)}),
    steady(
        100,
        100,
        ("wsbench", "wsbench-2"),
        {"cpu_us": Goal(1.05)},
        name="workers",
        title="100 connections, 100/s each, workers on one core",
    ),
    steady(
        100,
        100,
        ("wsbench", "wsbench-2"),
        name="workers-apart",
        title="100 connections, 100/s each, workers on two cores, one of them the server's",
        cores=2,
    ),
    exchanges("json-id", "100 connections, 1 request of JSON-RPC in flight each, found by its id", {}),
    exchanges("step", "100 connections, sessions of ten steps", {}),
    heard("deliver", "1,000 connections hear one that says 20/s", 1, 20, 1000, {"cpu_us": Goal(1.3)}),
    heard(
        "chat",
        "50 rooms of 20 connections that say 1/s each",
        1000,
        1,
        20,
        {"cpu_us": Goal(1.3), "late_p99_us": Goal(1000, " µs")},
    ),
    idle(9800, 0.5, "9,800 connections, a ping every 2 s each", "idle", {"bytes_per_connection": Goal(3, " KiB")}),
    idle(
        15000,
        1,
        "15,000 connections, a ping every second each",
        "idle-1s",
        {"load": Goal(20, " points more"), "cpu_us": Goal(1.15)},
        clients=BEST,
    ),
    opening(
        "open",
        title="500 connections/s, opened and kept",
        unit="opening",
        counted="opened",
        goals={"cpu_us": Goal(1.3)},
    ),
    opening(
        "cycle",
        title="500 connections/s, opened and closed",
        unit="connection",
        counted="closed",
        by_name_only=True,
    ),
    in_flight(100, 1, OURS, {"cpu_us": Goal(1.1)}, name="wss", tls="1.3"),
    idle(
        5200,
        0.5,
        "5,200 connections, a ping every 2 s each, TLS 1.3",
        "wss-idle",
        {"bytes_per_connection": Goal(6.5, " KiB")},
        name="wss-idle",
        tls="1.3",
    ),
    idle(
        5200,
        0.5,
        "5,200 connections, a ping every 2 s each, compression without context",
        "deflate-idle",
        # 1 KiB more than the plain one took when this was set (2.6).
        {"bytes_per_connection": Goal(3.6, " KiB")},
        name="deflate-idle",
        clients=("wsbench-plain", "wsbench"),
    ),
    secure("wss-open", "300 connections/s, opened and kept, TLS 1.3", 300, unit="opening", counted="opened", tls="1.3"),
    secure("wss-storm", "300 resumed connections/s, TLS 1.3", 230, unit="connection", counted="closed", tls="1.3"),
    secure("wss-storm-1.2", "300 resumed connections/s, TLS 1.2", 160, unit="connection", counted="closed", tls="1.2"),
    Case(
        name="wss-crowd",
        title="5,000 connections and 5,000 with compression, 0.1/s each with heartbeats, beside 300 full handshakes/s, TLS 1.3",
        unit="ping",
        counted="pings",
        scenario="wss-crowd",
        clients=("wsbench",),
        connections=10_000,
        rate=0.25,
        tls="1.3",
        goals={"late_p99_us": Goal(3000, " µs")},
    ),
    steady(
        1000,
        10,
        ("wsbench-h1", "wsbench-h2-100"),
        {"cpu_us": Goal(1.25)},
        name="h2",
        title="1,000 connections through haproxy, 10/s each; over HTTP/2 100 share a TCP connection",
    ),
    steady(
        1000,
        10,
        ("wsbench-h1", "wsbench-h2-1"),
        {"cpu_us": Goal(2.5)},
        name="h2-spread",
        title="1,000 connections through haproxy, 10/s each; over HTTP/2 each has a TCP connection of its own",
    ),
    Case(
        name="h2-idle",
        title="9,800 connections through haproxy, a ping every 2 s each; 100 share a TCP connection",
        unit="ping",
        counted="pings",
        scenario="idle",
        clients=("wsbench-h2-100",),
        connections=9800,
        rate=0.5,
        goals={"bytes_per_connection": Goal(4.5, " KiB")},
    ),
    steady(9000, 1, WRITTEN, name="naive-9000", by_name_only=True),
    steady(
        1000,
        10,
        ("wsbench",),
        name="soak",
        title="1,000 connections, 10/s each, with heartbeats",
        scenario="soak",
        by_name_only=True,
    ),
]
