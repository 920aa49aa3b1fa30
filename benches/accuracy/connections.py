"""The same, where a connection is more than TCP: what is under the messages must not show in their times and counts."""

from agreement import HEARTBEAT, LATE_MS, MESSAGES, alike, paired


def run(bench, quick):
    seconds = 3 if quick else 15
    scenario = MESSAGES.format(seconds=seconds, connections=20, pace='rate = "10/s"') + HEARTBEAT
    late = ["--late", str(LATE_MS)]
    tls = bench.run("tls", scenario, late, ["--messages", "--workers", "1"], tls=True)
    return paired("messages under TLS", tls) + alike("pings under TLS", "heartbeat.rtt", "ping", tls)
