"""Turns runs into a table of medians and ratios, with what speaks against trusting it below."""

from statistics import median

KIB = 1024
# What is asked of wsbench on two cores, by case: at most so many times the floor's CPU.
RATIO_GOALS = {"in-flight-1": 1.3, "steady-10000": 1.3}
WIDTHS = (58, 10, 10, 20, 14)


def render(cases, runs, noise):
    """The whole text. `runs` hold both clients for each case and round, `noise` what else the machine did."""
    lines = []
    section(lines, "CPU for each message, µs", cost_rows(cases, runs))
    section(lines, "From the intended to the actual send, µs", lateness_rows(cases, runs))
    section(lines, "Memory for each idle connection, KiB", memory_rows(cases, runs))
    section(lines, "Failures of wsbench in all rounds", failure_rows(cases, runs))
    found = doubts(cases, runs) + noise
    if found:
        lines += ["", "Doubts", *(f"  {doubt}" for doubt in found)]
    return "\n".join(lines)


def section(lines, title, rows):
    if rows:
        lines += ["", columns(title, "floor", "wsbench", "ratio (range)", "goal")]
        lines += [columns("  " + row[0], *row[1:]) for row in rows]


def columns(*cells):
    first, *rest = zip(cells, WIDTHS)
    return (f"{first[0]:<{first[1]}}" + "".join(f"{cell:>{width}}" for cell, width in rest)).rstrip()


def cost_rows(cases, runs):
    rows = []
    for case in cases:
        goal = RATIO_GOALS.get(case.name)
        goal = f"ratio ≤ {goal}" if goal else ""
        rows.append(compared(f"{case.unit}: {case.title}", values(case, runs, "cpu_us"), 1, goal))
    return rows


def lateness_rows(cases, runs):
    rows = []
    for case in cases:
        for stat in ("p50", "p99"):
            pairs = values(case, runs, f"late_{stat}_us")
            goal = "< 500 µs" if (case.name, stat) == ("steady-10000", "p99") else ""
            if case.counted == "echoes" and case.offered and pairs:
                rows.append(compared(f"{stat}: {case.title}", pairs, 1, goal))
    return rows


def memory_rows(cases, runs):
    rows = []
    for case in cases:
        if case.counted != "pings":
            continue
        # No ratio: what the floor keeps of a connection is a handful of bytes.
        seen = values(case, runs, "bytes_per_connection")
        if seen:
            floor, wsbench = (number(median(column) / KIB) for column in zip(*seen))
            rows.append((f"from outside: {case.title}", floor, wsbench, "", "≤ 8 KiB"))
        own = [run["own_bytes_per_connection"] for run in of(case, runs, "wsbench")]
        if None not in own:
            rows.append(("by its own run.json", "", number(median(own) / KIB), "", ""))
    return rows


def failure_rows(cases, runs):
    rows = []
    for case in cases:
        # The server's view counts too: a connection that did not end in a close handshake has failed.
        failures = sum(
            run["failures"] + run["server"]["broken"] + run["server"]["refused"] for run in of(case, runs, "wsbench")
        )
        asked = case.counted == "pings"
        if asked or failures:
            rows.append((case.title, "", f"{failures:,}", "", "0" if asked else ""))
    return rows


def compared(title, pairs, unit, goal):
    """Medians of both, and the median and range of the ratio within a round, which a drift of the machine spares."""
    floor = median(pair[0] for pair in pairs)
    wsbench = median(pair[1] for pair in pairs)
    ratios = [pair[1] / pair[0] for pair in pairs if pair[0] > 0]
    ratio = f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else ""
    return (title, number(floor / unit), number(wsbench / unit), ratio, goal)


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def values(case, runs, key):
    """(floor, wsbench) for each round in which both know the value."""
    pairs = zip(of(case, runs, "floor"), of(case, runs, "wsbench"))
    return [(a[key], b[key]) for a, b in pairs if a[key] is not None and b[key] is not None]


def of(case, runs, client):
    return [run for run in runs if (run["case"], run["client"]) == (case.name, client)]


def doubts(cases, runs):
    """Why a figure may not mean what it says."""
    found = []
    by_name = {case.name: case for case in cases}
    for run in runs:
        case = by_name[run["case"]]
        name = f"{run['client']}, {case.title}, round {run['round']}"
        if run["exit_code"] != 0:
            found.append(f"{name}: ended with exit code {run['exit_code']}")
        if case.offered and abs(run["per_second"] / case.offered - 1) > 0.02:
            found.append(f"{name}: {run['per_second']:,.0f}/s instead of {case.offered:,}/s")
        if case.offered and run["server_load"] > 0.9:
            found.append(f"{name}: the server was busy for {run['server_load']:.0%} of the time")
    return found
