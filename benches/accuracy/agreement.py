"""Message by message: the client's latency, less what the observer kept the message for, is the way there and back.
Nothing else may be in it. Handshakes, pings and closes are compared as distributions, whose means are exact."""

import math
from statistics import fmean

from table import Row, number, told

P50_US, P99_US = 100, 300
LATE_MS = 5  # the longest time for which the observer keeps an answer where it is known how long
HALF = 0.5

MESSAGES = """
[load]
ramp_up = "1s"
duration = "{seconds}s"

[[cohort]]
name = "all"
connections = {connections}
contract = {{ closed = 0 }}        # the kernel's stamps are kept

[[message]]
name = "text"
{pace}
"""

HEARTBEAT = """
[heartbeat]
interval = "100ms"
timeout = "5s"
"""

# Connections are opened one by one, ask for one echo, and are closed one by one.
CYCLE = """
heartbeat = "off"

[load]
ramp_up = "{seconds}s"
duration = "1s"
ramp_down = "{seconds}s"

[[cohort]]
name = "all"
connections = {connections}
contract = {{ closed = 0 }}

[[message]]
name = "text"
rate = "2/s"
count = 1
"""


def run(bench, quick):
    seconds = 3 if quick else 15
    one = ["--workers", "1"]
    late = ["--late", str(LATE_MS)]

    pace = 'rate = "10/s"'
    scenario = MESSAGES.format(seconds=seconds, connections=20, pace=pace) + HEARTBEAT
    idle = bench.run("idle", scenario, late, ["--messages", *one])

    fast = 'heartbeat = "off"\n' + MESSAGES
    full = bench.run("full", fast.format(seconds=3, connections=100, pace="in_flight = 1"), [], one)
    most = full.total("messages.echoed") / full.report["seconds"]
    bench.full_rate = most
    pace = f'rate = "{most * HALF / 100:.1f}/s"'
    half = bench.run("half", fast.format(seconds=seconds, connections=100, pace=pace), [], ["--messages", *one])

    cycle = bench.run("cycle", CYCLE.format(seconds=seconds // 3, connections=100 * seconds), late, one + ["--messages"])

    rows = paired("messages, idle", idle)
    rows += paired(f"messages, {most * HALF:,.0f}/s of {most:,.0f}/s, CPU {half.cpu():.0f} %", half)
    rows += alike("pings", "heartbeat.rtt", "ping", idle)
    rows += alike("handshakes, request to 101", "handshake.upgrade", "handshake", cycle)
    rows += alike("closes, Close to end of TCP", "close.duration", "close", cycle)
    rows += percentiles("idle", idle) + percentiles("half", half)
    return rows


def paired(what, run):
    """All messages of a run, each with its own counterpart."""
    seen = {key(row): row for row in run.log() if row["kind"] in ("text", "binary")}
    there_and_back, in_user_space = [], []
    for row in run.messages():
        other = seen.get((row["connection"], "0", row["sequence"]))
        if other is None or not row["arrived_ns"]:
            raise RuntimeError(f"pair a message of {run.folder.name}: {row}")
        kept = int(other["answered_ns"]) - int(other["received_ns"])
        arrived = int(row["arrived_ns"])
        there_and_back.append((arrived - int(row["sent_ns"]) - kept) / 1000)
        in_user_space.append((int(row["received_ns"]) - arrived) / 1000)
    return [
        Row(f"{what}: paired with the observer's", "all", f"{len(there_and_back):,} of {len(seen):,}",
            0 < len(there_and_back) == len(seen)),
        Row(f"{what}: latency less the server's share, p50", f"0 to {P50_US} µs",
            f"{number(quantile(there_and_back, 0.5))} µs", 0 <= quantile(there_and_back, 0.5) <= P50_US),
        Row(f"{what}: the same, p99", f"≤ {P99_US} µs", f"{number(quantile(there_and_back, 0.99))} µs",
            quantile(there_and_back, 0.99) <= P99_US),
        told(f"{what}: from the kernel's stamp to the program, p50 and p99",
             f"{number(quantile(in_user_space, 0.5))} and {number(quantile(in_user_space, 0.99))} µs"),
    ]


def key(row):
    return (row["connection"], row["message"], row["sequence"])


def alike(what, metric, kind, run):
    """A distribution of the client's beside that of the observer's share."""
    kept = [(int(row["answered_ns"]) - int(row["received_ns"])) / 1000 for row in run.log() if row["kind"] == kind]
    ours = run.times(metric)
    mean = ours["mean"] - fmean(kept)
    p50, p99 = (ours[name] - quantile(kept, at) for name, at in (("p50", 0.5), ("p99", 0.99)))
    return [
        Row(f"{what}: seen by both", f"{len(kept):,}", f"{ours['count']:,}", 0 < ours["count"] == len(kept)),
        Row(f"{what}: the client's mean less the server's", f"0 to {P50_US} µs", f"{number(mean)} µs",
            0 <= mean <= P50_US),
        Row(f"{what}: p50 less p50, p99 less p99", f"≤ {P50_US} and ≤ {P99_US} µs",
            f"{number(p50)} and {number(p99)} µs", p50 <= P50_US and p99 <= P99_US),
    ]


def percentiles(what, run):
    """The report's percentiles, beside those of a sorted list of every message."""
    latencies = sorted((int(row["received_ns"]) - int(row["intended_ns"])) / 1000 for row in run.messages())
    ours = run.times("latency.text")
    points = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "p99_99": 0.9999}
    worst = max(beyond(ours[name], quantile(latencies, at)) for name, at in points.items())
    exact = (len(latencies), latencies[0], latencies[-1])
    same = (ours["count"], ours["min"], ours["max"]) == exact and math.isclose(ours["sum"], sum(latencies), rel_tol=1e-9)
    return [
        Row(f"percentiles, {what}: p50 to p99.99 of {len(latencies):,} messages, beside their sorted list",
            "within 0.1 % or 64 ns", f"{worst:.2f} of that", worst <= 1),
        Row(f"percentiles, {what}: count, sum, min and max", "the same", "the same" if same else "others", same),
    ]


def beyond(ours, exact):
    """How far it is off, in parts of what a histogram may be off."""
    return abs(ours - exact) / max(exact * 0.001, 0.064)


def quantile(values, at):
    """The smallest value that so many do not exceed."""
    return sorted(values)[max(math.ceil(at * len(values)), 1) - 1]
