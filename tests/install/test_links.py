"""Tests scripts/links.py, which follows the links of the book."""

import importlib.util
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/links.py"


class Links(unittest.TestCase):
    def dead(self, pages):
        spec = importlib.util.spec_from_file_location("links", SCRIPT)
        links = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(links)
        with tempfile.TemporaryDirectory() as folder:
            for name, text in pages.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return links.dead(Path(folder))

    def test_files_and_places_that_are_there_are_found(self):
        pages = {"a.html": '<h2 id="x">x</h2><a href="b/c.html#y">', "b/c.html": '<a id="y" href="../a.html#x"><a href="https://example.org/">'}
        self.assertEqual(self.dead(pages), ([], 2))

    def test_dead_links_are_told(self):
        lost, followed = self.dead({"a.html": '<a href="b.html"><a href="#x"><img src="a.png">'})
        self.assertEqual(followed, 3)
        self.assertEqual(lost, ["a.html: b.html: no such file", "a.html: #x: no such place", "a.html: a.png: no such file"])


if __name__ == "__main__":
    unittest.main()
