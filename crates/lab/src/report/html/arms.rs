//! The arms: a row each, means with intervals, the seeds as dots.

use super::page::Page;
use crate::{
    record::{ArmRecord, Record},
    report::{
        chart::range,
        summary::{best, heading, incomplete, mean, mean_text, missing, role, seconds_text},
        svg::{Svg, color, dash},
    },
    study::Role,
};

/// Width and height of the dots of a cell.
const DOTS: (f64, f64) = (84.0, 9.0);

pub fn section(page: &mut Page, record: &Record) {
    let mut heads = vec!["arm".to_string()];
    heads.extend(record.metrics.iter().map(heading));
    heads.push("s/trial".into());
    let best: Vec<Vec<usize>> = record
        .metrics
        .iter()
        .map(|metric| best(record, metric))
        .collect();
    page.table("numbers", &heads, |page| {
        for (index, arm) in record.arms.iter().enumerate() {
            page.tag("tr", |page| {
                page.tag("th scope=\"row\"", |page| name(page, record, index));
                for (metric, best) in record.metrics.iter().zip(&best) {
                    page.tag("td", |page| {
                        let class = if best.contains(&index) {
                            "span class=\"best\""
                        } else {
                            "span"
                        };
                        page.leaf(class, &mean_text(arm, metric.name));
                        if let Some(svg) = dots(record, index, metric.name) {
                            page.raw(&svg.element(&seeds(arm, metric.name)));
                        }
                    });
                }
                page.leaf("td", &seconds_text(arm));
            });
        }
    });
    let note = match record.seeds.len() {
        1 => "One seed: no interval.",
        _ => {
            "Mean over seeds ± half of the 95 % t interval; a dot a seed, on one axis a column. Arrow: to better. Bold: \
             best mean, which is no verdict."
        }
    };
    page.leaf("p class=\"note\"", note);
    if let Some(missing) = missing(record) {
        page.leaf("p", &missing);
    }
}

/// Name of an arm with its line in the charts, what it is, and how many seeds are there.
fn name(page: &mut Page, record: &Record, index: usize) {
    let arm = &record.arms[index];
    let mut key = Svg::new(26.0, 8.0);
    let strong = if arm.arm.role == Role::Method {
        " strong"
    } else {
        ""
    };
    key.line(
        (0.0, 4.0),
        (26.0, 4.0),
        &format!("line {} {}{strong}", color(index), dash(index)),
    );
    page.tag("span class=\"key\"", |page| {
        page.raw(&key.element("line in the charts"))
    });
    page.text(arm.arm.name);
    let seeds = incomplete(record, arm).map_or(String::new(), |seeds| format!(" · {seeds}"));
    page.leaf(
        "span class=\"about\"",
        &format!("{}{seeds} · {}", role(arm), arm.arm.about),
    );
}

/// The seeds of an arm on the axis that all arms share; `None` where there is nothing to compare.
fn dots(record: &Record, index: usize, metric: &str) -> Option<Svg> {
    let all = record.arms.iter().flat_map(|arm| arm.values(metric));
    let (low, high) = range(all.map(|(_, value)| value)).filter(|(low, high)| low < high)?;
    let arm = &record.arms[index];
    let values = arm.values(metric);
    if values.len() < 2 {
        return None;
    }
    let x = |value: f64| 4.0 + (DOTS.0 - 8.0) * (value - low) / (high - low);
    let middle = DOTS.1 / 2.0;
    let mut svg = Svg::new(DOTS.0, DOTS.1);
    svg.line((0.0, middle), (DOTS.0, middle), "grid");
    for (_, value) in values.into_iter().filter(|(_, value)| value.is_finite()) {
        svg.circle((x(value), middle), 2.4, &format!("seed {}", color(index)));
    }
    if let Some(mean) = mean(arm, metric).filter(|mean| mean.mean.is_finite()) {
        svg.line((x(mean.mean), 0.5), (x(mean.mean), DOTS.1 - 0.5), "axis");
    }
    Some(svg)
}

/// The seeds in words.
fn seeds(arm: &ArmRecord, metric: &str) -> String {
    let values = arm.values(metric).into_iter();
    let words: Vec<String> = values
        .map(|(seed, value)| format!("seed {seed}: {value}"))
        .collect();
    words.join(", ")
}
