"""Tests how the groups of the scenario on polling are parted, and what is said of them."""

import tomllib
import unittest
import xml.etree.ElementTree as xml

import polling


class Groups(unittest.TestCase):
    def test_each_group_is_alone_with_the_host_and_with_its_own_gates(self):
        text = polling.SCENARIO.read_text()
        for group, (_, metric) in polling.GROUPS.items():
            scenario = tomllib.loads(polling.alone(text, group))
            self.assertEqual([cohort["name"] for cohort in scenario["cohort"]], ["host", group])
            ages = [gate for gate in scenario["gates"]["pass"] if "age." in gate]
            self.assertEqual(len(ages), 1)
            self.assertIn(metric, ages[0])
        self.assertEqual(len(tomllib.loads(text)["cohort"]), 1 + len(polling.GROUPS), "all groups are looked at")

    def test_a_group_that_is_not_there_is_told(self):
        with self.assertRaisesRegex(SystemExit, "no cohort `nobody`"):
            polling.alone(polling.SCENARIO.read_text(), "nobody")

    def test_the_table_and_the_picture_show_every_group(self):
        seen = {group: polling.Seen(0.3 + place * 100, 1 + place * 300, 1, 50, 90, 12.5, 200) for place, group in enumerate(polling.GROUPS)}
        shown = polling.table(seen)
        drawn = polling.picture(seen)
        xml.fromstring(drawn)
        for words, _ in polling.GROUPS.values():
            self.assertIn(words, shown)
            self.assertIn(words, drawn)
        self.assertIn("0.3\u00a0ms", shown)
        self.assertEqual(drawn.count("<circle"), len(seen))


if __name__ == "__main__":
    unittest.main()
