"""The same, where a connection is more than TCP: what is under the messages must not show in their times and counts."""

import front
from agreement import HEARTBEAT, KEPT, LATE_MS, MESSAGES, alike, kept, paired, way
from table import Row, number

CONNECTIONS, STREAMS = 20, 10
JSON = 'payload = { size = "1KiB", like = "json" }'
# What the proxy takes of the way, both ways together: some 150 µs over HTTP/1.1 and 200 µs over HTTP/2 on two cores that
# it shares with the observer. How long it waits for a core at worst is the machine's doing: seen were 0.4 to 1.4 ms at p99.
PROXY_P50_US, PROXY_P99_US = 300, None
# What HTTP/2 adds: on each side of the TCP connection a message waits for the turn of what serves all its streams.
HTTP2_P50_US, HTTP2_P99_US = 100, 500
ONE = ["--messages", "--workers", "1"]
LATE = ["--late", str(LATE_MS)]


def run(bench, quick):
    seconds = 3 if quick else 15
    return under_tls(bench, seconds) + compressed(bench, seconds) + over_http2(bench, seconds)


def scenario(seconds, target="", message=""):
    pace = f'rate = "10/s"\n{message}'
    return target + MESSAGES.format(seconds=seconds, connections=CONNECTIONS, pace=pace, kept=KEPT) + HEARTBEAT


def under_tls(bench, seconds):
    tls = bench.run("tls", scenario(seconds), LATE, ONE, tls=True)
    return paired("messages under TLS", tls) + alike("pings under TLS", "heartbeat.rtt", kept("ping", tls), tls)


def compressed(bench, seconds):
    """The observer restores and compresses by a library that wsbench does not use. Messages are held to what went before
    them on a connection with `keep`, in one direction, and always in the other."""
    rows = []
    for send in ("prepared", "keep"):
        target = f'target.compression = {{ send = "{send}", required = true }}\n'
        run = bench.run(f"deflate-{send}", scenario(seconds, target, JSON), ["--deflate", *LATE], ONE)
        what = f"compressed messages, {send}"
        rows += paired(what, run) + [
            same(what, "bytes on the wire, sent", run.total("compressed.sent_wire"), run.seen(0)["inflated_wire"]),
            same(what, "bytes, sent", run.total("compressed.sent_plain"), run.seen(0)["inflated_plain"]),
            same(what, "bytes on the wire, received", run.total("compressed.received_wire"), run.seen(0)["deflated_wire"]),
            same(what, "bytes, received", run.total("compressed.received_plain"), run.seen(0)["deflated_plain"]),
            same(what, "compressed, sent", run.total("compressed.sent"), run.seen(0)["inflated"]),
            same(what, "compressed, received", run.total("compressed.received"), run.seen(0)["deflated"]),
        ]
    return rows


def over_http2(bench, seconds):
    """The observer speaks HTTP/1.1, so haproxy stands before it, and its own share is part of the way. How much that is
    is seen over HTTP/1.1 through the same proxy, and what HTTP/2 adds to it has bounds, which are those of wsbench."""
    if not front.PROGRAM:
        raise RuntimeError("start haproxy: it is not installed\nhint: install it (on Debian: apt-get install haproxy)")
    one = bench.run("proxied-1", scenario(seconds), LATE, ONE, front="http1")
    target = f'target.http = "2"\ntarget.streams_per_connection = {STREAMS}\n'
    two = bench.run("proxied-2", scenario(seconds, target), LATE, ONE, front="http2")
    (p50, p99), (p50_2, p99_2) = way(one), way(two, shared=True)
    more = p50_2 - p50, p99_2 - p99
    rows = []
    for what, run, shared in (("HTTP/1.1", one, False), ("HTTP/2", two, True)):
        rows += paired(f"messages over {what} through haproxy", run, PROXY_P50_US, PROXY_P99_US, shared)
        rows += seen_by_both(f"over {what} through haproxy", run)
    carriers = CONNECTIONS // STREAMS
    return rows + [
        same("over HTTP/2 through haproxy", "TCP connections", two.total("http2.carriers"), carriers),
        Row(
            "messages over HTTP/2, less those over HTTP/1.1 through the same haproxy, p50 and p99",
            f"≤ {HTTP2_P50_US} and ≤ {HTTP2_P99_US} µs",
            f"{number(more[0])} and {number(more[1])} µs",
            more[0] <= HTTP2_P50_US and more[1] <= HTTP2_P99_US,
        ),
    ]


def seen_by_both(what, run):
    seen = run.seen(0)
    return [
        same(what, "connections", run.total("connections.opened"), seen["opened"]),
        same(what, "pings", run.total("heartbeat.rtt"), seen["pongs_sent"]),
        same(what, "whole close handshakes", run.total("closes.1000.local"), seen["closed_by_client"]),
    ]


def same(what, kind, ours, theirs):
    return Row(f"{what}: {kind}", f"{theirs:,}", f"{ours:,}", 0 < ours == theirs)
