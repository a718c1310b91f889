//! Multi-MNIST: two digits in one picture, two tasks.
//!
//! One digit is moved 4 pixels to the top left, another 4 pixels to the bottom right, so that 28 x 28 digits make a
//! 36 x 36 picture in which they overlap. Task 1 is the class of the top-left digit, task 2 that of the bottom-right one.
//! Sources: Sabour, Frosst, Hinton, "Dynamic routing between capsules" (2017), section 6 (4 pixels, digits of different
//! classes); Sener, Koltun, "Multi-task learning as multi-objective optimization" (2018), section 5.1 (two tasks; their
//! code keeps the larger pixel where digits overlap); Ibrahim et al., "COMET" (2023), supplement S1.1.
//!
//! The digits are split first ([`Split::stratified`]) and paired inside each part: no digit of a test picture occurs in a
//! training picture.

use std::sync::Arc;

use crate::draw::Draw;
use crate::error::{DataError, Fault};
use crate::images::Images;
use crate::split::{Shares, Split};

/// How far each digit is moved from the center, in pixels.
pub const SHIFT: usize = 4;

const MOST_PAIRS: usize = 10_000_000;

/// The value of a pixel under both digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlay {
    /// The larger of the two: pictures in `[0, 1]`.
    #[default]
    Max,
    /// The sum of the two: pictures in `[0, 2]`.
    Sum,
}

/// Which digits may be bottom-right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partner {
    /// Digits of another class.
    #[default]
    OtherClass,
    /// Any digit but the top-left one itself.
    Any,
}

/// The choices in which the published recipes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recipe {
    /// The value of a pixel under both digits.
    pub overlay: Overlay,
    /// Which digits may be bottom-right.
    pub partner: Partner,
}

impl Recipe {
    /// What COMET's released generator does (mazumder-lab/COMET cf27276, `generate_mnist_dataset.py`): pixels are added
    /// without a bound, and the two digits may be of one class.
    pub const COMET_RELEASED: Self = Self {
        overlay: Overlay::Sum,
        partner: Partner::Any,
    };
}

/// Pictures of two digits. A picture is drawn when it is asked for; only the pairs are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoDigits {
    digits: Arc<Images>,
    overlay: Overlay,
    /// For each picture the rows of its digits in the source: top-left, bottom-right.
    pub pairs: Vec<[usize; 2]>,
}

/// Training, validation and test pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoDigitSplits {
    /// To fit on.
    pub train: TwoDigits,
    /// To choose settings by.
    pub validation: TwoDigits,
    /// To report on.
    pub test: TwoDigits,
}

/// Splits the digits by class with the default [`Shares`] and draws `[train, validation, test]` pictures from the parts.
///
/// # Errors
/// As [`pair`], or too few digits for the split.
pub fn splits(
    digits: Images,
    pictures: [usize; 3],
    recipe: Recipe,
    seed: u64,
) -> Result<TwoDigitSplits, DataError> {
    let rows = Split::stratified(&digits.labels, Shares::default())?;
    let digits = Arc::new(digits);
    let [train, validation, test] = pictures;
    let part = |rows: &[usize], count| pair(&digits, rows, count, recipe, seed);
    Ok(TwoDigitSplits {
        train: part(&rows.train, train)?,
        validation: part(&rows.validation, validation)?,
        test: part(&rows.test, test)?,
    })
}

