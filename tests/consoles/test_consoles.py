"""Runs what the documents show to type, and tests how that is read. WSBENCH_BIN names the program, target/release/wsbench if it does
not; WSBENCH_SLOW=1 runs the slow blocks, too. WSBENCH_BLESS=1 writes the list of what is not run anew."""

import os
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import consoles

PROGRAM = Path(os.environ.get("WSBENCH_BIN", consoles.ROOT / "target/release/wsbench")).resolve()
SLOW = os.environ.get("WSBENCH_SLOW") == "1"
LIST = Path(__file__).with_name("not-run.txt")


class Documents(unittest.TestCase):
    def test_each_command_that_is_shown_can_be_run(self):
        def one(page):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    return consoles.play(page, Path(folder), PROGRAM, SLOW), None
                except consoles.Failed as failed:
                    return (0, []), str(failed)

        # They wait most of the time.
        with ThreadPoolExecutor(6) as pool:
            seen = dict(zip(consoles.PAGES, pool.map(one, consoles.PAGES)))
        wrong = [problem for _, problem in seen.values() if problem]
        self.assertFalse(wrong, "\n".join(wrong))
        ran = {page: count for page, ((count, _), _) in seen.items() if count}
        print("\ncommands run:", ", ".join(f"{page} {count}" for page, count in ran.items()))
        undecided = [command for (_, commands), _ in seen.values() for command in commands]
        print("without a verdict, for this machine is busy:", undecided or "none")
        self.assertGreater(sum(ran.values()), 30)
        # On a machine that stands still no run has a verdict: then this has shown nothing.
        self.assertLess(4 * len(undecided), sum(ran.values()))

    def test_what_is_not_run_is_listed_with_its_reason(self):
        found = consoles.not_run()
        if os.environ.get("WSBENCH_BLESS"):
            LIST.write_text("\n".join(found) + "\n")
        self.assertEqual(LIST.read_text().splitlines(), found, f"WSBENCH_BLESS=1 writes {LIST.name} anew")
        print(f"\n{len(found)} commands are not run, see {LIST.name}")


PAGE = """
<!-- console: slow -->
<!-- console: with --duration 1s -->
<!-- console: replace 5000 by 5 -->
```console
$ wsbench run a.toml --connections 5000   # all of them
output
$ wsbench check a.toml
```

```toml
name = "a"
```
"""


class Reading(unittest.TestCase):
    def test_a_block_has_what_stands_above_it(self):
        first, second = consoles.blocks("page", PAGE)
        self.assertEqual((first.slow, first.more, first.never, second.slow), (True, "--duration 1s", "", False))
        self.assertEqual(first.commands(), ["wsbench run a.toml --connections 5", "wsbench check a.toml"])

    def test_what_means_nothing_is_told(self):
        for wrong in ("slowly", "not run:", "with", "replace a"):
            with self.assertRaisesRegex(ValueError, "what is"):
                consoles.blocks("page", f"<!-- console: {wrong} -->\n```console\n$ true\n```\n")
        with self.assertRaisesRegex(ValueError, "no block"):
            consoles.blocks("page", "<!-- console: slow -->\n\n```console\n$ true\n```\n")
        (block,) = consoles.blocks("page", "<!-- console: replace x by y -->\n```console\n$ true\n```\n")
        with self.assertRaisesRegex(ValueError, "no x to replace"):
            block.commands()

    def test_a_command_that_fails_is_told(self):
        (block,) = consoles.blocks("page", "```console\n$ false\n```\n")
        with tempfile.TemporaryDirectory() as folder:
            stage = consoles.Stage(Path(folder), PROGRAM)
            with self.assertRaisesRegex(consoles.Failed, "page:1: `false` ended with 1"):
                stage.run(block)


if __name__ == "__main__":
    unittest.main()
