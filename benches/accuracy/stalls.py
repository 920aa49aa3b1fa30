"""Coordinated omission: the observer stands still for one second in every ten. A tenth of the messages were due while
it stood, evenly, so what they waited follows from arithmetic."""

from table import Row

STALL_MS, EVERY_MS = 1000, 10_000
RATE, CONNECTIONS = 50, 5
# A message is due every 20 ms, and each standstill lets fifty wait that are answered one after another.
SLACK_MS, MEAN_SLACK_MS = 40, 10

SCENARIO = """
heartbeat = "off"

[load]
connections = {connections}
ramp_up = "1s"
warm_up = "1s"
duration = "{seconds}s"

[[message]]
name = "text"
rate = "{rate}/s"
in_flight = 1
timeout = "10s"
"""


def run(bench, quick):
    every = EVERY_MS // 2 if quick else EVERY_MS
    share = STALL_MS / every
    seconds = 2 * every // 1000
    scenario = SCENARIO.format(connections=CONNECTIONS, rate=RATE, seconds=seconds)
    observer = ["--stall", str(STALL_MS), "--stall-every", str(every)]
    run = bench.run("stalls", scenario, observer, ["--workers", "1"])
    latency, service = run.times("latency.text", "metrics"), run.times("service.text", "metrics")
    due = RATE * CONNECTIONS * seconds
    stall = f"a stall of {STALL_MS // 1000} s in every {every // 1000}"
    rows = [Row(f"{stall}: messages due", f"{due:,}", f"{latency['count']:,}", latency["count"] == due)]
    waited = STALL_MS * share / 2
    rows.append(held("latency mean", latency["mean"] / 1000, waited, MEAN_SLACK_MS))
    for name, at in (("p50", 0.5), ("p99", 0.99), ("p99_9", 0.999)):
        expected = max(STALL_MS * (1 - (1 - at) / share), 0)
        rows.append(held(f"latency {name.replace('_', '.')}", latency[name] / 1000, expected))
    rows.append(held("service time p99, as one who waits for each answer sees it", service["p99"] / 1000, 0))
    rows.append(held("service time max", service["max"] / 1000, STALL_MS))
    return rows


def held(what, seen, expected, slack=SLACK_MS):
    """All in milliseconds."""
    return Row(f"the same: {what}", f"{expected:.0f} ± {slack} ms", f"{seen:.1f} ms", abs(seen - expected) <= slack)
