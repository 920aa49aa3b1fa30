"""Tests that the workflows call what is there, and that what they publish has the names under which it is looked for."""

import os
import re
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# What a step may call besides scripts: the toolchain, and what only GitHub has.
OTHERS = {"rustup", "cargo", "gh", "cd", "sha256sum"}


def steps(workflow):
    """The commands of all steps."""
    lines = re.findall(r"^ *-? *run: (.*)$", workflow.read_text(), re.MULTILINE)
    return [command for line in lines for command in re.split(r"&&|\|\||;", line.strip("()"))]


class Workflows(unittest.TestCase):
    def test_each_step_that_can_run_here_is_a_script(self):
        called = 0
        for workflow in WORKFLOWS:
            for command in steps(workflow):
                program = command.split()[0].strip("(")
                if program in OTHERS:
                    continue
                self.assertTrue(os.access(ROOT / program, os.X_OK), f"{workflow.name}: {command}")
                called += 1
        self.assertGreater(called, 4)

    def test_all_use_the_same_compiler_which_is_new_enough(self):
        versions = {re.search(r'RUST_VERSION: "(.*)"', workflow.read_text()).group(1) for workflow in WORKFLOWS}
        self.assertEqual(len(versions), 1)
        least = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["rust-version"]
        number = lambda version: [int(part) for part in version.split(".")]
        self.assertGreaterEqual(number(versions.pop()), number(least))

    def test_binstall_looks_for_the_archives_that_are_packed(self):
        asked = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["metadata"]["binstall"]
        script = (ROOT / "scripts/package").read_text()
        named = re.search(r"^readonly NAME=(.*)$", script, re.MULTILINE).group(1)
        named = named.replace("$VERSION", "{ version }").replace("$TARGET", "{ target }")
        self.assertTrue(asked["pkg-url"].endswith(f"/v{{ version }}/{named}.tar.gz"), asked["pkg-url"])
        self.assertTrue(asked["bin-dir"].startswith(f"{named}/"), asked["bin-dir"])
        self.assertIn('-czf "$OUT/$NAME.tar.gz" "$NAME"', script)


if __name__ == "__main__":
    unittest.main()
