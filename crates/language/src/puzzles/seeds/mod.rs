//! Seed puzzles of our own: specifications inside the library, each with a configuration solved by hand.

use super::Spec;
use std::{collections::BTreeMap, sync::LazyLock};

/// Name and text of every seed puzzle, sorted.
pub const SOURCES: &[(&str, &str)] = &[
    ("ages", include_str!("ages.yaml")),
    ("backpack", include_str!("backpack.yaml")),
    ("box-labels", include_str!("box-labels.yaml")),
    ("change", include_str!("change.yaml")),
    ("clock", include_str!("clock.yaml")),
    ("committee", include_str!("committee.yaml")),
    ("duty-week", include_str!("duty-week.yaml")),
    ("egg-cartons", include_str!("egg-cartons.yaml")),
    ("face-down", include_str!("face-down.yaml")),
    ("foot-race", include_str!("foot-race.yaml")),
    ("fruit-prices", include_str!("fruit-prices.yaml")),
    ("gift-circle", include_str!("gift-circle.yaml")),
    ("grandmothers", include_str!("grandmothers.yaml")),
    ("heads-and-legs", include_str!("heads-and-legs.yaml")),
    ("islanders", include_str!("islanders.yaml")),
    ("lamps", include_str!("lamps.yaml")),
    ("letter-sums", include_str!("letter-sums.yaml")),
    ("magic-square", include_str!("magic-square.yaml")),
    ("map-colors", include_str!("map-colors.yaml")),
    ("odd-coin", include_str!("odd-coin.yaml")),
    ("one-thief", include_str!("one-thief.yaml")),
    ("queens", include_str!("queens.yaml")),
    ("remainders", include_str!("remainders.yaml")),
    ("round-table", include_str!("round-table.yaml")),
    ("round-trip", include_str!("round-trip.yaml")),
    ("safe-code", include_str!("safe-code.yaml")),
    ("seats-in-a-row", include_str!("seats-in-a-row.yaml")),
    ("small-sudoku", include_str!("small-sudoku.yaml")),
    ("stamps", include_str!("stamps.yaml")),
    ("team-selection", include_str!("team-selection.yaml")),
    ("three-houses", include_str!("three-houses.yaml")),
    ("three-sums", include_str!("three-sums.yaml")),
    ("two-numbers", include_str!("two-numbers.yaml")),
    ("two-printers", include_str!("two-printers.yaml")),
    ("weekday", include_str!("weekday.yaml")),
];

static SPECS: LazyLock<BTreeMap<&str, Spec>> = LazyLock::new(|| {
    let parsed = SOURCES.iter().map(|(name, text)| {
        let spec = Spec::from_yaml(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (*name, spec)
    });
    parsed.collect()
});

/// Names of all seed puzzles, sorted.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    SOURCES.iter().map(|(name, _)| *name)
}

/// A seed puzzle by its name.
pub fn get(name: &str) -> Option<Spec> {
    SPECS.get(name).cloned()
}

/// Every seed puzzle.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    SPECS.values()
}
