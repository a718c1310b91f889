//! Groups of benches: the geometric mean of their ratios, and how many miss a bar.

use super::{
    Group,
    timing::{Timing, above},
};

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub group: Group,
    pub benches: usize,
    /// Geometric mean of the ratios to the peer's times, where there are any.
    pub mean: Option<f64>,
    /// Benches whose time or memory is above a bar.
    pub misses: usize,
}

impl Summary {
    /// Whether the mean is above the group's bar.
    pub fn misses_mean(&self) -> bool {
        above(self.mean, self.group.mean)
    }
}

/// The groups in the order in which they first occur.
pub fn summarize(timings: &[Timing]) -> Vec<Summary> {
    let mut groups: Vec<Group> = Vec::new();
    for timing in timings {
        if !groups.contains(&timing.group) {
            groups.push(timing.group);
        }
    }
    let summaries = groups.into_iter().map(|group| {
        let members: Vec<&Timing> = timings.iter().filter(|t| t.group == group).collect();
        let logs: Vec<f64> = members.iter().filter_map(|t| Some(t.ratio?.ln())).collect();
        let missing = members
            .iter()
            .filter(|t| t.misses_time() || t.misses_memory());
        Summary {
            group,
            benches: members.len(),
            mean: (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp()),
            misses: missing.count(),
        }
    });
    summaries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Bars, Bench, timing::Memory};

    #[test]
    fn means_are_geometric_and_misses_counted_by_group() {
        let steps = Group {
            name: "steps",
            mean: Some(1.0),
        };
        let timing = |group, bar, ours: f64, peer: f64| {
            let bench = Bench {
                bars: Bars::ratio(bar),
                ..Bench::new("x", group, |_| Box::new(|| ()))
            };
            Timing::new("s", &bench, 1, [&[ours], &[peer]], Memory::default(), None)
        };
        let rows = Group::new("rows");
        let timings = [
            timing(steps, 1.2, 4.0, 1.0),
            timing(rows, 0.7, 1.0, 2.0),
            timing(steps, 1.2, 1.0, 1.0),
        ];
        let [steps, rows] = &summarize(&timings)[..] else {
            panic!("two groups");
        };
        assert_eq!((steps.benches, steps.misses), (2, 1));
        assert!((steps.mean.unwrap() - 2.0).abs() < 1e-12 && steps.misses_mean());
        assert_eq!((rows.benches, rows.misses), (1, 0));
        assert!((rows.mean.unwrap() - 0.5).abs() < 1e-12 && !rows.misses_mean());
    }
}
