//! What `offprint bench` times: the kernels, the backbones, and each paper that runs.

mod backbones;
mod kernels;

use offprint_lab::{
    bench::Suite,
    error::{Error, Result},
};
use offprint_papers::catalogue::{catalogue, find};

/// Names of all suites, papers last.
pub fn names() -> Vec<&'static str> {
    let papers = catalogue().iter().filter(|paper| paper.work.is_some());
    let papers = papers.map(|paper| paper.slug);
    ["kernels", "backbones"].into_iter().chain(papers).collect()
}

/// A suite by its name.
///
/// # Errors
/// There is none of that name, or its paper does not run yet.
pub fn suite(name: &str) -> Result<Suite> {
    match name {
        "kernels" => Ok(Suite {
            name: "kernels",
            benches: kernels::benches(),
        }),
        "backbones" => Ok(Suite {
            name: "backbones",
            benches: backbones::benches(),
        }),
        slug if find(slug).is_none() => {
            let all = format!("all: {}", names().join(", "));
            Err(Error::unknown("bench", name, names(), &all))
        }
        slug => {
            let (paper, work) = crate::cli::running(slug)?;
            Ok(Suite {
                name: paper.slug,
                benches: (work.benches)(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Longer names would not leave a line of a terminal enough for the numbers.
    const LONGEST: usize = 34;

    #[test]
    fn names_are_unique_in_their_suite_and_fit_the_table() {
        for name in names() {
            let suite = suite(name).unwrap();
            let labels: BTreeSet<String> = suite.benches.iter().map(|b| b.label()).collect();
            assert_eq!(labels.len(), suite.benches.len(), "{name}");
            for label in labels {
                assert!(label.len() <= LONGEST, "{label}");
            }
        }
    }
}