/// Draws `count` pictures from the digits in `rows`: the top-left digit runs through `rows` in random order (again in
/// another order when all have been used), the bottom-right digit is uniform on those `recipe` allows.
///
/// # Errors
/// `count` out of range, images with several channels, or no two digits that may be paired.
///
/// # Panics
/// If a row is not below `digits.count`.
pub fn pair(
    digits: &Arc<Images>,
    rows: &[usize],
    count: usize,
    recipe: Recipe,
    seed: u64,
) -> Result<TwoDigits, DataError> {
    if !(1..=MOST_PAIRS).contains(&count) {
        return Err(DataError::setting(
            "pictures",
            count,
            format!("1 to {MOST_PAIRS}"),
        ));
    }
    if digits.channels != 1 {
        return Err(DataError::setting(
            "channels",
            digits.channels,
            "1: gray digits",
        ));
    }
    let may_pair = |a: usize, b: usize| match recipe.partner {
        Partner::Any => a != b,
        Partner::OtherClass => digits.labels[a] != digits.labels[b],
    };
    if !rows.iter().any(|&row| may_pair(rows[0], row)) {
        let (held, expected) = ("no two digits that may be paired", "digits of two classes");
        return Err(Fault::Empty { held, expected }.into());
    }
    let mut pairs = Vec::with_capacity(count);
    for round in 0.. {
        let mut draw = Draw::new(b"offprint 2digits", seed, round);
        for place in draw.permutation(rows.len()) {
            if pairs.len() == count {
                break;
            }
            let top_left = rows[place];
            let bottom_right = loop {
                let row = rows[draw.below(rows.len())];
                if may_pair(top_left, row) {
                    break row;
                }
            };
            pairs.push([top_left, bottom_right]);
        }
        if pairs.len() == count {
            break;
        }
    }
    Ok(TwoDigits {
        digits: Arc::clone(digits),
        overlay: recipe.overlay,
        pairs,
    })
}

impl TwoDigits {
    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no picture; never so for what [`pair`] returns.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Height and width of a picture, 36 and 36 for MNIST.
    pub fn size(&self) -> [usize; 2] {
        [
            self.digits.height + 2 * SHIFT,
            self.digits.width + 2 * SHIFT,
        ]
    }

    /// Number of classes of each task.
    pub fn classes(&self) -> usize {
        self.digits.classes
    }

    /// The pictures of `rows`, one after another: `[rows, height, width]` in `[0, 1]` (`[0, 2]` with [`Overlay::Sum`]).
    ///
    /// # Panics
    /// If a row is not below [`len`](Self::len).
    pub fn scaled(&self, rows: &[usize]) -> Vec<f32> {
        let [height, width] = self.size();
        let brightest = f32::from(self.digits.brightest);
        let mut pictures = vec![0.0; rows.len() * height * width];
        for (&row, picture) in rows.iter().zip(pictures.chunks_exact_mut(height * width)) {
            let [top_left, bottom_right] = self.pairs[row];
            for (digit, shift) in [(top_left, 0), (bottom_right, 2 * SHIFT)] {
                let lines = self.digits.image(digit).chunks_exact(self.digits.width);
                for (line, target) in lines.zip(picture.chunks_exact_mut(width).skip(shift)) {
                    for (&value, pixel) in line.iter().zip(&mut target[shift..]) {
                        let value = f32::from(value) / brightest;
                        *pixel = match self.overlay {
                            Overlay::Max => f32::max(*pixel, value),
                            Overlay::Sum => *pixel + value,
                        };
                    }
                }
            }
        }
        pictures
    }

