"""Turns runs into tables of medians, ranges and ratios, with what speaks against trusting them below."""

from statistics import median

KIB = 1024
MIB = KIB * KIB


def render(cases, runs, left_out, noise):
    """The whole text. `left_out` says who could not take part, and `noise` what else speaks against the figures."""
    texts = []
    for title, head, rows_of in SECTIONS:
        rows = [row for case in cases for row in rows_of(case, runs)]
        if rows:
            texts.append(f"**{title}**\n\n{markdown(head, rows)}")
    if left_out:
        texts.append(listed("Left out", left_out))
    found = doubts(cases, runs) + noise
    if found:
        texts.append(listed("Doubts", found))
    return "\n\n".join(texts)


def markdown(head, rows):
    """A table that can be read as it is, too."""
    rows = [head, *rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def listed(title, lines):
    return "\n".join([f"**{title}**", "", *(f"- {line}" for line in lines)])


def cost_rows(case, runs):
    for client in measured(case, runs, "cpu_us"):
        yield (
            f"{case.unit}: {case.title}",
            client,
            number(median(values(case, runs, client, "per_second"))),
            number(median(values(case, runs, client, "cpu_us"))),
            ratio(case, runs, client),
            goal(case, client, "cpu_us"),
            number(median(values(case, runs, client, "rss")) / MIB),
        )


def load_rows(case, runs):
    if "load" not in case.goals:
        return
    for client in measured(case, runs, "load"):
        percent = [100 * load for load in values(case, runs, client, "load")]
        more = [100 * (load - first) for load, first in against_first(case, runs, client, "load")]
        yield (case.title, client, ranged(percent), ranged(more), goal(case, client, "load"))


def lateness_rows(case, runs):
    if "late_p99_us" not in case.goals and (case.counted not in ("echoes", "delivered") or not case.rate):
        return
    for client in measured(case, runs, "late_p50_us"):
        cells = [ranged(values(case, runs, client, f"late_{stat}_us")) for stat in ("p50", "p99")]
        goals = [goal(case, client, f"late_{stat}_us") for stat in ("p50", "p99")]
        yield (case.title, client, *cells, " and ".join(filter(None, goals)))


def memory_rows(case, runs):
    if not case.asks_for_memory:
        return
    for client in measured(case, runs, "bytes_per_connection"):
        sizes = [size / KIB for size in values(case, runs, client, "bytes_per_connection")]
        yield (case.title, client, ranged(sizes), goal(case, client, "bytes_per_connection"))
    for client in measured(case, runs, "own_bytes_per_connection"):
        sizes = [size / KIB for size in values(case, runs, client, "own_bytes_per_connection")]
        yield (case.title, f"{client}, by its own run.json", ranged(sizes), "")


def soak_rows(case, runs):
    for run in of(case, runs):
        if "rss_settled" in run:
            sizes = [run[size] / MIB for size in ("rss_settled", "rss_last", "rss_highest")]
            yield (case.title, run["client"], *(f"{size:.2f}" for size in sizes), f"{sizes[1] - sizes[0]:+.2f}")


def failure_rows(case, runs):
    ours = [run for run in of(case, runs) if "failures" in run]
    # The server's view counts too: a connection that did not end in a close handshake has failed.
    failures = sum(run["failures"] + run["server"]["broken"] + run["server"]["refused"] for run in ours)
    asked = case.counted == "pings"
    if ours and (asked or failures):
        yield (case.title, f"{failures:,}", "0" if asked else "")


SECTIONS = (
    ("CPU", ("work", "client", "a second", "CPU each, µs", "times the first", "goal", "memory, MiB"), cost_rows),
    ("CPU in all", ("work", "client", "% of one core", "points above the first", "goal"), load_rows),
    ("From the intended to the actual send, µs", ("work", "client", "p50", "p99", "goal"), lateness_rows),
    ("Memory for each idle connection", ("work", "client", "KiB", "goal"), memory_rows),
    ("Memory of a long run, MiB", ("work", "client", "second minute", "last minute", "highest", "growth"), soak_rows),
    ("Failures of wsbench in all rounds", ("work", "failures", "goal"), failure_rows),
)


def goal(case, client, key):
    """As text, where this is the client that it is asked of: the last of ours."""
    judged = [name for name in case.clients if name.startswith("wsbench")][-1]
    return str(case.goals[key]) if client == judged and key in case.goals else ""


def ratio(case, runs, client):
    """Median and range of the ratio to the first client within a round, which a drift of the machine spares."""
    return ranged([mine / first for mine, first in against_first(case, runs, client, "cpu_us") if first > 0])


def against_first(case, runs, client, key):
    """(this client's, the first one's) for each round in which both know the value."""
    first = case.clients[0]
    if client == first:
        return []
    mine, others = by_round(case, runs, client, key), by_round(case, runs, first, key)
    return [(mine[number], others[number]) for number in mine if number in others]


def by_round(case, runs, client, key):
    seen = {run["round"]: run.get(key) for run in of(case, runs) if run["client"] == client}
    return {number: value for number, value in seen.items() if value is not None}


def ranged(values):
    if len(values) < 2:
        return "".join(number(value) for value in values)
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def measured(case, runs, key):
    """The clients of a case that know a value, in its order."""
    return [client for client in case.clients if values(case, runs, client, key)]


def values(case, runs, client, key):
    return list(by_round(case, runs, client, key).values())


def of(case, runs):
    return [run for run in runs if run["case"] == case.name]


def doubts(cases, runs):
    """Why a figure may not mean what it says."""
    found = []
    for case in cases:
        for run in of(case, runs):
            name = f"{run['client']}, {case.title}, round {run['round']}"
            if run["exit_code"]:
                found.append(f"{name}: ended with exit code {run['exit_code']}")
            if "per_second" not in run or not case.offered:
                continue
            if abs(run["per_second"] / case.offered - 1) > 0.02:
                found.append(f"{name}: {run['per_second']:,.0f}/s instead of {case.offered:,g}/s")
            if run["server_load"] > 0.9:
                found.append(f"{name}: the server was busy for {run['server_load']:.0%} of the time")
    return found
