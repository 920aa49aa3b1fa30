"""The pieces of work that both clients are told to do, each in its own words."""

from dataclasses import dataclass, field
from typing import List, Optional

# In seconds. Both clients open their connections over 2 s, and wsbench warms up for 1 s more.
SETTLE = 1  # from the first steady message to the first sample
MARGIN = 4  # by how much sending lasts longer than what is sampled of it


@dataclass
class Case:
    """One piece of work."""

    name: str
    title: str
    unit: str  # what the cost is divided by, as people say it
    counted: str  # the same, as the server counts it
    floor: List[str]
    scenario: str
    wsbench: List[str] = field(default_factory=list)
    connections: int = 0  # that must be open at once before anything is sampled
    offered: Optional[float] = None  # how many a second, where that does not depend on the server

    def floor_command(self, program, port, seconds):
        """The command line of the floor."""
        sending = seconds + MARGIN
        command = [program, *self.floor, "--port", str(port), "--duration", str(sending)]
        if not self.connections:
            command += ["--connections", str(int(self.offered * sending))]
        return command

    def wsbench_command(self, program, port, seconds, out):
        """The command line of wsbench."""
        scenario = f"benches/scenarios/{self.scenario}.toml"
        command = [program, "run", scenario, *self.wsbench, "--url", f"ws://127.0.0.1:{port}/"]
        return command + ["--duration", f"{seconds + MARGIN}s", "--workers", "1", "--out", out, "--quiet"]


def steady(connections, rate):
    """Echoes on a schedule, whatever comes back."""
    count = ["--connections", str(connections)]
    return Case(
        name=f"steady-{connections * rate}",
        title=f"{connections:,} connections, {rate}/s each",
        unit="echo",
        counted="echoes",
        floor=["echo", *count, "--rate", str(rate)],
        scenario="steady",
        wsbench=[*count, "--rate", f"{rate}/s"],
        connections=connections,
        offered=connections * rate,
    )


def in_flight(connections, unanswered):
    """Echoes as fast as they come back."""
    count = ["--connections", str(connections)]
    return Case(
        name=f"in-flight-{unanswered}",
        title=f"{connections:,} connections, {unanswered} in flight each",
        unit="echo",
        counted="echoes",
        floor=["echo", *count, "--in-flight", str(unanswered)],
        scenario=f"in-flight-{unanswered}",
        wsbench=count,
        connections=connections,
    )


IDLE = Case(
    name="idle",
    title="9,800 connections, a ping every 2 s each",
    unit="ping",
    counted="pings",
    floor=["ping", "--connections", "9800", "--every", "2"],
    scenario="idle",
    connections=9800,
    offered=4900,
)

CYCLE = Case(
    name="cycle",
    title="500 connections/s, opened and closed",
    unit="connection",
    counted="closed",
    floor=["cycle"],
    scenario="cycle",
    offered=500,
)

ALL = [
    in_flight(100, 1),
    in_flight(10, 16),
    steady(100, 100),
    steady(100, 200),
    steady(100, 300),
    steady(9000, 1),
    IDLE,
    CYCLE,
]
