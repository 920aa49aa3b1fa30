"""Tests scripts/notes, which says what a release brings."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n- later\n\n## [0.2.0] - 2027-01-01\n\n### New\n\n- this\n\n## [0.1.0]\n\n## [0.0.1]\n- first\n"


class Notes(unittest.TestCase):
    def call(self, version):
        with tempfile.NamedTemporaryFile("w", suffix=".md") as file:
            file.write(CHANGELOG)
            file.flush()
            environment = {**os.environ, "CHANGELOG": file.name}
            return subprocess.run([ROOT / "scripts/notes", version], env=environment, capture_output=True, text=True, check=False)

    def test_a_version_has_its_own_notes(self):
        self.assertEqual(self.call("v0.2.0").stdout.strip(), "### New\n\n- this")
        self.assertEqual(self.call("0.0.1").stdout.strip(), "- first")

    def test_a_version_without_notes_is_no_release(self):
        for version in ("v0.1.0", "v0.2", "v9.9.9"):
            ended = self.call(version)
            self.assertEqual(ended.returncode, 1, ended.stdout)
            self.assertIn("says nothing", ended.stderr)


if __name__ == "__main__":
    unittest.main()
