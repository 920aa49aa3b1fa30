"""What the tables rest on: ratios, doubts, whole process trees, and that every client can be told every piece of work
it is said to do. `python3 -m unittest discover -s benches` runs it."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock
from xml.etree import ElementTree

import cases
import clients
import compare
import held
import outside
import page
import processes
import soak
import table

STEADY = next(case for case in cases.ALL if case.name == "steady-10000")
SCENARIOS = Path(__file__).parent / "scenarios"


def run(client, number, cpu_us, **more):
    seen = {"per_second": STEADY.offered, "load": 0.5, "server_load": 0.5, "rss": 1 << 20, "exit_code": 0}
    return {"case": STEADY.name, "client": client, "round": number, "cpu_us": cpu_us, **seen, **more}


class Tables(unittest.TestCase):
    def test_a_ratio_is_taken_within_a_round(self):
        # By the medians of each, the ratio would be 2.
        runs = [run("floor", 1, 1.0), run("wsbench", 1, 3.0), run("floor", 2, 2.0), run("wsbench", 2, 2.0)]
        runs += [run("floor", 3, 4.0), run("wsbench", 3, 4.0)]
        self.assertEqual(table.ratio(STEADY, runs, "wsbench"), "1 (1–3)")

    def test_a_round_that_only_one_has_done_gives_no_ratio(self):
        runs = [run("floor", 1, 1.0), run("wsbench", 2, 3.0)]
        self.assertEqual(table.ratio(STEADY, runs, "wsbench"), "")
        self.assertEqual(table.ratio(STEADY, runs, "floor"), "")

    def test_ratios_that_are_asked_for_have_more_rounds(self):
        idle = next(case for case in cases.ALL if case.name == "idle-9800")
        self.assertEqual(compare.taking_part(STEADY, 3, 3), STEADY.clients)
        self.assertEqual(compare.taking_part(STEADY, 4, 3), ["floor", "floor-best", "wsbench"])
        self.assertEqual(compare.taking_part(idle, 4, 3), [])

    def test_the_goal_stands_beside_the_one_it_is_asked_of(self):
        rows = list(table.cost_rows(STEADY, [run(client, 1, 1.0) for client in ("floor", "wsbench", "naive")]))
        self.assertEqual([row[5] for row in rows], ["", "≤ 0.9 ×", ""])

    def test_what_speaks_against_a_figure_is_said(self):
        runs = [run("floor", 1, 1.0), run("naive", 1, 1.0, per_second=9000.0), run("wsbench", 1, 1.0, exit_code=4)]
        found = "\n".join(table.doubts([STEADY], runs))
        self.assertIn("naive, 100 connections, 100/s each, round 1: 9,000/s instead of 10,000/s", found)
        self.assertIn("wsbench, 100 connections, 100/s each, round 1: ended with exit code 4", found)
        self.assertNotIn("floor", found)

    def test_who_could_not_take_part_is_named(self):
        self.assertIn("- k6 is not installed", table.render([STEADY], [], ["k6 is not installed"], []))

    def test_memory_is_compared_from_the_second_minute_on(self):
        seen = [(second, 10 if second < 60 else 100 + second // 120) for second in range(180)]
        self.assertEqual(soak.settled(seen), {"rss_settled": 100, "rss_last": 101, "rss_highest": 101})


class Held(unittest.TestCase):
    def test_a_ratio_is_taken_within_a_round_and_shown_with_its_quartiles(self):
        costs = [(1.0, 1.0), (2.0, 3.0), (3.0, 6.0), (1.0, 2.5), (1.0, 3.0)]
        rounds = [
            {"floor": {"cpu_us": first, "per_second": 5.0}, "wsbench": {"cpu_us": mine, "per_second": 4.0}}
            for first, mine in costs
        ]
        case = next(case for case in cases.ALL if case.name == "in-flight-1")
        floor, wsbench = held.rows_of(case, rounds)
        self.assertEqual(floor[2:], ("5", "5", "1", "", ""))
        self.assertEqual(wsbench[2:], ("5", "4", "3", "2 (1.25–2.75)", "≤ 1.1 ×"))

    def test_only_cases_without_a_schedule_can_be_held(self):
        able = [case.name for case in cases.ALL if case.can_be_held]
        self.assertEqual(able, ["in-flight-1", "in-flight-9000", "in-flight-16"])

    def test_nobody_is_compared_with_nobody(self):
        case = next(case for case in cases.ALL if case.can_be_held)
        with self.assertRaisesRegex(RuntimeError, "wsbench is not built"):
            held.measure(case, clients.all_of("/no/wsbench"), 0, [0], Path("out"))

    def test_a_turn_in_which_nothing_was_done_is_no_cheap_one(self):
        case = next(case for case in cases.ALL if case.can_be_held)
        turn = held.Turn(case, clients.Floor(), Still(), Still())
        with mock.patch("time.sleep"), mock.patch("processes.send"), self.assertRaisesRegex(RuntimeError, "floor has done nothing"):
            turn.take()


class Still:
    """A server and a client that do nothing."""

    pid = os.getpid()
    process = property(lambda self: self)

    def poll(self):
        return None

    def counts(self):
        return {"echoes": 7, "opened": 1, "closed": 0, "broken": 0}


class Memory(unittest.TestCase):
    def test_what_a_run_takes_anyway_is_not_that_of_its_connections(self):
        fewer, more = ({"rss": 7_000_000 + 2_000 * count, "open": count} for count in (100, 400))
        self.assertEqual(outside.bytes_per_connection(fewer, more), 2_000)

    def test_where_memory_is_asked_for_most_of_the_connections_are_left_away_once(self):
        asked = [case for case in cases.ALL if case.asks_for_memory]
        self.assertTrue(asked)
        for case in asked:
            for client in (client for name, client in clients.all_of("wsbench").items() if name in case.clients):
                told = [client.command(one, 80, 5, Path("out")) for one in (case, case.quarter)]
                counts = [int(command[command.index("--connections") + 1]) for command in told]
                self.assertEqual(counts, [case.connections, case.connections // 4])


class Pages(unittest.TestCase):
    def test_a_table_takes_the_place_of_the_one_before(self):
        (begin, end), (other, others_end) = page.marks("scripts/bench"), page.marks("scripts/other")
        rest = f"{other}\nother\n{others_end}\nbelow\n"
        old = f"above\n{begin}\nold\n{end}\n{rest}"
        new = f"above\n{begin}\nnew\n{end}\n{rest}"
        self.assertEqual(page.replaced(old, "scripts/bench", "new"), new)

    def test_a_page_without_marks_is_left_alone(self):
        with self.assertRaises(ValueError):
            page.replaced(page.marks("scripts/bench")[0], "scripts/bench", "new")


class Processes(unittest.TestCase):
    def test_what_a_process_has_started_is_counted_and_ended_with_it(self):
        child = "import time\nprint(flush=True)\nwhile True: time.process_time()"
        parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
        process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
        try:
            process.stdout.readline()
            start = processes.cpu_of_each(process.pid)
            self.assertEqual(len(start), 2)
            deadline = time.monotonic() + 10
            while processes.cpu_between(start, processes.cpu_of_each(process.pid)) < 0.01:
                self.assertLess(time.monotonic(), deadline, "the child's time is not seen")
            self.assertGreater(
                processes.resident_bytes(process.pid), processes.resident_bytes_of_one(process.pid)
            )
        finally:
            processes.stop(process, 5)
            process.stdout.close()
        self.assertEqual([pid for pid in start if processes.is_alive(pid)], [])
        self.assertEqual(processes.tree(process.pid), [])

    def test_a_process_that_came_later_counts_whole(self):
        self.assertEqual(processes.cpu_between({1: 2.0, 2: 9.0}, {1: 3.0, 3: 0.5}), 1.5)


class Words(unittest.TestCase):
    def test_every_client_can_be_told_what_it_is_said_to_do(self):
        known = clients.all_of("wsbench")
        for case in cases.ALL:
            self.assertTrue((SCENARIOS / f"{case.scenario}.toml").exists(), case.name)
            for name in case.clients:
                with self.subTest(case=case.name, client=name), tempfile.TemporaryDirectory() as out:
                    command = known[name].command(case, 4711, 5, Path(out))
                    self.assertTrue(all(isinstance(word, str) for word in command), command)
                    written = "".join(path.read_text() for path in Path(out).iterdir())
                    told = " ".join([*command, *known[name].environment.values(), written])
                    self.assertIn("4711", told)

    def test_names_are_the_only_ones(self):
        names = [case.name for case in cases.ALL]
        self.assertEqual(len(names), len(set(names)))

    def test_scripts_are_what_they_have_to_be(self):
        steady = next(case for case in cases.ALL if case.name == "steady-1000")
        with tempfile.TemporaryDirectory() as out:
            for name in ("artillery", "tsung"):
                clients.all_of("wsbench")[name].command(steady, 4711, 5, Path(out))
            flow = json.loads((Path(out) / "artillery.json").read_text())["scenarios"][0]["flow"][0]["loop"]
            self.assertEqual(flow[1], {"think": "100ms"})
            turn = ElementTree.parse(Path(out) / "tsung.xml").find(".//for/thinktime")
            self.assertEqual(turn.get("value"), "0.1")


if __name__ == "__main__":
    unittest.main()
