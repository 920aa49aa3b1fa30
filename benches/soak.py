"""A long run of one client, whose memory is looked at every second."""

import time
from statistics import median

import processes
from outside import PATIENCE, is_open, started, wait

SETTLED = 60  # seconds from which on memory has to be flat


def soak(case, client, server, command, seconds, log):
    """Runs a client to its end, and keeps each sample beside its log. Returns what became of its memory."""
    before = server.settled_counts()
    with started(client, command, log) as process, open(log.with_suffix(".csv"), "w", buffering=1) as file:
        wait(process, lambda: is_open(server.counts()) >= case.connections, "the last connection")
        print("second,rss_bytes", file=file)
        seen = []
        begun = time.monotonic()
        for second in range(seconds + 1):
            time.sleep(max(0.0, begun + second - time.monotonic()))
            if process.poll() is not None:
                raise RuntimeError(f"the client has ended after {second} of {seconds} seconds")
            seen.append((second, processes.resident_bytes(process.pid)))
            print(*seen[-1], sep=",", file=file)
        code = process.wait(PATIENCE)
    after = server.settled_counts()
    return {"exit_code": code, "server": {count: after[count] - before[count] for count in after}, **settled(seen)}


def settled(seen):
    """What samples of (second, bytes) say of the time after the first minute."""
    sizes = [rss for second, rss in seen if second >= SETTLED]
    return {"rss_settled": median(sizes[:SETTLED]), "rss_last": median(sizes[-SETTLED:]), "rss_highest": max(sizes)}
