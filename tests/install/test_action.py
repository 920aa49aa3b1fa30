"""Tests scripts/action as a job of GitHub calls it: WSBENCH_BIN names the program, target/release/wsbench if it does not."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("WSBENCH_BIN", ROOT / "target/release/wsbench")).resolve()
SCENARIO = """
name = "action"
target.url = "embedded"
load = { connections = 2, duration = "1s", ramp_up = "100ms" }
[[message]]
name = "echo"
rate = "20/s"
[gates]
pass = ["count(connections.failed) == 0"]
"""


class Action(unittest.TestCase):
    def setUp(self):
        # Beside the program the path has what a script needs, and no other wsbench.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "bin").mkdir()
        (self.folder / "bin/wsbench").symlink_to(PROGRAM)
        (self.folder / "action.toml").write_text(SCENARIO)

    def call(self, path=None, **inputs):
        """Runs the script. Returns its exit code, what it printed, its outputs, and the summary of the job."""
        told = {name: self.folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in told.values():
            file.write_text("")
        environment = {
            "PATH": f"{path or self.folder / 'bin'}:/usr/bin:/bin",
            "GITHUB_ACTIONS": "true",
            **{name: str(file) for name, file in told.items()},
            **{f"WSBENCH_{name.upper()}": value for name, value in inputs.items()},
        }
        ended = subprocess.run(
            ["bash", ROOT / "scripts/action"], cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        outputs = dict(line.split("=", 1) for line in told["GITHUB_OUTPUT"].read_text().splitlines())
        return ended.returncode, ended.stdout + ended.stderr, outputs, told["GITHUB_STEP_SUMMARY"].read_text()

    def test_a_run_that_holds_keeps_its_report_and_says_so_in_the_summary(self):
        code, said, outputs, summary = self.call(scenario="action.toml", report="kept")
        self.assertEqual(code, 0, said)
        self.assertEqual(outputs, {"exit-code": "0", "report": "kept"})
        self.assertTrue((self.folder / "kept/report.html").exists())
        self.assertIn("action", summary)

    def test_a_gate_of_the_inputs_that_does_not_hold_is_an_annotation_and_the_exit_code(self):
        gates = "\n  count(messages.sent) == 0  \n\ncount(messages.timed_out) == 0\n"
        code, said, outputs, _ = self.call(scenario="action.toml", gates=gates, arguments="--duration=2s\n--seed=7")
        self.assertEqual(code, 3, said)
        self.assertEqual(outputs["exit-code"], "3")
        self.assertIn("::error", said)
        self.assertIn("count(messages.sent) == 0", said)
        text = (self.folder / outputs["report"] / "run.json").read_text()
        self.assertIn('"seed": 7', text)

    def test_the_address_and_a_baseline_are_handed_on(self):
        code, said, _, _ = self.call(scenario="action.toml", url="ws://127.0.0.1:9/")
        self.assertIn(code, (2, 3, 4), said)
        code, said, outputs, _ = self.call(scenario="action.toml", baseline="none.json", report="other")
        self.assertEqual(code, 2, said)
        self.assertIn("none.json", said)
        self.assertEqual(outputs, {"exit-code": "2"}, "what was refused has no report")

    def test_what_is_missing_is_told(self):
        code, said, _, _ = self.call()
        self.assertEqual((code, "`scenario` is missing" in said), (2, True), said)
        (self.folder / "there").mkdir()
        code, said, _, _ = self.call(scenario="action.toml", report="there")
        self.assertEqual((code, "is there already" in said), (2, True), said)
        code, said, _, _ = self.call(path="/nowhere", scenario="action.toml")
        self.assertEqual((code, "neither wsbench nor a Rust toolchain" in said), (2, True), said)


if __name__ == "__main__":
    unittest.main()
