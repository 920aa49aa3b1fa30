"""Message by message: the client's latency, less what the observer kept the message for, is the way there and back.
Nothing else may be in it. Handshakes, pings and closes are compared as distributions, whose means are exact."""

import math
from statistics import fmean
from typing import NamedTuple

from table import Row, number, told

P50_US, P99_US = 100, 300
# Where the time that is recorded is the kernel's stamp: the most that p50 and p99 may be off by.
STAMPED_US = 20, 60
LATE_MS = 5  # the longest time for which the observer keeps an answer where it is known how long
HALF = 0.5
# What a histogram may be off by.
PRECISION, RESOLUTION_US = 0.001, 0.064

MESSAGES = """
[load]
ramp_up = "1s"
duration = "{seconds}s"

[[cohort]]
name = "all"
connections = {connections}
{kept}

[[message]]
name = "text"
{pace}
"""
# Then the kernel's stamps are kept beside the times of the program.
KEPT = "contract = { closed = 0 }"

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
    scenario = MESSAGES.format(seconds=seconds, connections=20, pace=pace, kept=KEPT) + HEARTBEAT
    idle = bench.run("idle", scenario, late, ["--messages", *one])

    fast = 'heartbeat = "off"\n' + MESSAGES
    full = bench.run("full", fast.format(seconds=3, connections=100, pace="in_flight = 1", kept=KEPT), [], one)
    most = full.echoes_per_second("text")
    pace = f'rate = "{most * HALF / 100:.1f}/s"'
    scenario = fast.format(seconds=seconds, connections=100, pace=pace, kept=KEPT)
    half = bench.run("half", scenario, [], ["--messages", *one])

    # Nothing depends on an answer: it is read when the next message is due, and its time is the kernel's.
    scenario = fast.format(seconds=seconds, connections=100, pace='rate = "100/s"', kept="")
    unread = bench.run("unread", scenario, late, ["--messages", *one])

    opening = seconds // 3
    cycle = bench.run("cycle", CYCLE.format(seconds=opening, connections=100 * opening), late, ["--messages", *one])

    rows = paired("messages, idle", idle)
    rows += paired(f"messages, {most * HALF:,.0f}/s of {most:,.0f}/s, CPU {half.cpu():.0f} %", half)
    rows += paired("messages, 10,000/s, left unread", unread, *STAMPED_US, waits_us=STAMPED_US)
    rows += alike("pings", "heartbeat.rtt", kept("ping", idle), idle)
    waits = [pair.in_user_space() for pair in pairs_of(cycle)[1]]
    rows += alike("handshakes, request to 101", "handshake.upgrade", kept("handshake", cycle), cycle, waits)
    rows += alike("closes, Close to end of TCP", "close.duration", kept("close", cycle), cycle, waits)
    rows += percentiles("idle", idle) + percentiles("half", half)
    return rows


class Pair(NamedTuple):
    """One message, as both have seen it; times in nanoseconds, of each side by its own clock."""

    connection: int
    sequence: int
    sent: int
    arrived: int  # at the client's kernel
    received: int  # by the client
    reached: int  # the server's kernel
    answered: int

    def there_and_back(self):
        """What the client has measured, less what the server kept it for; in microseconds."""
        return (self.arrived - self.sent - (self.answered - self.reached)) / 1000

    def in_user_space(self):
        """How long the answer waited for the client; in microseconds."""
        return (self.received - self.arrived) / 1000


def paired(what, run, p50_us=P50_US, p99_us=P99_US, shared=False, waits_us=None):
    """All messages of a run, each with its own counterpart. `p99_us`: `None` where something stands on the way whose worst
    times nobody knows. `shared`: connections of the client share TCP connections. `waits_us`: what is asked of the time from
    the kernel's stamp to the recorded one, at p50 and p99."""
    seen, pairs = pairs_of(run)
    exact = exactly_stamped(pairs, shared)
    if not exact:
        raise RuntimeError(f"pair the messages of {run.folder.name}: there are none")
    p50, p99 = there_and_back(exact)
    waited = quantiles((pair.in_user_space() for pair in pairs), 0.5, 0.99)
    apart = f"{number(waited[0])} and {number(waited[1])} µs"
    return [
        Row(f"{what}: paired", f"all {seen:,}", f"{len(pairs):,}", len(pairs) == seen),
        Row(
            f"{what}: with a stamp of their own on both sides",
            "≥ 90 %",
            f"{100 * len(exact) / len(pairs):.1f} %",
            len(exact) >= 0.9 * len(pairs),
        ),
        Row(
            f"{what}: latency less the server's share, p50",
            f"0 to {p50_us} µs",
            f"{number(p50)} µs",
            0 <= p50 <= p50_us,
        ),
        told(f"{what}: the same, p99", f"{number(p99)} µs")
        if p99_us is None
        else Row(f"{what}: the same, p99", f"≤ {p99_us} µs", f"{number(p99)} µs", p99 <= p99_us),
        told(f"{what}: from the kernel's stamp to the program, p50 and p99", apart)
        if waits_us is None
        else Row(
            f"{what}: from the kernel's stamp to the recorded time, p50 and p99",
            f"≤ {waits_us[0]} and ≤ {waits_us[1]} µs",
            apart,
            all(time <= most for time, most in zip(waited, waits_us)),
        ),
    ]


