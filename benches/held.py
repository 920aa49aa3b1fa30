"""Programs at the same work in turn: all are started, and all but one are held by SIGSTOP. A host that gets slower or
faster within seconds does so for each of them, where runs one after the other would be told apart by that."""

import signal
import time
from contextlib import ExitStack
from statistics import median, quantiles

import outside
import processes
import table

ROUNDS = 20
SLICE = 0.2  # seconds that are measured of a turn
BEGIN = 0.05  # seconds of a turn before that: what came while it was held is done with then
PATIENCE = 60  # seconds that all of them may take to begin
CLIENTS = ("floor", "floor-best", "wsbench")
HEAD = ("work", "client", "turns", "a second", "CPU each, µs", "times the first", "goal")


class Turn:
    """A client that is at work, and its server."""

    def __init__(self, case, client, server, process):
        self.case, self.client, self.server, self.process = case, client, server, process

    def take(self):
        """Lets it work for a short time, and returns what that cost."""
        self.tell(signal.SIGCONT)
        time.sleep(BEGIN)
        start = outside.sample(self.server, self.process.pid)
        time.sleep(SLICE)
        end = outside.sample(self.server, self.process.pid)
        self.tell(signal.SIGSTOP)
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.client.name} has ended between two turns")
        seen = outside.costs(self.case, start, end)
        if not seen["cpu_us"]:
            raise RuntimeError(f"{self.client.name} has done nothing in a turn of {SLICE} s")
        return seen

    def tell(self, how):
        processes.send(self.process.pid, how)


def measure(case, known, core, cores, out):
    """What each turn of each client cost: a list for each name, in the order of the rounds."""
    if missing := [why for name in CLIENTS if (why := known[name].missing())]:
        raise RuntimeError("\n".join(missing))
    lasting = PATIENCE + int(ROUNDS * len(CLIENTS) * (SLICE + BEGIN + 0.1))
    with ExitStack() as open_still:
        turns = {}
        for name in CLIENTS:
            server = outside.Server(known["floor"].program, core)
            open_still.callback(server.stop)
            folder = out / f"{case.name}-held-{name}"
            folder.mkdir()
            command = outside.pinned(cores, known[name].command(case, server.port, lasting, folder))
            print("$", " ".join(command), flush=True)
            before = server.counts()
            process = open_still.enter_context(outside.started(known[name], command, out / f"{folder.name}.log"))
            outside.wait(process, lambda: outside.is_steady(case, before, server.counts()), "the steady state")
            time.sleep(outside.SETTLE)
            turns[name] = Turn(case, known[name], server, process)
            turns[name].tell(signal.SIGSTOP)
        try:
            return [{name: turn.take() for name, turn in turns.items()} for _ in range(ROUNDS)]
        finally:
            # One that is held does not end when it is told to.
            for turn in turns.values():
                turn.tell(signal.SIGCONT)


def rendered(measured):
    """The table; `measured` holds the rounds of each case."""
    rows = [row for case, rounds in measured for row in rows_of(case, rounds)]
    return table.markdown(HEAD, rows)


def rows_of(case, rounds):
    for name in rounds[0]:
        ratios = [seen[name]["cpu_us"] / seen[CLIENTS[0]]["cpu_us"] for seen in rounds]
        yield (
            f"{case.unit}: {case.title}",
            name,
            str(len(rounds)),
            table.number(median(seen[name]["per_second"] for seen in rounds)),
            table.number(median(seen[name]["cpu_us"] for seen in rounds)),
            quartered(ratios) if name != CLIENTS[0] else "",
            str(case.goals.get("cpu_us", "")) if name == CLIENTS[-1] else "",
        )


def quartered(values):
    """The median, with the quartiles."""
    low, _, high = quantiles(values, n=4)
    return f"{table.number(median(values))} ({table.number(low)}–{table.number(high)})"
