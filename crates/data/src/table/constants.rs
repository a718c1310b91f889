//! What is taken from the training rows of a column, and the check of what was read back.

use super::Column;
use crate::error::{DataError, shortened};

/// Mean and standard deviation (divisor n; 1 if it is 0) over the rows that are not missing.
pub(super) fn moments(
    name: &str,
    numbers: &[f64],
    rows: &[usize],
) -> Result<(f64, f64), DataError> {
    let present = || rows.iter().map(|&row| numbers[row]).filter(|x| !x.is_nan());
    let count = present().count() as f64;
    if count == 0.0 {
        return Err(DataError::cell(
            name,
            "",
            "a number in at least one training row",
        ));
    }
    // Dividing before summing keeps the largest doubles from overflowing.
    let mean: f64 = present().map(|x| x / count).sum();
    let largest = present().map(|x| (x - mean).abs()).fold(0.0, f64::max);
    if !largest.is_finite() {
        return Err(DataError::cell(
            name,
            &largest.to_string(),
            "a range of numbers below 1e308",
        ));
    }
    // Rounding of the mean must not turn a constant column into one with a tiny deviation.
    if largest <= mean.abs() * f64::EPSILON * count {
        return Ok((mean, 1.0));
    }
    let scaled: f64 = present().map(|x| ((x - mean) / largest).powi(2)).sum();
    Ok((mean, largest * (scaled / count).sqrt()))
}

pub(super) fn check_moments(mean: f64, deviation: f64) -> Result<(), DataError> {
    if !mean.is_finite() {
        return Err(DataError::setting("mean", mean, "a finite number"));
    }
    if !(deviation.is_finite() && deviation > 0.0) {
        return Err(DataError::setting(
            "deviation",
            deviation,
            "a finite number above 0",
        ));
    }
    Ok(())
}

pub(super) fn check_levels(levels: &[String]) -> Result<(), DataError> {
    if levels.is_empty() || !levels.is_sorted_by(|a, b| a < b) {
        let held = format!("{levels:?}");
        return Err(DataError::setting(
            "levels",
            shortened(&held),
            "sorted distinct texts",
        ));
    }
    Ok(())
}

/// The sorted levels that occur in `rows`.
pub(super) fn levels_of(column: &Column, rows: &[usize]) -> Result<Vec<String>, DataError> {
    let mut levels: Vec<String> = rows.iter().map(|&row| column.text(row)).collect();
    levels.sort_unstable();
    levels.dedup();
    levels.retain(|level| !level.is_empty());
    if levels.is_empty() {
        let expected = "a category in at least one training row";
        return Err(DataError::cell(&column.name, "", expected));
    }
    Ok(levels)
}
