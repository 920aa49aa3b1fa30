#!/usr/bin/env python3
"""What the supervisor's thread costs each second: it merges the shards of all workers, makes an interval of them with
whole histograms, and encodes those where a step is full. Other threads keep the time of messages; this one must only be
done before the next second.

    benches/supervisor.py --program target/release/wsbench --connections 1000 --rate 10/s --seconds 30
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

SCENARIO = """
name = "supervisor"
target.url = "embedded"
load = {{ connections = {connections}, duration = "{seconds}s" }}
heartbeat = {{ interval = "5s", timeout = "5s" }}
[[message]]
name = "echo"
rate = "{rate}"
"""


def on_processor(pid):
    """The time that the first thread of a process has been on a processor, in seconds."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def watch(process):
    """The processor time of the first thread in each second until the process ends."""
    seconds, before, next_look = [], on_processor(process.pid), time.monotonic()
    while process.poll() is None:
        next_look += 1
        time.sleep(max(0, next_look - time.monotonic()))
        try:
            now = on_processor(process.pid)
        except (FileNotFoundError, ProcessLookupError, IndexError):
            break
        seconds.append(now - before)
        before = now
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", default="target/release/wsbench")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--rate", default="10/s")
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    program = Path(options.program).resolve()
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder, "supervisor.toml")
        scenario.write_text(SCENARIO.format(**vars(options)))
        line = [program, "run", scenario, "--out", Path(folder, "out"), "--quiet"]
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = watch(process)
        size = sum(len(text) for text in Path(folder, "out/intervals.jsonl").open())
    # The first seconds prepare the run, and the last one writes its files.
    steady = sorted(seconds[3:-3])
    if len(steady) < 5:
        raise SystemExit(f"the run ended with {process.returncode} after {len(seconds)} s: too short to tell")
    print(f"{len(steady)} seconds of the supervisor: p50 {statistics.median(steady) * 1e3:.2f} ms,"
          f" at most {steady[-1] * 1e3:.2f} ms of processor time each; intervals.jsonl {size / len(seconds) / 1e3:.1f} KB a second")


if __name__ == "__main__":
    main()
