"""Nothing lost: millions of messages over thousands of connections, some closed by the server, some reset, all of them
not read for a while now and then. What client and observer have counted must agree."""

from table import Row, told

# In the order of the cohorts.
FATES = {"whole": "whole", "closing": "close", "broken": "reset"}
SECONDS, CONNECTIONS, MESSAGES = 110, 5000, 2_000_000

SCENARIO = """
target.close_timeout = "20s"

[load]
ramp_up = "5s"
duration = "{seconds}s"
ramp_down = "5s"

[heartbeat]
interval = "5s"
timeout = "30s"

[[message]]
name = "text"
rate = "{text}/s"
timeout = "30s"

[[message]]
name = "binary"
frame = "binary"
payload = {{ size = "200B" }}
rate = "{binary}/s"
timeout = "30s"
"""

COHORT = """
[[cohort]]
name = "{name}"
connections = {connections}
"""


def run(bench, quick):
    seconds, connections = (10, 400) if quick else (SECONDS, CONNECTIONS)
    shares = {"whole": connections // 2, "closing": connections // 4, "broken": connections // 4}
    scenario = SCENARIO.format(seconds=seconds, text=3.2, binary=2)
    scenario += "".join(COHORT.format(name=name, connections=shares[name]) for name in FATES)
    observer = ["--fates", ",".join(FATES.values()), "--within", str(seconds), "--pause-every", "20000"]
    run = bench.run("losses", scenario, observer, [])

    sent = run.total("messages.sent")
    opened = run.total("connections.opened")
    wanted = MESSAGES * connections * seconds // (CONNECTIONS * SECONDS)
    paused = sum(run.seen(index).get("pauses", 0) for index in range(len(FATES)))
    rows = [
        Row(
            "nothing lost: connections, messages sent",
            f"{connections:,}, ≥ {wanted:,}",
            f"{opened:,}, {sent:,}",
            opened == connections and sent >= wanted,
        ),
        told("nothing lost: times at which the server did not read a connection", f"{paused:,}"),
    ]
    for index, name in enumerate(FATES):
        rows += clean(run, index, name) if name != "broken" else broken(run, index, name)
    return rows + [books(run, [*FATES, None])]


def clean(run, index, name):
    """Each was ended by a whole close handshake: both sides have seen the same, by kind."""
    seen = run.seen(index)
    by_server = name == "closing"
    pairs = {
        "sent": (run.total("messages.sent", name), seen["text"] + seen["binary"]),
        "text echoes": (run.total("latency.text", name), seen["text_echoed"]),
        "binary echoes": (run.total("latency.binary", name), seen["binary_echoed"]),
        "pings": (run.total("heartbeat.pings_sent", name), seen["pings"]),
        "pongs": (
            run.total("heartbeat.pongs_received", name) + run.total("heartbeat.late", name),
            seen["pongs_sent"],
        ),
        "closes begun by the client": (run.total("closes.1000.local", name), seen["closed_by_client"]),
        "closes begun by the server": (run.total("closes.1001.peer", name), seen["closed_by_server"]),
    }
    title = "closed by the server" if by_server else "left alone"
    rows = []
    for kind, (ours, theirs) in pairs.items():
        rows.append(Row(f"nothing lost, {title}: {kind}", f"{theirs:,}", f"{ours:,}", ours == theirs))
    ended = seen["closed_by_client"] + seen["closed_by_server"]
    opened = run.total("connections.opened", name)
    rows.append(Row(f"nothing lost, {title}: whole close handshakes", f"{opened:,}", f"{ended:,}", ended == opened > 0))
    return rows


def broken(run, index, name):
    """What was on its way at a reset is gone. But each step can have seen only what the one before it has."""
    seen = run.seen(index)
    steps = [
        run.total("latency.text", name) + run.total("latency.binary", name),
        seen["text_echoed"] + seen["binary_echoed"],
        seen["text"] + seen["binary"],
        run.total("messages.sent", name),
    ]
    resets = run.total("closes.rst.peer", name)
    return [
        Row("nothing lost, reset: echoed, server's echoes, server's receipts, sent", "each ≤ the next",
            " ≤ ".join(f"{step:,}" for step in steps), 0 < steps[0] and steps == sorted(steps)),
        Row("nothing lost, reset: connections", f"{seen['reset']:,}", f"{resets:,}", 0 < resets == seen["reset"]),
    ]


def books(run, cohorts):
    """The client's own sums, for each cohort and for all."""
    outcomes = ("echoed", "mismatched", "timed_out", "lost")
    sums = {
        "messages.due": ["messages.sent", "messages.not_sent", "messages.offline"],
        "messages.sent": [f"messages.{outcome}" for outcome in outcomes],
        "messages.echoed": ["latency.text", "latency.binary"],
        "connections.attempted": ["connections.opened", "connections.failed"],
        "connections.closed": {row["name"] for row in run.report["totals"] if row["name"].startswith("closes.")},
    }
    wrong = []
    for cohort in cohorts:
        for name, parts in sums.items():
            whole, summed = run.total(name, cohort), sum(run.total(part, cohort) for part in parts)
            if whole != summed:
                wrong.append(f"{cohort or 'all'}: {name} is {whole:,}, and its parts {summed:,}")
    return Row("nothing lost: the client's own sums", "add up", "; ".join(wrong) or "add up", not wrong)
