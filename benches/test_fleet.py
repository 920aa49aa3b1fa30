"""What the tables of many processes rest on: a plan that fits, and figures that follow from what was seen."""

import math
import resource
import tempfile
import tomllib
import unittest
import unittest.mock
from pathlib import Path

import fleet

CASE = fleet.Case("tiny", 1_000, 5, ramp_up=10, warm_up=5, duration=20, ramp_down=5, interval=20, timeout=9)


def sample(at, **more):
    seen = {"at": at, "available": 20 << 30, "kernel": 1 << 30, "pairs": 1_000, "client_rss": 3 << 20}
    seen |= {"server_rss": 2 << 20, "client_cpu_s": 0.0, "server_cpu_s": 0.0, "jiffies": [0] * 8}
    return {**seen, **more}


def seen(**more):
    at = {"before": sample(0, kernel=0, available=22 << 30), "stopped": "", "exit_code": 0}
    leading = {"cpu_s": 2.0, "rss": 64 << 20}
    brokering = {"cpu_s": 1.0, "rss": 32 << 20, "kept_bytes": 200 * 1024}
    counts = {"opened": 1_000, "closed": 999, "pings": 1_500}
    samples = [sample(102), sample(116), sample(130, client_cpu_s=7.0, jiffies=[1_400, 0, 0, 1_400, 0, 0, 0, 0])]
    return {**at, "leading": leading, "brokering": brokering, "server": counts, "samples": samples, **more}


def run(**more):
    part = {"settled_seconds": 11.25, "longest_lag_ns": 2_000_000, "doubts": []}
    late = {**part, "settled_seconds": 12.5, "longest_lag_ns": 40_000_000, "doubts": ["workers_late"]}
    gates = [{"gate": "count(heartbeat.missed) == 0", "passed": True}]
    totals = [{"name": name, "count": 1_000} for name in ("connections.opened", "connections.closed")]
    metrics = [{"name": "heartbeat.pings_sent", "count": 1_000}]
    verdict = {"gates": gates, "distrust": []}
    phases = [(0, 15, "ramp_up"), (15, 10, "measure"), (25, 10, "measure"), (35, 5, "drain")]
    timeline = [{"second": at, "seconds": length, "phase": phase} for at, length, phase in phases]
    began = {"started_at": "1970-01-01T00:01:40.000Z", "timeline": timeline}
    return {**began, "parts": [part, late], "seconds": 40.0, "verdict": verdict, "totals": totals, "metrics": metrics, **more}


