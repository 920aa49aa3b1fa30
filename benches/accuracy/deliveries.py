"""What one says, many hear: how long after, held to the observer's times; and how many of them, to the last one, where
the observer drops, doubles and swaps some.

A delivery has no row of its own in the client, so latencies are compared as distributions, whose means are exact. The
observer's is made of three times of one side each: how late the message was sent, by the client's row of it, and from
the kernel's stamp of it to when it was handed to the kernel for this listener."""

from agreement import alike, span
from table import Row

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
    return alike(f"deliveries to {MEMBERS}", "delivery.latency", theirs, run, waits)


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