def way(run, shared=False):
    """What is left of latency without the server's share, p50 and p99; in microseconds."""
    return there_and_back(exactly_stamped(pairs_of(run)[1], shared))


def there_and_back(pairs):
    return quantiles((pair.there_and_back() for pair in pairs), 0.5, 0.99)


def pairs_of(run):
    """How many messages the server has answered, and all of them that the client knows."""
    times = {}
    for row in run.log():
        if row["kind"] == "text":
            name = int(row["connection"]), int(row["sequence"])
            times[name] = int(row["received_ns"]), int(row["answered_ns"])
    pairs = []
    for row in run.messages():
        name = int(row["connection"]), int(row["sequence"])
        if name not in times or not row["arrived_ns"]:
            raise RuntimeError(f"pair a message of {run.folder.name}: {row}")
        pairs.append(Pair(*name, int(row["sent_ns"]), int(row["arrived_ns"]), int(row["received_ns"]), *times[name]))
    return len(times), pairs


def exactly_stamped(pairs, shared=False):
    """The kernel has one stamp for all that is read at once, that of the last: when the others came nobody knows. Which
    is the last of a connection its number tells. Of several connections nobody knows, so only who was read alone counts."""
    last, readers = {}, {}
    for pair in pairs:
        for stamp in stamps(pair):
            last[stamp] = max(last.get(stamp, 0), pair.sequence)
        readers.setdefault(pair.arrived, set()).add(pair.connection)
    return [
        pair
        for pair in pairs
        if all(last[stamp] == pair.sequence for stamp in stamps(pair)) and not (shared and len(readers[pair.arrived]) > 1)
    ]


def stamps(pair):
    """Both, each with whom it is for."""
    return [(pair.connection, "client", pair.arrived), (pair.connection, "server", pair.reached)]


def kept(kind, run):
    """How long the observer had each of a kind, in µs."""
    return [span(row, "received_ns", "answered_ns") for row in run.log() if row["kind"] == kind]


def alike(what, metric, theirs, run, waits=(0.0,)):
    """A distribution of the client's beside what the observer knows of the same times, in µs. Where the client has no stamp of the
    kernel's, `waits` are what its messages waited for it meanwhile, which is the machine's doing and shown apart."""
    ours = run.times(metric)
    mean = ours["mean"] - fmean(theirs) - fmean(waits)
    waited = quantiles(waits, 0.5, 0.99)
    seen = zip(("p50", "p99"), quantiles(theirs, 0.5, 0.99), waited)
    p50, p99 = (ours[name] - time - wait for name, time, wait in seen)
    apart = f"{number(fmean(waits))}, {number(waited[0])} and {number(waited[1])} µs"
    rows = [told(f"{what}: the wait for the program, taken off, mean, p50 and p99", apart)] if any(waits) else []
    return rows + [
        Row(f"{what}: seen by both", f"{len(theirs):,}", f"{ours['count']:,}", 0 < ours["count"] == len(theirs)),
        Row(
            f"{what}: the client's mean less the observer's",
            f"0 to {P50_US} µs",
            f"{number(mean)} µs",
            0 <= mean <= P50_US,
        ),
        Row(
            f"{what}: p50 less p50, p99 less p99",
            f"≤ {P50_US} and ≤ {P99_US} µs",
            f"{number(p50)} and {number(p99)} µs",
            p50 <= P50_US and p99 <= P99_US,
        ),
    ]


def percentiles(what, run):
    """The report's percentiles, beside those of a sorted list of every message."""
    latencies = sorted(span(row, "intended_ns", "received_ns") for row in run.messages())
    ours = run.times("latency.text")
    points = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "p99_99": 0.9999}
    exact = zip(points, quantiles(latencies, *points.values()))
    worst = max(abs(ours[name] - time) / max(time * PRECISION, RESOLUTION_US) for name, time in exact)
    ends = (len(latencies), latencies[0], latencies[-1])
    same = (ours["count"], ours["min"], ours["max"]) == ends and math.isclose(ours["sum"], sum(latencies), rel_tol=1e-9)
    return [
        Row(
            f"percentiles, {what}: p50 to p99.99 of {len(latencies):,} messages, beside their sorted list",
            "within 0.1 % or 64 ns",
            f"at most {worst:.2f} of that",
            worst <= 1,
        ),
        Row(f"percentiles, {what}: count, sum, min and max", "the same", "the same" if same else "others", same),
    ]


def span(row, begin, end):
    """In microseconds."""
    return (int(row[end]) - int(row[begin])) / 1000


def quantiles(values, *parts):
    """For each part the smallest value that so many do not exceed."""
    ranked = sorted(values)
    return [ranked[max(math.ceil(part * len(ranked)), 1) - 1] for part in parts]
