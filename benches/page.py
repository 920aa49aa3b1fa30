"""Puts a table into the page that keeps it, between the two marks of a command, with how and when it was measured."""

import datetime
from pathlib import Path

PAGE = Path("docs/performance.md")


def check(command):
    """Sees to it, before anything is measured, that there is a place for the table."""
    replaced(PAGE.read_text(), command, "")


def write(command, arguments, how, text):
    """Replaces what stands between the marks."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    told = " ".join([command, *arguments])
    PAGE.write_text(replaced(PAGE.read_text(), command, f"`{told}` on {today}, {how}.\n\n{text}"))


def replaced(page, command, text):
    """The page with another text between the marks of a command."""
    begin, end = marks(command)
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"{PAGE} has lost the marks around the table of {command}")
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{text}\n{end}{after}"


def marks(command):
    return f"<!-- measured by {command}: begin -->", f"<!-- measured by {command}: end -->"
