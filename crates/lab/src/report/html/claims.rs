//! The claims: verdict, inequality, forest plot, evidence.

use super::page::Page;
use crate::{
    record::Record,
    report::{
        forest::{self, ROW, Scale},
        svg::Svg,
    },
};

/// Width of a strip of the forest plot.
const WIDTH: f64 = 210.0;

pub fn section(page: &mut Page, record: &Record) {
    let findings = &record.findings;
    let heads = ["verdict", "claim", "left − right", "evidence"].map(String::from);
    page.table("claims", &heads, |page| {
        for (index, finding) in findings.iter().enumerate() {
            let word = finding.verdict.word();
            let metric = finding.claim.metric;
            let scale = Scale::of(findings, metric);
            // The numbers of the axis stand once, below the last claim on a metric.
            let last = findings
                .get(index + 1)
                .is_none_or(|next| next.claim.metric != metric);
            page.tag("tr", |page| {
                page.leaf(
                    &format!("td class=\"verdict {word}\""),
                    &format!("{} {word}", finding.verdict.mark()),
                );
                page.tag("td", |page| {
                    page.leaf("span", &finding.claim.statement());
                    page.leaf("span class=\"about\"", finding.claim.says);
                });
                page.tag("td", |page| {
                    let mut svg = Svg::new(WIDTH, if last { ROW + 18.0 } else { ROW });
                    forest::strip(&mut svg, finding, &scale, (0.0, 0.0), WIDTH);
                    if last {
                        forest::numbers(&mut svg, &scale, (0.0, ROW), WIDTH);
                    }
                    page.raw(&svg.element(&finding.evidence()));
                });
                page.tag("td", |page| {
                    let evidence = finding.evidence();
                    let (effect, outcome) = evidence.split_once("  ").unwrap_or(("", &evidence));
                    page.leaf("span class=\"effect\"", effect);
                    page.leaf("span class=\"about\"", outcome);
                    if finding.interval.is_some()
                        && let Some(note) = &finding.reason
                    {
                        page.leaf("span class=\"about\"", note);
                    }
                });
            });
        }
    });
    page.leaf(
        "p class=\"note\"",
        "Shaded: where the claim holds. Line: interval of the difference, at the level that Holm's correction over all \
         claims gives this one. Filled dot: the whole interval lies where the claim holds, supported. Cross: it lies \
         wholly outside, contradicted. Ring: undecided.",
    );
}
