//! Data sets inside the library. They are stored as gzip and decoded on each call, which takes tens of milliseconds.

use crate::images::Images;
use crate::table::{Table, TableOptions};
use crate::{file, idx, table, text as plain};

/// The packed files, images before labels.
pub(crate) mod packed {
    pub(crate) static MNIST: [&[u8]; 2] = [
        include_bytes!("../assets/mnist10k-images-idx3-ubyte.gz"),
        include_bytes!("../assets/mnist10k-labels-idx1-ubyte.gz"),
    ];
    pub(crate) static OPENCV_DIGITS: [&[u8]; 2] = [
        include_bytes!("../assets/opencv-digits-images-idx3-ubyte.gz"),
        include_bytes!("../assets/opencv-digits-labels-idx1-ubyte.gz"),
    ];
    pub(crate) static SKLEARN_DIGITS: [&[u8]; 2] = [
        include_bytes!("../assets/sklearn-digits-images-idx3-ubyte.gz"),
        include_bytes!("../assets/sklearn-digits-labels-idx1-ubyte.gz"),
    ];
    pub(crate) static LETTERS: &[u8] = include_bytes!("../assets/letters.csv.gz");
    pub(crate) static IRIS: &[u8] = include_bytes!("../assets/iris.csv.gz");
    pub(crate) static WINE: &[u8] = include_bytes!("../assets/wine.csv.gz");
    pub(crate) static BREAST_CANCER: &[u8] = include_bytes!("../assets/breast_cancer.csv.gz");
    pub(crate) static DIABETES: &[u8] = include_bytes!("../assets/diabetes.csv.gz");
    pub(crate) static SHAKESPEARE: &[u8] = include_bytes!("../assets/shakespeare.txt.gz");
    pub(crate) static KING_JAMES: &[u8] = include_bytes!("../assets/king-james.txt.gz");
}

/// 10,000 digits of MNIST, 28 x 28, in a fixed random order. It is a sample, not MNIST's official test set.
pub fn mnist() -> Images {
    images(packed::MNIST, u8::MAX)
}

/// 5,000 handwritten digits of OpenCV's samples, 20 x 20, 500 of each class in order of class.
pub fn opencv_digits() -> Images {
    images(packed::OPENCV_DIGITS, u8::MAX)
}

/// 1,797 digits of scikit-learn (UCI Optical Recognition), 8 x 8, values 0 to 16.
pub fn sklearn_digits() -> Images {
    images(packed::SKLEARN_DIGITS, 16)
}

/// UCI Letter Recognition: column `letter` (26 categories) and 16 numbers from 0 to 15; 20,000 rows.
pub fn letters() -> Table {
    rows_and_columns(packed::LETTERS)
}

/// scikit-learn's tables.
pub mod tables {
    use super::{packed, rows_and_columns};
    use crate::table::Table;

    /// 150 flowers: 4 numbers, target `species` (3).
    pub fn iris() -> Table {
        rows_and_columns(packed::IRIS)
    }

    /// 178 wines: 13 numbers, target `cultivar` (3).
    pub fn wine() -> Table {
        rows_and_columns(packed::WINE)
    }

    /// 569 tumors: 30 numbers, target `diagnosis` (malignant, benign).
    pub fn breast_cancer() -> Table {
        rows_and_columns(packed::BREAST_CANCER)
    }

    /// 442 patients: 10 numbers, unscaled, numeric target `progression`.
    pub fn diabetes() -> Table {
        rows_and_columns(packed::DIABETES)
    }
}

// The bytes below are part of the program, not input: the tests decode every one of them, so an error here would be a
// defect of the build.
const INTACT: &str = "an embedded data set decodes";

fn images([pixels, labels]: [&[u8]; 2], brightest: u8) -> Images {
    let pixels = idx::parse(pixels).expect(INTACT);
    let labels = idx::parse(labels).expect(INTACT);
    Images {
        brightest,
        ..idx::images(pixels, labels, 10).expect(INTACT)
    }
}

fn rows_and_columns(packed: &[u8]) -> Table {
    let content = file::unpack(packed).expect(INTACT);
    table::parse(&content, &TableOptions::default()).expect(INTACT)
}

pub(crate) fn text(packed: &[u8]) -> String {
    plain::parse(&file::unpack(packed).expect(INTACT)).expect(INTACT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(images: &Images) -> u64 {
        images.pixels.iter().map(|&value| u64::from(value)).sum()
    }

    /// Counts and sums were taken from the packages' own files with NumPy.
    #[test]
    fn images_are_whole() {
        let images = mnist();
        let shape = |images: &Images| (images.count, images.channels, images.height, images.width);
        assert_eq!(shape(&images), (10_000, 1, 28, 28));
        let counts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978];
        assert_eq!(images.class_counts(), counts);
        assert_eq!(sum(&images), 262_146_600);
        assert_eq!(images.labels[..10], [9, 0, 2, 5, 2, 8, 5, 6, 2, 3]);

        let images = opencv_digits();
        assert_eq!(shape(&images), (5000, 1, 20, 20));
        assert_eq!(images.class_counts(), [500; 10]);
        assert_eq!(sum(&images), 67_616_410);
        let last: u64 = images.image(4999).iter().map(|&v| u64::from(v)).sum();
        assert_eq!(last, 17_323);

        let images = sklearn_digits();
        assert_eq!(shape(&images), (1797, 1, 8, 8));
        let counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180];
        assert_eq!(images.class_counts(), counts);
        assert_eq!(sum(&images), 561_718);
        assert_eq!(images.pixels.iter().max(), Some(&16));
        assert!(images.scaled(&[0, 1796]).contains(&1.0));
    }

    /// Shape, sum of all numbers and class counts as scikit-learn's loaders give them.
    #[test]
    fn tables_are_whole() {
        let check = |table: Table, target: &str, rows: usize, width: usize, total: f64| {
            assert_eq!((table.rows(), table.columns.len()), (rows, width + 1));
            let features = table.columns.iter().filter(|column| column.name != target);
            let sum: f64 = features.flat_map(|c| c.numbers().unwrap()).sum();
            assert!((sum - total).abs() < 1e-6 * total, "{target}: {sum}");
            table.column(target).unwrap().clone()
        };
        let counts = |column: &crate::table::Column| {
            let (codes, levels) = column.categories().unwrap();
            let count = |level| codes.iter().filter(|&&code| code == Some(level)).count();
            (0..levels.len() as u32).map(count).collect::<Vec<_>>()
        };
        let species = check(tables::iris(), "species", 150, 4, 2078.7);
        assert_eq!(counts(&species), [50, 50, 50]);
        let cultivar = check(tables::wine(), "cultivar", 178, 13, 159_975.295_999);
        assert_eq!(counts(&cultivar), [59, 71, 48]);
        let diagnosis = check(
            tables::breast_cancer(),
            "diagnosis",
            569,
            30,
            1_056_474.459_635_6,
        );
        assert_eq!(counts(&diagnosis), [357, 212]);
        let progression = check(tables::diabetes(), "progression", 442, 10, 276_404.233_6);
        assert_eq!(progression.numbers().unwrap().iter().sum::<f64>(), 67_243.0);
        let letter = check(letters(), "letter", 20_000, 16, 1_896_149.0);
        let (_, levels) = letter.categories().unwrap();
        assert_eq!(levels.len(), 26);
        assert_eq!(counts(&letter)[..3], [789, 766, 736]);
    }
}
