//! What the crosshair reads: the values of all charts over time, as the JSON of one `<script type="application/json">`.

use std::fmt;

use super::time::{Series, Time};

/// Finished JSON, safe inside of a `<script>` element: it holds no `<`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The values of the charts of a page, which share one time.
#[derive(Debug)]
pub struct Readings {
    out: String,
    is_first: bool,
}

impl Readings {
    /// Begins with the intervals and the incidents of a run.
    pub fn of(time: &Time<'_>) -> Self {
        let (from, to) = time.span();
        let mut out = format!(
            "{{\"from\":{from},\"to\":{to},\"step\":{},\"incidents\":[",
            time.width()
        );
        let spans = time
            .incidents
            .iter()
            .filter(|one| one.from.is_finite() && one.to.is_finite());
        for (place, incident) in spans.take(100).enumerate() {
            out.push_str(if place > 0 { ",[" } else { "[" });
            string(incident.name, &mut out);
            out.push_str(&format!(",{},{}]", incident.from, incident.to));
        }
        out.push_str("],\"charts\":{");
        Self {
            out,
            is_first: true,
        }
    }

    /// Adds a chart: the `id` of its [`super::About`], and what its `series()` says.
    pub fn chart(mut self, id: &str, series: &[Series]) -> Self {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(',');
        }
        string(id, &mut self.out);
        self.out.push_str(":[");
        for (place, one) in series.iter().enumerate() {
            self.out.push_str(if place > 0 { ",[" } else { "[" });
            for text in [&one.name, one.colour.name(), one.unit.name()] {
                string(text, &mut self.out);
                self.out.push(',');
            }
            self.out.push('[');
            for (index, value) in one.values.iter().enumerate() {
                if index > 0 {
                    self.out.push(',');
                }
                number(*value, &mut self.out);
            }
            self.out.push_str("]]");
        }
        self.out.push(']');
        self
    }

    /// Ends it.
    pub fn finish(mut self) -> Json {
        self.out.push_str("}}");
        Json(self.out)
    }
}

/// Writes a number with four significant digits, which is more than the crosshair shows. An unknown one is `null`.
fn number(value: Option<f64>, out: &mut String) {
    let Some(value) = value.filter(|value| value.is_finite()) else {
        out.push_str("null");
        return;
    };
    if value == 0.0 {
        out.push('0');
        return;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let rounded = if digits >= 0 {
        format!("{value:.*}", digits.min(9) as usize)
    } else {
        let scale = 10f64.powi(-digits);
        format!("{}", (value / scale).round() * scale)
    };
    let short = match rounded.contains('.') {
        true => rounded.trim_end_matches('0').trim_end_matches('.'),
        false => &rounded,
    };
    out.push_str(short);
}

/// Writes a string that can end neither itself nor the element around it.
fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"'
            | '\\'
            | '<'
            | '>'
            | '&'
            | '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::{Colour, Unit};
    use super::*;

    #[test]
    fn the_document_is_short_and_safe() {
        let time = Time {
            to: 3.0,
            step: 1.0,
            ..Time::default()
        };
        let values = [
            Some(46_512.7),
            None,
            Some(0.0),
            Some(f64::NAN),
            Some(0.123_456),
        ];
        let series = Series::new(
            "</script>\"",
            Colour::P99,
            Unit::Nanoseconds,
            values.into_iter(),
        );
        let json = Readings::of(&time)
            .chart("a", &[series])
            .chart("b", &[])
            .finish();
        let wanted = "{\"from\":0,\"to\":3,\"step\":1,\"incidents\":[],\"charts\":{\"a\":[[\"\\u003c/script\\u003e\\u0022\",\
            \"p99\",\"ns\",[46510,null,0,null,0.1235]]],\"b\":[]}}";
        assert_eq!(json.as_str(), wanted);
    }
}