    /// The classes of the top-left and of the bottom-right digits of `rows`.
    ///
    /// # Panics
    /// If a row is not below [`len`](Self::len).
    pub fn labels(&self, rows: &[usize]) -> [Vec<u8>; 2] {
        let of = |side: usize| {
            let labels = rows
                .iter()
                .map(|&row| self.digits.labels[self.pairs[row][side]]);
            labels.collect()
        };
        [of(0), of(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Four 9 x 9 digits of one value each: they overlap in one pixel of a 17 x 17 picture.
    fn flat_digits() -> Arc<Images> {
        let values = [51, 102, 204, 255];
        Arc::new(Images {
            pixels: values.iter().flat_map(|&value| [value; 81]).collect(),
            count: 4,
            channels: 1,
            height: 9,
            width: 9,
            brightest: 255,
            labels: vec![0, 1, 1, 2],
            classes: 3,
        })
    }

    #[test]
    fn draws_both_digits_and_their_overlap() {
        for (recipe, overlap) in [(Recipe::default(), 0.8), (Recipe::COMET_RELEASED, 1.0)] {
            let mut two = pair(&flat_digits(), &[0, 1, 2, 3], 1, recipe, 0).unwrap();
            two.pairs = vec![[0, 2]];
            assert_eq!(two.size(), [17, 17]);
            let picture = two.scaled(&[0]);
            for (at, &pixel) in picture.iter().enumerate() {
                let (y, x) = (at / 17, at % 17);
                let expected = match (y < 9 && x < 9, y >= 8 && x >= 8) {
                    (true, true) => overlap,
                    (true, false) => 0.2,
                    (false, true) => 0.8,
                    (false, false) => 0.0,
                };
                assert!((pixel - expected).abs() < 1e-6, "{recipe:?} {y} {x}");
            }
            assert_eq!(two.labels(&[0]), [[0], [1]]);
        }
    }

    #[test]
    fn uses_every_digit_top_left_equally_often_and_never_with_itself() {
        for recipe in [Recipe::default(), Recipe::COMET_RELEASED] {
            let two = pair(&flat_digits(), &[0, 1, 2, 3], 400, recipe, 3).unwrap();
            for digit in 0..4 {
                assert_eq!(two.pairs.iter().filter(|p| p[0] == digit).count(), 100);
            }
            assert!(two.pairs.iter().all(|[a, b]| a != b));
            let rows: Vec<usize> = (0..two.len()).collect();
            let [left, right] = two.labels(&rows);
            let same = left.iter().zip(&right).any(|(a, b)| a == b);
            assert_eq!(same, recipe.partner == Partner::Any);
        }
    }

    /// Pairs and sums come from a second implementation in Python on the same digits.
    #[test]
    fn known_answer_on_mnist() {
        let all = splits(crate::mnist(), [4000, 500, 1000], Recipe::default(), 0).unwrap();
        assert_eq!(
            all.train.pairs[..3],
            [[2965, 3488], [85, 7026], [6698, 7878]]
        );
        assert_eq!(
            all.test.pairs[..3],
            [[844, 8864], [7834, 3759], [6619, 3618]]
        );
        let sum = |two: &TwoDigits| {
            let pixels = two.scaled(&(0..100).collect::<Vec<_>>());
            assert_eq!(pixels.len(), 100 * 36 * 36);
            pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() * 255.0
        };
        assert!((sum(&all.train) - 4_926_532.0).abs() < 1.0);
        assert!((sum(&all.test) - 5_244_769.0).abs() < 1.0);

        let digits = |two: &TwoDigits| two.pairs.iter().flatten().copied().collect::<BTreeSet<_>>();
        let parts = [&all.train, &all.validation, &all.test].map(digits);
        assert!(parts[0].is_disjoint(&parts[1]) && parts[0].is_disjoint(&parts[2]));
        assert!(parts[1].is_disjoint(&parts[2]));
    }

    #[test]
    fn depends_on_the_seed_alone() {
        let of = |seed| {
            splits(
                crate::sklearn_digits(),
                [50, 20, 20],
                Recipe::default(),
                seed,
            )
            .unwrap()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1).train.pairs, of(2).train.pairs);
    }

    #[test]
    fn refuses_what_cannot_be_paired() {
        let digits = flat_digits();
        let refused = |rows: &[usize], count, recipe| {
            pair(&digits, rows, count, recipe, 0)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(&[0, 1], 0, Recipe::default()).starts_with("pictures = 0, expected 1 to"));
        assert!(refused(&[1, 2], 5, Recipe::default()).starts_with("no two digits"));
        assert!(refused(&[1], 5, Recipe::COMET_RELEASED).starts_with("no two digits"));
        assert!(refused(&[], 5, Recipe::default()).starts_with("no two digits"));
        assert!(pair(&digits, &[1, 2], 5, Recipe::COMET_RELEASED, 0).is_ok());
        let color = Arc::new(Images {
            channels: 3,
            count: 0,
            ..(*digits).clone()
        });
        let error = pair(&color, &[0, 1], 1, Recipe::default(), 0).unwrap_err();
        assert_eq!(error.to_string(), "channels = 3, expected 1: gray digits");
    }
}
