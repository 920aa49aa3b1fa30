"""Reads JUnit XML with the junitparser package, and prints each test with its outcome."""

import json
import sys

from junitparser import Error, Failure, JUnitXml, Skipped

OUTCOMES = {Error: "error", Failure: "failure", Skipped: "skipped"}
suites = JUnitXml.fromfile(sys.argv[1])
tests = [
    [test.classname, test.name, " ".join(OUTCOMES[type(result)] for result in test.result)]
    for suite in suites
    for test in suite
]
properties = {one.name: one.value for suite in suites for one in suite.properties()}
print(json.dumps({"tests": tests, "properties": properties, "seconds": suites.time}))
