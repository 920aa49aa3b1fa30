//! Gates and promises in the form of `run.json`. Times are microseconds.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::metric::Unit;
use crate::report::numbers::{of_us, us};
use crate::scenario::Origin;
use crate::units::Nanos;
use crate::verdict::{
    Against, Bounds, ContractResult, Evidence, Exit, GateResult, Measure, Observed, Times,
};

#[derive(Serialize, Deserialize)]
struct GateLine<'a> {
    gate: Cow<'a, str>,
    observed: Option<f64>,
    unit: Option<Cow<'a, str>>,
    /// In the same unit; left out where nothing was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<f64>,
    passed: bool,
    doubted: bool,
    why: Cow<'a, str>,
    ended_the_run: bool,
    /// What it came to against a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baseline: Option<Against>,
}

impl Serialize for GateResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let line = GateLine {
            gate: (&*self.gate).into(),
            observed: self.observed.map(Observed::reported),
            unit: self.observed.map(|observed| observed.measure.name().into()),
            limit: self.limit().map(Observed::reported),
            passed: self.passed,
            doubted: self.doubted,
            why: (&*self.why).into(),
            ended_the_run: self.ended_the_run,
            baseline: self.against,
        };
        line.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for GateResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let line = GateLine::deserialize(deserializer)?;
        let observed = match (line.observed, line.unit) {
            (Some(reported), Some(unit)) => {
                let measure = Measure::from_name(&unit);
                let measure = measure.ok_or_else(|| unknown("unit", &unit))?;
                Some(Observed::of_reported(reported, measure))
            }
            _ => None,
        };
        let limit = observed.zip(line.limit);
        let limit = limit.map(|(seen, limit)| Observed::of_reported(limit, seen.measure).value);
        Ok(Self {
            gate: line.gate.into_owned(),
            observed,
            limit,
            passed: line.passed,
            doubted: line.doubted,
            why: line.why.into_owned(),
            ended_the_run: line.ended_the_run,
            against: line.baseline,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct ContractLine<'a> {
    contract: Cow<'a, str>,
    cohort: Cow<'a, str>,
    from: Option<Origin>,
    expected: Cow<'a, str>,
    unit: Option<Cow<'a, str>>,
    expected_lo: Option<f64>,
    expected_hi: Option<f64>,
    observed_n: u64,
    /// How many times are behind the statistics.
    timed_n: Option<u64>,
    min: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
    passed: bool,
    doubted: bool,
    why: Cow<'a, str>,
    /// How many rows of `judged.csv` are about it.
    #[serde(default)]
    judged: usize,
    /// How many more there were.
    #[serde(default)]
    judged_more: u64,
}

impl Serialize for ContractResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (bounds, times) = (self.bounds, self.times);
        let is_timed = bounds.is_some() || times.is_some();
        let time = |of: fn(Times) -> Nanos| times.map(|times| us(of(times).0));
        let line = ContractLine {
            contract: self.contract.key().into(),
            cohort: (&*self.cohort).into(),
            from: self.from,
            expected: (&*self.expected).into(),
            unit: is_timed.then(|| Unit::Time.name().into()),
            expected_lo: bounds.map(|bounds| us(bounds.lo_ns.0)),
            expected_hi: bounds.and_then(|bounds| bounds.hi_ns).map(|hi| us(hi.0)),
            observed_n: self.n,
            timed_n: times.map(|times| times.n),
            min: time(|times| times.min_ns),
            p50: time(|times| times.p50_ns),
            p99: time(|times| times.p99_ns),
            max: time(|times| times.max_ns),
            passed: self.passed,
            doubted: self.doubted,
            why: (&*self.why).into(),
            judged: self.evidence.rows.len(),
            judged_more: self.evidence.more,
        };
        line.serialize(serializer)
    }
}

impl ContractLine<'_> {
    fn times(&self) -> Option<Times> {
        Some(Times {
            n: self.timed_n?,
            min_ns: self.min.map(of_us)?,
            p50_ns: self.p50.map(of_us)?,
            p99_ns: self.p99.map(of_us)?,
            max_ns: self.max.map(of_us)?,
        })
    }
}

impl<'de> Deserialize<'de> for ContractResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let line = ContractLine::deserialize(deserializer)?;
        let contract = line.contract.parse();
        Ok(Self {
            contract: contract.map_err(|_| unknown("promise", &line.contract))?,
            from: line.from,
            bounds: line.expected_lo.map(|lo| Bounds {
                lo_ns: of_us(lo),
                hi_ns: line.expected_hi.map(of_us),
            }),
            n: line.observed_n,
            times: line.times(),
            passed: line.passed,
            doubted: line.doubted,
            cohort: line.cohort.into_owned(),
            expected: line.expected.into_owned(),
            why: line.why.into_owned(),
            // Its rows stand in another file.
            evidence: Evidence {
                rows: Vec::new(),
                more: line.judged_more,
            },
        })
    }
}

/// As the code that the shell sees.
impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.code())
    }
}

impl<'de> Deserialize<'de> for Exit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = u8::deserialize(deserializer)?;
        let known = Self::ALL.iter().find(|exit| exit.code() == code);
        known
            .copied()
            .ok_or_else(|| unknown("exit code", &code.to_string()))
    }
}

fn unknown<E: Error>(what: &str, name: &str) -> E {
    E::custom(format_args!("there is no {what} `{name}`"))
}
