//! Effects of claims as a forest plot: estimate and interval, beside where the claim would hold.

use super::{
    chart::{range, ticks},
    svg::{Anchor, Svg},
};
use crate::{
    claim::{Finding, Relation, Verdict},
    record::Record,
};

/// Height of a row.
pub const ROW: f64 = 26.0;

/// The horizontal axis that findings of one metric share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// The scale of a finding: that of all findings of its metric. 0 is always on it.
    pub fn of(findings: &[Finding], metric: &str) -> Self {
        let all = findings
            .iter()
            .filter(|finding| finding.claim.metric == metric);
        let values = all.flat_map(|finding| {
            let interval = finding
                .interval
                .map(|interval| [interval.low, interval.high]);
            let ends = interval.unwrap_or([f64::NAN; 2]);
            [
                0.0,
                finding.claim.margin,
                -finding.claim.margin,
                finding.effect.unwrap_or(0.0),
                ends[0],
                ends[1],
            ]
        });
        let (low, high) = range(values).unwrap_or((0.0, 0.0));
        let margin = if high > low { 0.06 * (high - low) } else { 1.0 };
        Self {
            low: low - margin,
            high: high + margin,
        }
    }

    fn at(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// Draws one finding into a strip `width` by [`ROW`] at `corner`: shaded where the claim holds; a filled dot is
/// supported, a cross contradicted, a ring undecided.
pub fn strip(svg: &mut Svg, finding: &Finding, scale: &Scale, corner: (f64, f64), width: f64) {
    let (left, top) = corner;
    let x = |value: f64| left + width * scale.at(value);
    let middle = top + ROW / 2.0;
    let (low, high) = holds(finding);
    svg.rect((x(low), top), (x(high) - x(low), ROW), "holds");
    svg.line((x(0.0), top), (x(0.0), top + ROW), "axis");
    for end in [low, high] {
        if end.is_finite() && end != 0.0 {
            svg.line((x(end), top), (x(end), top + ROW), "margin");
        }
    }
    let verdict = finding.verdict.word();
    if let Some(interval) = finding.interval {
        svg.line(
            (x(interval.low), middle),
            (x(interval.high), middle),
            &format!("span {verdict}"),
        );
        for end in [interval.low, interval.high] {
            if end.is_finite() {
                svg.line(
                    (x(end), middle - 4.0),
                    (x(end), middle + 4.0),
                    &format!("span {verdict}"),
                );
            }
        }
    }
    if let Some(effect) = finding.effect.filter(|effect| effect.is_finite()) {
        let (x, arm) = (x(effect), 4.5);
        match finding.verdict {
            Verdict::Supported => svg.circle((x, middle), 4.0, &format!("dot {verdict}")),
            Verdict::Undecided => svg.circle((x, middle), 4.0, &format!("ring {verdict}")),
            Verdict::Contradicted => {
                let class = format!("cross {verdict}");
                svg.line((x - arm, middle - arm), (x + arm, middle + arm), &class);
                svg.line((x - arm, middle + arm), (x + arm, middle - arm), &class);
            }
        }
    }
}

/// The differences left − right for which the claim holds.
fn holds(finding: &Finding) -> (f64, f64) {
    let margin = finding.claim.margin;
    match finding.claim.relation {
        Relation::Below => (f64::NEG_INFINITY, -margin),
        Relation::AtMost => (f64::NEG_INFINITY, margin),
        Relation::Above => (margin, f64::INFINITY),
        Relation::AtLeast => (-margin, f64::INFINITY),
        Relation::Equals => (-margin, margin),
    }
}

/// Numbers of a scale, for below the last strip of a metric.
pub fn numbers(svg: &mut Svg, scale: &Scale, corner: (f64, f64), width: f64) {
    for (value, text) in ticks(scale.low, scale.high, (width / 70.0) as usize) {
        let x = corner.0 + width * scale.at(value);
        svg.text((x, corner.1 + 12.0), Anchor::Middle, "tick", &text);
    }
}

/// All findings as one picture with their words; `None` without findings.
pub fn figure(record: &Record) -> Option<Svg> {
    const WORDS: f64 = 380.0;
    const WIDTH: f64 = 260.0;
    const EVIDENCE: f64 = 340.0;
    let findings = &record.findings;
    if findings.is_empty() {
        return None;
    }
    let last = |index: usize| {
        let metric = |finding: &Finding| finding.claim.metric;
        findings.get(index + 1).map(metric) != findings.get(index).map(metric)
    };
    let breaks = (0..findings.len()).filter(|&index| last(index)).count();
    let height = findings.len() as f64 * ROW + breaks as f64 * 24.0;
    let mut svg = Svg::new(WORDS + WIDTH + EVIDENCE, height);
    let mut top = 0.0;
    for (index, finding) in findings.iter().enumerate() {
        let scale = Scale::of(findings, finding.claim.metric);
        let base = top + ROW / 2.0 + 4.0;
        let verdict = finding.verdict;
        let words = format!("{} {}", verdict.mark(), verdict.word());
        svg.text(
            (0.0, base),
            Anchor::Start,
            &format!("label {}", verdict.word()),
            &words,
        );
        svg.text(
            (100.0, base),
            Anchor::Start,
            "words",
            &finding.claim.statement(),
        );
        strip(&mut svg, finding, &scale, (WORDS, top), WIDTH);
        let words = super::chart::shorten(&finding.evidence(), 52);
        svg.text((WORDS + WIDTH + 14.0, base), Anchor::Start, "words", &words);
        top += ROW;
        if last(index) {
            numbers(&mut svg, &scale, (WORDS, top), WIDTH);
            top += 24.0;
        }
    }
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_scale_has_room_for_every_interval_of_its_metric_and_for_zero() {
        let record = fixture::record();
        let scale = Scale::of(&record.findings, "loss");
        for finding in record
            .findings
            .iter()
            .filter(|finding| finding.claim.metric == "loss")
        {
            let interval = finding.interval.unwrap();
            assert!(scale.low < interval.low.min(0.0) && interval.high.max(0.0) < scale.high);
        }
        assert_eq!(
            Scale::of(&[], "loss"),
            Scale {
                low: -1.0,
                high: 1.0
            }
        );
    }
}
