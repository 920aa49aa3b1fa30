"""What a hot path may cost: limits in a file, a column for each architecture, and what they say of a count."""

import csv
import math
from dataclasses import dataclass

# Stands in the place of a limit where a path is only there to compare others with.
TOLD = "told"
HINT = "hint: scripts/instructions --write makes them anew"


@dataclass
class Judged:
    """A path, the instructions that doing it once takes, and its limit; `None` where it has none to keep."""

    name: str
    what: str
    count: float
    limit: int | None

    def is_over(self):
        return self.limit is not None and self.count > self.limit

    def is_loose(self):
        """Such a limit would let a good part of what was won be lost again."""
        return self.limit is not None and self.limit > 1.25 * limit_for(self.count)

    def verdict(self):
        if self.limit is None:
            return TOLD
        return "**over**" if self.is_over() else "loose" if self.is_loose() else "ok"


def limit_for(count):
    """A tenth more, and five at least: another compiler may break nothing, and a real loss shall."""
    return math.ceil(max(1.1 * count, count + 5))


def read(path):
    """The rows of the file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path, rows):
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def renewed(rows, counts, machine):
    """The rows with limits for what was counted on this machine. What is only told stays so."""
    old = {row["path"]: row for row in rows}
    new = []
    for name, count in counts.items():
        row = old.get(name, {"path": name})
        new.append({**row, machine: TOLD if TOLD in row.values() else limit_for(count)})
    return new


def judged(rows, whats, counts, machine):
    """Each path with its limit on this machine. One without the other is an error: nothing goes unguarded."""
    limits = {row["path"]: row.get(machine) for row in rows}
    if strays := limits.keys() - counts.keys():
        raise ValueError(f"find the paths that have limits: {', '.join(sorted(strays))}\n{HINT}")
    if missing := [name for name in counts if not limits.get(name)]:
        raise ValueError(f"find limits on {machine} for {', '.join(missing)}\n{HINT}")
    return [
        Judged(name, whats[name], count, None if limits[name] == TOLD else int(limits[name]))
        for name, count in counts.items()
    ]
