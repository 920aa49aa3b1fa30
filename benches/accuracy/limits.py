"""The generator knows its limits: starved on purpose it must say so, and blame no server for it."""

import subprocess
import sys
from contextlib import contextmanager

from table import Row

UNTRUSTED = 4
HOGS = 4

# As many at once as make batches of them: that is how one worker reaches the most.
MOST = """
heartbeat = "off"

[load]
connections = 100
ramp_up = "1s"
duration = "3s"

[[message]]
name = "text"
in_flight = 64
"""

SCENARIO = """
heartbeat = "off"

[load]
connections = 100
ramp_up = "1s"
duration = "5s"

[[message]]
name = "text"
rate = "{rate:.1f}/s"

[gates]
pass = ["p99(latency.text) < 20ms"]
"""


def run(bench, quick):
    one = ["--workers", "1"]
    most = bench.run("most", MOST, [], one).echoes_per_second("text")
    rate = 3 * most / 100
    fast = bench.run("too-fast", SCENARIO.format(rate=rate), [], one)
    hogged = bench.run("hogged", SCENARIO.format(rate=10), [], one, beside=hogs(bench.client_core))
    return [
        said(f"one worker, {100 * rate:,.0f}/s, three times what it reaches with this server", fast),
        not_blamed(f"{HOGS} busy programs on its core", hogged),
    ]


def said(what, run):
    doubts = "; ".join(doubt["text"] for doubt in run.report["verdict"]["distrust"])
    observed = f"exit code {run.code}: {doubts or 'no word'}"
    return Row(f"limits: {what}", f"exit code {UNTRUSTED}, and why", observed, run.code == UNTRUSTED and bool(doubts))


def not_blamed(what, run):
    """Lateness is part of every latency: a limit that holds with it holds, and one that does not is void."""
    notes = run.report["verdict"]["distrust"] + run.report["warnings"]
    observed = f"exit code {run.code}: {'; '.join(note['text'] for note in notes) or 'no word'}"
    is_right = run.code in (0, UNTRUSTED) and bool(notes)
    return Row(f"limits: {what}", f"exit code 0 or {UNTRUSTED}, and a word of it", observed, is_right)


@contextmanager
def hogs(core):
    """Programs that do nothing, as fast as they can."""
    spin = ["taskset", "-c", str(core), sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(spin) for _ in range(HOGS)]
    try:
        yield
    finally:
        for hog in running:
            hog.kill()
            hog.wait()
