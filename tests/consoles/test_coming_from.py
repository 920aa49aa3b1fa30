"""Plays the test of docs/coming-from.md as Locust and Artillery have it, with fewer clients, against the built-in server: WSBENCH_BIN
names that, target/release/wsbench if it does not. Only with WSBENCH_SLOW=1, after `scripts/peers locust` and `scripts/peers artillery`."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import consoles

PROGRAM = Path(os.environ.get("WSBENCH_BIN", consoles.ROOT / "target/release/wsbench")).resolve()
PEERS = consoles.ROOT / "target/peers"


def snippet(tool):
    """The block below the heading of a tool, with the address of the built-in server still in it."""
    text = (consoles.ROOT / "docs/coming-from.md").read_text()
    section = text.split(f"\n## {tool}\n")[1]
    return section.split("```")[1].split("\n", 1)[1]


@unittest.skipUnless(os.environ.get("WSBENCH_SLOW") == "1", "`scripts/test --all` installs these tools, and runs it")
class Others(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.stage = consoles.Stage(Path(folder.name), PROGRAM)
        self.addCleanup(self.stage.close)
        self.stage.serve("wsbench serve")

    def play(self, tool, file, changes, command):
        """Runs a snippet with these changes. Returns what was printed."""
        text = self.stage.placed(snippet(tool))
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        (self.stage.work / file).write_text(text)
        environment = {**self.stage.environment, "ARTILLERY_DISABLE_TELEMETRY": "true"}
        done = subprocess.run(command, cwd=self.stage.work, env=environment, capture_output=True, text=True, timeout=120, check=False)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, said)
        return said

    def test_the_test_of_locust_sends_and_hears(self):
        command = [PEERS / "python/bin/locust", "-f", "hello.py", "--headless", "-u", "5", "-r", "5", "-t", "10s"]
        said = self.play("Locust", "hello.py", [], command)
        rows = re.findall(r"^WS +hello +(\d+) +(\d+)\(", said, re.MULTILINE)
        self.assertTrue(rows, said)
        self.assertGreaterEqual(int(rows[-1][0]), 5, said)
        self.assertEqual(rows[-1][1], "0", said)

    def test_the_test_of_artillery_sends(self):
        command = [PEERS / "node/node_modules/.bin/artillery", "run", "hello.yml"]
        changes = [("duration: 10, arrivalRate: 50", "duration: 1, arrivalRate: 5"), ("count: 30", "count: 2")]
        said = self.play("Artillery", "hello.yml", changes, command)
        (sent,) = set(re.findall(r"websocket\.messages_sent: \.+ (\d+)", said.split("Summary report")[1]))
        self.assertEqual(int(sent), 10, said)
        self.assertRegex(said, r"vusers\.completed: \.+ 5")


if __name__ == "__main__":
    unittest.main()
