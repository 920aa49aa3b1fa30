"""What one says, many hear: how long after, held to the observer's times; and how many of them, to the last one, where
the observer drops, doubles and swaps some.

A delivery has no row of its own in the client, so latencies are compared as distributions, whose means are exact. The
observer's is made of three times of one side each: how late the message was sent, by the client's row of it, and from
the kernel's stamp of it to when it was handed to the kernel for this listener."""

from statistics import fmean

from agreement import P50_US, P99_US, quantiles, span
from table import Row, number, told

MEMBERS = 20
SHARE = 0.01

# Each hears itself too, which answers its message: so the message has a row.
HEARD = """
heartbeat = "off"

[load]
ramp_up = "1s"
duration = "{seconds}s"

[[cohort]]
name = "all"
connections = {members}
joins = "room"
contract = {{ closed = 0 }}        # the kernel's stamps are kept

[[cohort.message]]
name = "say"
payload = {{ size = "64B" }}
rate = "1/s"
expect = "stamp"
to = "room"
"""

# Nothing is said before all listeners are members, nor when some may have gone.
COUNTED = """
heartbeat = "off"

[load]
ramp_up = "1s"
duration = "{seconds}s"
ramp_down = "0s"

[[cohort]]
name = "speakers"
connections = 4
joins = "room"

[[cohort.setup]]
pause = "3s"

[[cohort.message]]
name = "say"
payload = {{ size = "64B" }}
rate = "25/s"
expect = "none"
to = "room"

[[cohort]]
name = "listeners"
connections = {listeners}
joins = "room"
message = []
"""


def run(bench, quick):
    seconds = 5 if quick else 30
    scenario = HEARD.format(seconds=seconds, members=MEMBERS)
    heard = bench.run("heard", scenario, ["--circle", str(MEMBERS)], ["--messages", "--workers", "1"])

    listeners = 40 if quick else 196
    scenario = COUNTED.format(seconds=5 if quick else 60, listeners=listeners)
    share = str(SHARE)
    observer = ["--circle", str(listeners + 4), "--drop", share, "--double", share, "--swap", share]
    counted = bench.run("deliveries", scenario, observer, ["--workers", "2"])
    return latencies(heard) + counts(counted, listeners)


def latencies(run):
    late = {}
    waits = []
    for row in run.messages():
        late[row["connection"], row["sequence"]] = span(row, "intended_ns", "sent_ns")
        waits.append(span(row, "arrived_ns", "received_ns"))
    rows = [row for row in run.log() if row["kind"] == "delivery"]
    theirs = [late[row["connection"], row["sequence"]] + span(row, "received_ns", "answered_ns") for row in rows]
    ours = run.times("delivery.latency")
    mean = ours["mean"] - fmean(theirs)
    p50, p99 = (ours[name] - time for name, time in zip(("p50", "p99"), quantiles(theirs, 0.5, 0.99)))
    waited = [number(time) for time in quantiles(waits, 0.5, 0.99)]
    what = f"deliveries to {MEMBERS}"
    return [
        Row(f"{what}: seen by both", f"{len(theirs):,}", f"{ours['count']:,}", 0 < ours["count"] == len(theirs)),
        Row(f"{what}: the client's mean less the observer's", f"0 to {P50_US} µs", f"{number(mean)} µs", 0 <= mean <= P50_US),
        Row(
            f"{what}: p50 less p50, p99 less p99",
            f"≤ {P50_US} and ≤ {P99_US} µs",
            f"{number(p50)} and {number(p99)} µs",
            p50 <= P50_US and p99 <= P99_US,
        ),
        told(f"{what}: of this from the kernel's stamp to the program, p50 and p99", f"{waited[0]} and {waited[1]} µs"),
    ]


def counts(run, listeners):
    """Of the listeners, who are members from before the first message to after the last one."""
    said, heard = run.seen(0), run.seen(None)

    def total(name, cohort="listeners"):
        return run.total(f"delivery.{name}", cohort)

    expected = listeners * said["text"]
    missing = total("expected") - total("received")
    distinct = said["delivered"]
    of_speakers = sum(total(name, "speakers") for name in ("received", "late", "unsure"))
    pairs = [
        ("published", said["text"], total("published", "speakers")),
        ("expected by those who listen all the time", expected, total("expected")),
        ("missing", heard["dropped"], missing),
        ("twice", heard["doubled"], total("duplicated")),
        ("out of order", heard["swapped"], total("unordered")),
        ("heard by the speakers, counted or not", distinct, of_speakers),
    ]
    what = f"deliveries, {SHARE:.0%} each dropped, doubled and swapped"
    rows = [Row(f"{what}: {name}", f"{theirs:,}", f"{ours:,}", 0 < theirs == ours) for name, theirs, ours in pairs]
    none = {name: total(name) for name in ("late", "stray", "unsure")}
    seen = ", ".join(f"{count:,}" for count in none.values())
    return rows + [Row(f"{what}: late, stray, unsure", "0, 0, 0", seen, not any(none.values()))]