class Plans(unittest.TestCase):
    def test_every_pair_of_a_source_and_a_server_is_used(self):
        for case in fleet.ALL:
            self.assertEqual(math.gcd(case.sources, case.processes), 1, case.name)

    def test_a_process_needs_no_more_than_it_may_have_where_20_000_are_allowed(self):
        for case in fleet.ALL:
            self.assertLessEqual(case.each + fleet.OWN, 20_000, case.name)
            # From there on connect(2) searches long for a free port.
            self.assertLess(case.each / case.sources, 14_000, case.name)

    def test_each_connection_is_pinged_in_the_measured_time_and_has_time_for_its_pong(self):
        for case in fleet.ALL:
            self.assertGreaterEqual(case.duration, case.interval, case.name)
            self.assertLessEqual(case.timeout, case.interval, case.name)
            self.assertLessEqual(case.seconds, 345, f"{case.name} takes longer than it may")

    def test_the_scenario_names_every_server_and_is_toml(self):
        told = tomllib.loads(fleet.scenario(CASE, [7001, 7002, 7003, 7004, 7005]))
        self.assertEqual(told["target"]["url"][4], "ws://127.0.2.5:7005/")
        self.assertEqual(told["load"]["connections"], 1_000)
        self.assertIn("count(connections.opened) == 1000", told["gates"]["pass"])

    def test_agents_are_named_in_the_order_of_their_shares(self):
        with tempfile.TemporaryDirectory() as folder:
            led = fleet.Fleet("true", CASE, Path(folder), "nats://127.0.0.1:9")
            with led:
                led.start(Path("scenario.toml"))
                told = [process.args for process in led.agents]
                led.judged()
        self.assertEqual([words[words.index("--name") + 1] for words in told], [f"agent-{n}" for n in range(1, 6)])
        self.assertEqual({words[words.index("--workers") + 1] for words in told}, {"1"})
        self.assertIn("--agents", led.coordinator.args)

    def test_names_of_many_agents_are_in_their_order_as_texts(self):
        with tempfile.TemporaryDirectory() as folder:
            led = fleet.Fleet("true", fleet.Case("many", 1_000, 51, 1, 1, 1, 1, 1, 1), Path(folder), "nats://127.0.0.1:9")
            with led:
                led.start(Path("scenario.toml"))
                names = [process.args[process.args.index("--name") + 1] for process in led.agents]
                led.judged()
        self.assertEqual(names, sorted(names))

    def test_a_server_that_is_not_installed_is_named_with_the_way_out(self):
        with tempfile.TemporaryDirectory() as folder, unittest.mock.patch.object(fleet.Broker, "program", return_value=None):
            with self.assertRaisesRegex(fleet.Refused, "nats-server\nhint: "):
                fleet.Broker(Path(folder))

    def test_too_many_connections_for_a_process_are_refused_before_anything_is_started(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        case = fleet.Case("huge", 2 * hard, 2, 1, 1, 1, 1, 1, 1)
        with self.assertRaisesRegex(fleet.Refused, "descriptors"):
            fleet.check(case, "/bin/true", "/bin/true")
        with self.assertRaisesRegex(fleet.Refused, "hint: "):
            fleet.check(CASE, "/bin/true", "/nowhere")


class Figures(unittest.TestCase):
    def rows(self, seen, run):
        return dict(fleet.facts(CASE, seen, run))

    def test_figures_follow_from_what_was_seen(self):
        rows = self.rows(seen(), run())
        self.assertEqual(rows["all open after"], "12.5 s (planned over 10 s)")
        self.assertEqual(rows["memory of a connection: a client, resident"], "3.07 KiB")
        self.assertEqual(rows["memory of a connection: the kernel, both ends"], "1,048.58 KiB")
        self.assertEqual(rows["memory in all: clients, servers and kernel"], "1.0 GiB")
        # Over 14 s: half a core of clients, and one of two cores at work.
        self.assertEqual(rows["cores of clients, servers, all, while held"], "0.50, 0.00, 1.00")
        self.assertEqual(rows["an agent and second: the coordinator"], "10.00 ms CPU")
        self.assertEqual(rows["an agent and second: the NATS server"], "5.00 ms CPU, 1.0 KiB kept")
        self.assertEqual(rows["most memory of the coordinator, of the NATS server"], "64 MiB, 32 MiB")
        self.assertEqual(rows["longest a process was held up: median, worst"], "21 ms, 40 ms")
        self.assertEqual(rows["agents in doubt"], "1")
        self.assertEqual(rows["opened, closed, pings of the whole run: the servers"], "1,000, 999, 1,500")
        self.assertEqual(rows["verdict"], "PASS, exit code 0")

    def test_a_failed_gate_and_a_doubt_are_named(self):
        judged = {
            "gates": [{"gate": "count(heartbeat.missed) == 0", "passed": False}],
            "distrust": [{"text": "part 2: wsbench itself was held up"}],
        }
        said = self.rows(seen(exit_code=4), run(verdict=judged))["verdict"]
        self.assertIn("NO VERDICT", said)
        self.assertIn("`count(heartbeat.missed) == 0` did not hold", said)
        self.assertIn("part 2", said)

    def test_what_ended_early_says_why_and_claims_no_verdict(self):
        rows = self.rows(seen(stopped="only 1.9 GiB of memory were left", exit_code=2), None)
        self.assertEqual(rows["stopped early"], "only 1.9 GiB of memory were left")
        self.assertEqual(rows["verdict"], "refused, exit code 2")
        self.assertNotIn("opened, failed, lost", rows)

    def test_where_not_all_settled_no_opening_time_is_claimed(self):
        never = {"settled_seconds": None, "longest_lag_ns": None, "doubts": []}
        self.assertNotIn("all open after", self.rows(seen(), run(parts=[never])))


if __name__ == "__main__":
    unittest.main()
