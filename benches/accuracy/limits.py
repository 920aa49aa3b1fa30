"""The generator knows its limits: starved on purpose it must say so, and give no verdict."""

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
        said(f"{HOGS} busy programs on its core", hogged),
    ]


def said(what, run):
    doubts = "; ".join(doubt["text"] for doubt in run.report["verdict"]["distrust"])
    observed = f"exit code {run.code}: {doubts or 'no word'}"
    return Row(f"limits: {what}", f"exit code {UNTRUSTED}, and why", observed, run.code == UNTRUSTED and bool(doubts))


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
