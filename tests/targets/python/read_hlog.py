"""Reads a log of HdrHistograms with the hdrhistogram package, and prints the merged times of each tag: their count, and
percentiles in nanoseconds."""

import json
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

LIMITS = (64, 3_600_000_000_000, 3)

reader = HistogramLogReader(sys.argv[1], HdrHistogram(*LIMITS))
merged = {}
while one := reader.get_next_interval_histogram():
    merged.setdefault(one.get_tag(), HdrHistogram(*LIMITS)).add(one)
print(json.dumps({
    tag: {
        "count": times.get_total_count(),
        "percentiles": [times.get_value_at_percentile(percent) for percent in (50, 90, 99, 99.9)],
    }
    for tag, times in merged.items()
}))
