// Reads a log of HdrHistograms with hdr-histogram-js, and prints the merged times of each tag: their count, and
// percentiles in nanoseconds.
const fs = require('node:fs');
const hdr = require('hdr-histogram-js');

const LIMITS = { lowestDiscernibleValue: 64, highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: 3 };
const reader = new hdr.HistogramLogReader(fs.readFileSync(process.argv[2], 'utf8'));
const merged = new Map();
for (let one; (one = reader.nextIntervalHistogram()) !== null;) {
  if (!merged.has(one.tag)) merged.set(one.tag, hdr.build(LIMITS));
  merged.get(one.tag).add(one);
}
const told = [...merged].map(([tag, times]) => [tag, {
  count: times.totalCount,
  percentiles: [50, 90, 99, 99.9].map(percent => times.getValueAtPercentile(percent)),
}]);
console.log(JSON.stringify(Object.fromEntries(told)));
