"""Puts a table into the page that keeps it, between two marks, with where and how it was measured."""

import datetime
from pathlib import Path

PAGE = Path("docs/performance.md")
BEGIN = "<!-- measured by scripts/bench: begin -->"
END = "<!-- measured by scripts/bench: end -->"


def check():
    """Sees to it, before anything is measured, that there is a place for the table."""
    replaced(PAGE.read_text(), "")


def write(facts, arguments, rounds, seconds, text):
    """Replaces what stands between the marks."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    seen = ", ".join(f"{name} {value}" for name, value in facts.items())
    command = " ".join(["scripts/bench", *arguments])
    how = f"`{command}` on {today}, {rounds} rounds of {seconds} s each: {seen}."
    PAGE.write_text(replaced(PAGE.read_text(), f"{how}\n\n{text}"))


def replaced(page, text):
    """The page with another text between its marks."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{PAGE} has lost the marks around its table")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
