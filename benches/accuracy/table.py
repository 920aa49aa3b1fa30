"""One line for each thing that was looked at, and the table of all."""

import os
import platform
from dataclasses import dataclass
from datetime import datetime, timezone

BEGIN = "<!-- measured by scripts/accuracy: begin -->"
END = "<!-- measured by scripts/accuracy: end -->"


@dataclass
class Row:
    """Where nothing is expected, something is only told."""

    what: str
    expected: str
    observed: str
    holds: bool


def told(what, observed):
    """Worth knowing, and nothing to hold."""
    return Row(what, "", observed, True)


def render(rows, load, quick):
    """The whole text, as Markdown."""
    when = datetime.now(timezone.utc).date()
    kernel = platform.release().split("-")[0]
    head = f"Measured on {when}, Linux {kernel}, {os.cpu_count()} cores, loopback; load average before it {load:.2f}."
    if quick:
        head += " Quick runs: they show that the script works, and no more."
    lines = [head, "", "| what | expected | observed | |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.expected} | {row.observed} | {verdict(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def verdict(row):
    if not row.expected:
        return ""
    return "ok" if row.holds else "**does not hold**"


def write(page, text):
    """Puts the text between its marks."""
    before, begin, rest = page.read_text().partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"scripts/accuracy: failed to write {page}: it has lost the marks around its table")
    page.write_text(before + begin + "\n" + text + "\n" + end + after)


def number(value):
    """As people read it: three digits, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
