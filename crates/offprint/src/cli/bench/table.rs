//! Timings for a terminal of 80 columns.

use offprint_lab::{
    bench::{machine::Machine, summary::summarize, timing::Timing},
    table::{columns, number, wrap},
};

const WIDTH: usize = 80;

/// One bench as soon as it is timed.
pub fn line(timing: &Timing) -> String {
    let sizes = match timing.sizes.is_empty() {
        true => String::new(),
        false => format!(" ({})", timing.sizes()),
    };
    let peer = timing
        .ratio
        .map(|ratio| format!(", {} of the peer's", number(ratio)));
    let ours = number(timing.ours_ms);
    format!(
        "{}{sizes}: {ours} ms{}",
        timing.name,
        peer.unwrap_or_default()
    )
}

/// All benches, then their groups.
pub fn table(timings: &[Timing], machine: Option<Machine>) -> String {
    let mut text = benches(timings) + "\n" + &groups(timings);
    let mut note = String::from("✗ is above the bar; memory is ours over the peer's.");
    if let Some(machine) = machine {
        note += &format!(
            " Peak is the share of the machine's, {}: the larger of the two.",
            peaks(machine)
        );
    }
    text += "\n";
    text += &wrap(&note, WIDTH, 1);
    text
}

/// What the machine can do.
pub fn peaks(machine: Machine) -> String {
    let (gflops, gbps) = (number(machine.gflops), number(machine.gbps));
    format!("{gflops} Gflop/s in multiply-adds and {gbps} GB/s in copying")
}

fn benches(timings: &[Timing]) -> String {
    let beside = timings.iter().any(|timing| timing.peer_ms.is_some());
    let memory = if beside { "memory" } else { "MiB" };
    let heading = ["work", "ours ms", "peer ms", "ratio", "bar", memory, "peak"];
    let mut rows = vec![heading.map(String::from).to_vec()];
    for timing in timings {
        rows.push(vec![
            timing.name.clone(),
            number(timing.ours_ms),
            cell(timing.peer_ms),
            cell(timing.ratio),
            bar(timing),
            match beside {
                true => cell(timing.memory_ratio) + mark(timing.misses_memory()),
                false => cell(timing.ours_mib),
            },
            timing.share_of_peak.map_or("–".into(), percent),
        ]);
    }
    columns(&rows, 1)
}

fn groups(timings: &[Timing]) -> String {
    let heading = ["group", "benches", "mean ratio", "bar", "misses"];
    let mut rows = vec![heading.map(String::from).to_vec()];
    for summary in summarize(timings) {
        rows.push(vec![
            summary.group.name.into(),
            summary.benches.to_string(),
            cell(summary.mean) + mark(summary.misses_mean()),
            cell(summary.group.mean),
            summary.misses.to_string(),
        ]);
    }
    columns(&rows, 1)
}

/// The bar of the time, marked where it is missed.
pub fn bar(timing: &Timing) -> String {
    let bar = match (timing.bar, timing.bar_ms) {
        (Some(ratio), _) => ratio.to_string(),
        (None, Some(ms)) => format!("{ms} ms"),
        (None, None) => "–".into(),
    };
    bar + mark(timing.misses_time())
}

/// A ratio or a time; ratios need no third digit.
pub fn cell(value: Option<f64>) -> String {
    match value {
        Some(value) if value < 10.0 => format!("{value:.2}"),
        Some(value) => number(value),
        None => "–".into(),
    }
}

pub fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

pub fn mark(missed: bool) -> &'static str {
    if missed { "✗" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_lab::bench::{Bars, Bench, Group, Scale, Work, timing::Memory};

    #[test]
    fn the_longest_names_fit_80_columns() {
        let bench = Bench {
            scale: Scale::Typical,
            bars: Bars {
                ratio: Some(0.7),
                ms: None,
                memory: Some(1.0),
            },
            work: |_| Work::flops(3e9),
            ..Bench::new(
                "attention-grouped-backward",
                Group::new("attention"),
                |_| Box::new(|| ()),
            )
        };
        let machine = Machine {
            gflops: 236.42,
            gbps: 21.04,
        };
        let memory = Memory {
            ours: Some(1234.5),
            peer: Some(123.4),
        };
        let timing = |peer: &[f64]| {
            Timing::new(
                "kernels",
                &bench,
                2,
                [&[1.2346], peer],
                memory,
                Some(machine),
            )
        };
        let text = table(&[timing(&[1.1111]), timing(&[])], Some(machine));
        let expected =
            " work                                ours ms  peer ms  ratio   bar  memory  peak
 attention-grouped-backward/typical     1235     1111   1.11  0.7✗  10.00✗    1%
 attention-grouped-backward/typical     1235        –      –   0.7  10.00✗    1%

 group      benches  mean ratio  bar  misses
 attention        2        1.11    –       2

 ✗ is above the bar; memory is ours over the peer's. Peak is the share of the
 machine's, 236.4 Gflop/s in multiply-adds and 21.04 GB/s in copying: the larger
 of the two.
";
        assert_eq!(text, expected);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
