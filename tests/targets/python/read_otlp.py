"""Reads a request of OTLP/JSON by the types of opentelemetry-proto, strictly, and prints what it says: the attributes of its
resource, and each metric with its kind, its unit and its points. A distribution has its count, and a quantile as the middle of
a bucket."""

import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


def attributes(pairs):
    return {pair.key: pair.value.string_value for pair in pairs}


def quantile(point, part):
    base = 2.0 ** (2.0 ** -point.scale)
    rank, seen = part * point.count, point.zero_count
    if seen >= rank:
        return 0.0
    for index, count in enumerate(point.positive.bucket_counts, point.positive.offset):
        seen += count
        if seen >= rank:
            return (base**index + base ** (index + 1)) / 2
    raise ValueError("the buckets do not add up to the count")


def point(kind, one):
    told = {"attributes": attributes(one.attributes), "from": one.start_time_unix_nano, "to": one.time_unix_nano}
    if kind == "exponential_histogram":
        assert one.count == one.zero_count + sum(one.positive.bucket_counts)
        assert len(one.positive.bucket_counts) <= 160
        told |= {"count": one.count, "sum": one.sum, "max": one.max}
        told |= {"quantiles": [quantile(one, part) for part in (0.5, 0.9, 0.99)]}
    else:
        told["value"] = getattr(one, one.WhichOneof("value"))
    return told


def metric(one):
    kind = one.WhichOneof("data")
    data = getattr(one, kind)
    told = {"kind": kind, "unit": one.unit, "points": [point(kind, each) for each in data.data_points]}
    if kind != "gauge":
        told["cumulative"] = data.aggregation_temporality == 2
    return told


with open(sys.argv[1], encoding="utf-8") as file:
    request = json_format.Parse(file.read(), ExportMetricsServiceRequest())
(resource,) = request.resource_metrics
(scope,) = resource.scope_metrics
metrics = {one.name: metric(one) for one in scope.metrics}
assert len(metrics) == len(scope.metrics), "a metric is there twice"
print(json.dumps({"resource": attributes(resource.resource.attributes), "metrics": metrics}))
