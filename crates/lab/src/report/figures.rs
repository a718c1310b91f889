//! The charts of a record as SVG files, for Markdown and other places that take pictures.

use super::{chart::Chart, curves, forest, svg};
use crate::record::Record;

/// File of the forest plot.
pub(super) const CLAIMS: &str = "claims.svg";

/// File of the tuning budget's curve.
pub(super) const TUNING: &str = "tuning.svg";

/// A picture as a file of its own, readable in light and dark.
pub struct Figure {
    /// Name of the file.
    pub file: String,
    /// SVG.
    pub content: String,
}

/// The claims as a forest plot, the learning curves, the tuning budget: as far as the record has them.
pub fn figures(record: &Record) -> Vec<Figure> {
    let claims = forest::figure(record).map(|svg| Figure {
        file: CLAIMS.into(),
        content: svg.file("Effects of the claims with their intervals"),
    });
    let curves = curves::learning_curves(record);
    let curves = curves
        .iter()
        .filter_map(|chart| figure(chart, curve_file(chart)));
    let tuning = curves::tuning_curve(record).and_then(|chart| figure(&chart, TUNING.into()));
    claims.into_iter().chain(curves).chain(tuning).collect()
}

fn figure(chart: &Chart, file: String) -> Option<Figure> {
    let content = svg::line_chart(chart, 760.0, 320.0)?.file(&chart.title);
    Some(Figure { file, content })
}

/// File of a learning curve: its name in letters that every file system and link takes.
pub(super) fn curve_file(chart: &Chart) -> String {
    let plain = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => '-',
    };
    format!(
        "curve-{}.svg",
        chart.title.chars().map(plain).collect::<String>()
    )
}
