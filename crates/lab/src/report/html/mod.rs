//! The report as one page: a file without a script or anything else to load, for a screen in light or dark and for
//! paper.

mod arms;
mod artefacts;
mod claims;
mod page;

use super::{
    chart::Chart,
    curves,
    summary::{NOTHING, counts, direction, facts, seeds, setting, tuned_keys},
    svg,
};
use crate::record::Record;
use page::Page;

/// The record as HTML.
pub fn html(record: &Record) -> String {
    let mut page = Page::default();
    page.raw("<!doctype html>\n<html lang=\"en\">");
    page.tag("head", |page| {
        page.raw("<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        page.leaf("title", &format!("{} – {}", record.slug, record.question));
        page.tag("style", |page| page.raw(&format!("\n{}{}", svg::STYLE, include_str!("page.css"))));
    });
    page.raw("\n");
    page.tag("body", |page| page.tag("main", |page| body(page, record)));
    page.raw("</html>\n");
    page.0
}

fn body(page: &mut Page, record: &Record) {
    page.tag("header", |page| header(page, record));
    if !record.findings.is_empty() {
        page.section("Claims", |page| claims::section(page, record));
    }
    page.section("Arms", |page| arms::section(page, record));
    let charts = curves::learning_curves(record);
    if charts.iter().any(|chart| chart.frame().is_some()) {
        page.section("Learning curves", |page| learning(page, &charts));
    }
    artefacts::sections(page, record);
    page.section("Tuning", |page| tuning(page, record));
    page.section("How to repeat it", |page| repeat(page, record));
    if !record.differences.is_empty() {
        page.section("Differences from the paper", |page| {
            page.tag("ul class=\"plain\"", |page| {
                for difference in &record.differences {
                    page.leaf("li", difference);
                }
            });
        });
    }
    if !record.errata.is_empty() {
        page.section("Errata of the released code", |page| errata(page, record));
    }
    page.section("Metrics", |page| glossary(page, record));
}

fn header(page: &mut Page, record: &Record) {
    page.leaf("p class=\"kicker\"", &format!("Offprint · {}", record.slug));
    page.leaf("h1", &record.question);
    page.leaf("p class=\"lede\"", &record.title);
    page.leaf("p class=\"facts\"", &facts(record));
    if !record.findings.is_empty() {
        page.tag("ul class=\"score\"", |page| {
            for (verdict, count) in counts(&record.findings) {
                page.tag(&format!("li class=\"{}\"", verdict.word()), |page| {
                    page.leaf("b", &count.to_string());
                    page.text(&format!("{} {}", verdict.mark(), verdict.word()));
                });
            }
        });
    }
}

fn learning(page: &mut Page, charts: &[Chart]) {
    page.tag("div class=\"charts\"", |page| {
        for (index, chart) in charts.iter().enumerate() {
            figure(page, chart, index == 0 && charts.len() % 2 == 1);
        }
    });
}

/// A chart with title and note, as wide as the page or half of it.
fn figure(page: &mut Page, chart: &Chart, whole: bool) {
    let (width, height) = if whole {
        (880.0, 340.0)
    } else {
        (430.0, 260.0)
    };
    let (Some(drawn), Some(frame)) = (svg::line_chart(chart, width, height), chart.frame()) else {
        return;
    };
    page.tag(
        if whole {
            "figure class=\"whole\""
        } else {
            "figure"
        },
        |page| {
            page.leaf("h3", &chart.title);
            page.raw(&drawn.element(&chart.title));
            let cut = if frame.cut {
                "the beginning is outside the frame"
            } else {
                ""
            };
            let notes = [&chart.note, &chart.band, cut]
                .into_iter()
                .filter(|note| !note.is_empty());
            page.leaf("figcaption", &notes.collect::<Vec<_>>().join("; "));
        },
    );
}

fn tuning(page: &mut Page, record: &Record) {
    page.leaf("p", &record.tuning);
    if let Some(chart) = curves::tuning_curve(record) {
        page.tag("div class=\"charts\"", |page| figure(page, &chart, true));
    }
    let keys = tuned_keys(record);
    if keys.is_empty() {
        return;
    }
    page.leaf("h3", "Settings in which the arms differ");
    let heads: Vec<String> = ["arm"]
        .iter()
        .chain(&keys)
        .map(|head| head.to_string())
        .collect();
    page.table("numbers", &heads, |page| {
        for arm in &record.arms {
            page.tag("tr", |page| {
                page.leaf("th scope=\"row\"", arm.arm.name);
                for key in &keys {
                    page.leaf("td", &arm.tuned.get(*key).map_or(NOTHING.into(), setting));
                }
            });
        }
    });
}

fn repeat(page: &mut Page, record: &Record) {
    page.leaf("pre", &record.command);
    let settings = record.settings.iter();
    let settings: Vec<String> = settings
        .map(|(key, value)| format!("{key} = {}", setting(value)))
        .collect();
    page.tag("dl", |page| {
        for (name, value) in [
            ("seeds", seeds(record).as_str()),
            ("shared settings", &settings.join(" · ")),
            ("revision", &record.revision),
            ("code version", &record.version),
            ("machine", &record.machine),
        ] {
            page.leaf("dt", name);
            page.leaf("dd", value);
        }
    });
}

fn errata(page: &mut Page, record: &Record) {
    page.tag("ul class=\"plain\"", |page| {
        for erratum in &record.errata {
            page.tag("li", |page| {
                page.text(erratum.what);
                page.leaf("div class=\"note\"", erratum.place);
                page.leaf("div", &format!("Here: {}", erratum.ours));
            });
        }
    });
}

fn glossary(page: &mut Page, record: &Record) {
    page.tag("dl", |page| {
        for metric in &record.metrics {
            page.leaf("dt", metric.label);
            page.leaf("dd", &format!("{} ({})", metric.about, direction(metric)));
        }
        page.leaf("dt", "s/trial");
        page.leaf(
            "dd",
            "Seconds that the process of one trial took, mean over seeds.",
        );
    });
}
