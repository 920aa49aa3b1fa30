#!/usr/bin/env python3
"""What a listener gains by WebSocket, and what those who ask cost the server: each group of scenarios/polling.toml alone with a
server of its own, in one table and one picture.

    benches/polling.py [--write] [PROGRAM]

PROGRAM is a release build, target/release/wsbench if it is not given. With --write the table goes into docs/polling.md, and the
picture beside it.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from math import log10
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCENARIO = ROOT / "scenarios/polling.toml"
PAGE = ROOT / "docs/polling.md"
PICTURE = ROOT / "docs/polling.svg"
BEGIN = "<!-- measured by benches/polling.py: begin -->"
END = "<!-- measured by benches/polling.py: end -->"
# The name of each group, what people call it, and its metric.
GROUPS = {
    "push": ("WebSocket, pushed", "age.pushed"),
    "wait": ("long polling", "age.waited"),
    "poll": ("polling, connection kept", "age.polled"),
    "dial": ("polling, a connection each", "age.dialled"),
}
TRIES = 3  # where the machine was too busy for a verdict (exit code 4)


def alone(text, group):
    """The scenario with one group and the host of the room, and the gates that ask about no other group."""
    head, *parts = text.split("\n[[cohort]]")
    last, gates = parts[-1].split("\n[gates]", 1)
    parts[-1] = last
    kept = [part for part in parts if f'\nname = "{group}"\n' in part or '\nname = "host"\n' in part]
    if len(kept) != 2:
        raise SystemExit(f"{SCENARIO} has no cohort `{group}`, or none that is called `host`")
    others = [metric for name, (_, metric) in GROUPS.items() if name != group]
    if group == "push":
        others.append("messages.timed_out")  # it sends nothing that is answered
    lines = [line for line in gates.splitlines() if not any(metric in line for metric in others)]
    return "\n[[cohort]]".join([head, *kept]) + "\n[gates]" + "\n".join(lines) + "\n"


@dataclass
class Seen:
    """One group alone. Ages in ms; requests for each listener and second; bytes for each piece of news, with all that a
    connection takes to open and end; the server's processor time in ms a second."""

    p50: float
    p99: float
    requests: float
    sent: float
    received: float
    cpu: float
    descriptors: float


def read(run, group):
    """Takes from run.json what the table shows."""

    def of(name, cohort=group, rows="metrics"):
        found = [one for one in run[rows] if one["name"] == name and one["cohort"] == cohort]
        if len(found) != 1:
            raise SystemExit(f"run.json has {len(found)} times `{name}` of `{cohort}`")
        return found[0]

    def total(name):
        return of(name, rows="totals")["count"]

    age, news = of(GROUPS[group][1]), total("messages.received")
    return Seen(
        p50=age["p50"] / 1e3,
        p99=age["p99"] / 1e3,
        requests=of("messages.sent")["count"] / total("connections.attempted") / run["measured_seconds"],
        sent=total("bytes.sent") / news,
        received=total("bytes.received") / news,
        cpu=of("target.cpu", None)["mean"] * 10,
        descriptors=of("target.descriptors", None)["max"],
    )


def play(program, text, group, folder):
    """Runs the group alone, again where the machine was too busy."""
    scenario = folder / f"{group}.toml"
    scenario.write_text(text)
    for attempt in range(TRIES):
        out = folder / f"{group}-{attempt}"
        code = subprocess.run([program, "run", scenario, "--quiet", "--out", out], check=False).returncode
        if code == 0:
            return read(json.loads((out / "run.json").read_text()), group)
        if code != 4:
            break
    raise SystemExit(f"the group `{group}` ended with exit code {code}")


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(seen):
    head = "| | age p50 | age p99 | requests | sent | received | server’s CPU | descriptors |"
    lines = [head, "|---|" + "---:|" * 7]
    for group, one in seen.items():
        cells = [f"{number(one.p50)} ms", f"{number(one.p99)} ms", f"{number(one.requests)}/s", f"{number(one.sent)} B"]
        cells += [f"{number(one.received)} B", f"{number(one.cpu)} ms/s", number(one.descriptors)]
        cells = [cell.replace(" ", "\u00a0") for cell in cells]  # a number and its unit stay in one line
        lines.append(f"| {GROUPS[group][0]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


LEFT, RIGHT, ROW, TOP = 220, 700, 46, 40


def picture(seen):
    """A row for each group: from p50 to p99 of the age, on a logarithmic scale. Its colours hold on white and on black."""
    ages = [age for one in seen.values() for age in (one.p50, one.p99)]
    low, high = 10 ** int(log10(min(ages)) - (min(ages) < 1)), 10 ** (int(log10(max(ages))) + 1)

    def x(age):
        return LEFT + (RIGHT - LEFT) * (log10(age) - log10(low)) / (log10(high) - log10(low))

    bottom = TOP + ROW * len(seen)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {bottom + 40}" font-family="system-ui, sans-serif" font-size="14" '
        'role="img" aria-label="How old news is when it is seen, by the way it comes">',
        f'<text x="{LEFT}" y="20" fill="#7a8594">How old news is when it is seen: ● p50, ┃ p99</text>',
    ]
    tick = low
    while tick <= high * 1.001:
        label = f"{tick / 1000:g} s" if tick >= 1000 else f"{tick:g} ms" if tick >= 1 else f"{tick * 1000:g} µs"
        parts.append(f'<path d="M{x(tick):.1f} {TOP}V{bottom}" stroke="#7a8594" stroke-opacity=".3"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 20}" fill="#7a8594" text-anchor="middle">{label}</text>')
        tick *= 10
    for place, (group, one) in enumerate(seen.items()):
        y, colour = TOP + ROW * place + ROW // 2, "#1f9d6b" if group == "push" else "#4a86d8"
        parts.append(f'<text x="{LEFT - 14}" y="{y + 5}" fill="#7a8594" text-anchor="end">{GROUPS[group][0]}</text>')
        parts.append(f'<path d="M{x(one.p50):.1f} {y}H{x(one.p99):.1f}" stroke="{colour}" stroke-width="6" stroke-opacity=".45"/>')
        parts.append(f'<circle cx="{x(one.p50):.1f}" cy="{y}" r="7" fill="{colour}"/>')
        parts.append(f'<path d="M{x(one.p99):.1f} {y - 10}V{y + 10}" stroke="{colour}" stroke-width="4"/>')
    return "\n".join([*parts, "</svg>", ""])


def write(text):
    """Puts the table between its marks."""
    before, begin, rest = PAGE.read_text().partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has lost the marks around its table")
    PAGE.write_text(f"{before}{begin}\n{text}\n\n{end}{after}")


def main(arguments):
    writes = "--write" in arguments
    named = [argument for argument in arguments if not argument.startswith("--")]
    program = Path(named[0] if named else ROOT / "target/release/wsbench").resolve()
    text = SCENARIO.read_text()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        seen = {group: play(program, alone(text, group), group, Path(folder)) for group in GROUPS}
    shown = table(seen)
    print(shown)
    if writes:
        machine = f"both sides on one machine of {os.cpu_count()} cores; load average before it {load:.2f}"
        write(f"Measured on {datetime.now(timezone.utc).date()}, {machine}:\n\n{shown}")
        PICTURE.write_text(picture(seen))


if __name__ == "__main__":
    main(sys.argv[1:])
