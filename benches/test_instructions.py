"""What a verdict on instruction counts rests on: limits that guard every path, are not too loose, and stay what they
are until somebody writes new ones."""

import tempfile
import unittest
from pathlib import Path

import instructions
import limits

ROWS = [{"path": "stamp", "x86_64": "110"}, {"path": "library-in", "x86_64": "told"}]
WHATS = {"stamp": "a stamp", "library-in": "by the library"}


def judged(**counts):
    counts = {"stamp": 100.0, "library-in": 9000.0, **counts}
    return {path.name: path for path in limits.judged(ROWS, WHATS, counts, "x86_64")}


class Verdicts(unittest.TestCase):
    def test_only_what_is_over_its_limit_fails(self):
        for count, verdict in [(100.0, "ok"), (110.0, "ok"), (110.5, "**over**")]:
            path = judged(stamp=count)["stamp"]
            self.assertEqual((path.verdict(), path.is_over()), (verdict, verdict == "**over**"), count)

    def test_what_is_told_is_never_over(self):
        path = judged()["library-in"]
        self.assertEqual((path.verdict(), path.is_over(), path.is_loose()), ("told", False, False))
        self.assertEqual(instructions.cells(path), ("library-in", "by the library", "9,000", "", "told"))

    def test_a_limit_far_above_is_called_loose_and_fails_nothing(self):
        path = judged(stamp=60.0)["stamp"]
        self.assertEqual((path.verdict(), path.is_over()), ("loose", False))

    def test_a_new_limit_is_neither_reached_nor_loose(self):
        for count in (1.0, 7.5, 60.0, 700_000.0):
            path = limits.Judged("stamp", "", count, limits.limit_for(count))
            self.assertEqual(path.verdict(), "ok", count)

    def test_a_complaint_says_which_and_what_to_do(self):
        said = instructions.complaint(judged(stamp=120.0)["stamp"])
        self.assertIn("error: stamp takes 120 instructions, and may take 110\nhint: ", said)
        self.assertIn("benches/instructions/limits.csv", said)


class Limits(unittest.TestCase):
    def test_nothing_goes_unguarded(self):
        for counts, machine, named in [
            ({"stamp": 1.0, "library-in": 1.0, "pacer": 1.0}, "x86_64", "pacer"),
            ({"stamp": 1.0}, "x86_64", "library-in"),
            ({"stamp": 1.0, "library-in": 1.0}, "aarch64", "aarch64"),
        ]:
            with self.subTest(named), self.assertRaisesRegex(ValueError, named):
                limits.judged(ROWS, {**WHATS, "pacer": ""}, counts, machine)

    def test_new_ones_leave_alone_what_is_told_and_other_machines(self):
        rows = limits.renewed(ROWS, {"stamp": 200.0, "library-in": 1.0, "pacer": 10.0}, "aarch64")
        self.assertEqual(rows[0], {"path": "stamp", "x86_64": "110", "aarch64": 221})
        self.assertEqual(rows[1], {"path": "library-in", "x86_64": "told", "aarch64": "told"})
        self.assertEqual(rows[2], {"path": "pacer", "aarch64": 15})
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "limits.csv"
            limits.write(file, rows)
            self.assertEqual(limits.read(file)[2], {"path": "pacer", "x86_64": "", "aarch64": "15"})

    def test_those_that_ship_can_be_read(self):
        rows = limits.read(Path(__file__).parent / "instructions" / "limits.csv")
        for row in rows:
            self.assertTrue(row["x86_64"] == limits.TOLD or int(row["x86_64"]) > 0, row)


class Callgrind(unittest.TestCase):
    def test_its_sum_is_found(self):
        self.assertEqual(instructions.total("events: Ir\nfn=main\n1 5\ntotals: 4711\n"), 4711)
        with self.assertRaises(ValueError):
            instructions.total("events: Ir\n")

    def test_what_cannot_be_counted_is_no_success(self):
        for command, named in [(["no-such-valgrind"], "no-such-valgrind"), (["false"], "exit code 1")]:
            with self.subTest(named), self.assertRaisesRegex(RuntimeError, named):
                instructions.output(command)

    def test_paths_have_a_name_and_say_what_they_are(self):
        self.assertEqual(instructions.listed("stamp: written: read\n"), {"stamp": "written: read"})


if __name__ == "__main__":
    unittest.main()
