//! IDX, the format of MNIST and its relatives: two zero bytes, the element type, the number of dimensions, the
//! dimensions as big-endian 32-bit numbers, then the elements. Only bytes (type 8) occur in image sets.

use std::path::Path;

use crate::error::{DataError, Fault};
use crate::file;
use crate::images::Images;

/// An array of bytes with its dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx {
    /// The dimensions, each at least 1.
    pub dimensions: Vec<usize>,
    /// The elements, row-major.
    pub elements: Vec<u8>,
}

/// Reads IDX, gzip or plain.
///
/// # Errors
/// Too short, a wrong magic number, another element type, a dimension of 0, or not exactly as many elements as the
/// dimensions say.
pub fn parse(bytes: &[u8]) -> Result<Idx, DataError> {
    let bytes = file::unpack(bytes)?;
    let Some((&[zero0, zero1, element, rank], rest)) = bytes.split_first_chunk() else {
        let empty = Fault::Empty {
            held: "fewer than 4 bytes",
            expected: "an IDX header",
        };
        return Err(empty.into());
    };
    if (zero0, zero1) != (0, 0) || rank == 0 {
        let magic = u32::from_be_bytes([zero0, zero1, element, rank]);
        let magic = format!("{magic:#010x}");
        let expected = "0x00000801 (labels) or 0x00000803 (images)";
        return Err(DataError::format("magic number", magic, expected));
    }
    if element != 8 {
        let element = format!("{element:#04x}");
        return Err(DataError::format("element type", element, "0x08 (bytes)"));
    }
    let Some((header, elements)) = rest.split_at_checked(4 * usize::from(rank)) else {
        let held = format!("{} bytes", rest.len());
        let expected = format!("{} bytes for {rank} dimensions", 4 * usize::from(rank));
        return Err(DataError::format("header", held, expected));
    };
    let dimensions: Vec<usize> = (header.as_chunks::<4>().0.iter())
        .map(|&dimension| u32::from_be_bytes(dimension) as usize)
        .collect();
    if let Some(axis) = dimensions.iter().position(|&dimension| dimension == 0) {
        let field = format!("dimension {}", axis + 1);
        return Err(DataError::format(field, 0, "at least 1"));
    }
    let promised = (dimensions.iter()).try_fold(1usize, |product, &d| product.checked_mul(d));
    if promised != Some(elements.len()) {
        let shape: Vec<String> = dimensions.iter().map(usize::to_string).collect();
        return Err(DataError::format(
            "number of elements",
            elements.len(),
            format!("{}, as the header says", shape.join(" x ")),
        ));
    }
    Ok(Idx {
        dimensions,
        elements: elements.to_vec(),
    })
}

/// Joins an array of gray images and an array of labels.
///
/// # Errors
/// Dimensions other than `[n, height, width]` and `[n]`, or a label that is not below `classes`.
pub fn images(pixels: Idx, labels: Idx, classes: usize) -> Result<Images, DataError> {
    let &[count, height, width] = pixels.dimensions.as_slice() else {
        let rank = pixels.dimensions.len();
        return Err(DataError::format(
            "number of dimensions",
            rank,
            "3: images, rows, columns",
        ));
    };
    if labels.dimensions != [count] {
        let held = format!("{:?}", labels.dimensions);
        let expected = format!("[{count}], one label an image");
        return Err(DataError::format("shape of the labels", held, expected));
    }
    let images = Images {
        pixels: pixels.elements,
        count,
        channels: 1,
        height,
        width,
        brightest: u8::MAX,
        labels: labels.elements,
        classes,
    };
    images.checked()
}

/// Where the four files of MNIST (or Fashion-MNIST, KMNIST: same names) are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MnistFiles {
    /// Training images and labels.
    pub train: [std::path::PathBuf; 2],
    /// Test images and labels.
    pub test: [std::path::PathBuf; 2],
}

/// Looks for MNIST in a folder, its `mnist` or torchvision's `MNIST/raw`.
///
/// # Errors
/// Lists the names that are missing.
pub fn find_mnist(folder: &Path) -> Result<MnistFiles, DataError> {
    let [train_images, train_labels, test_images, test_labels] = file::find(
        "MNIST",
        folder,
        &["mnist", "MNIST/raw"],
        [
            &[
                "train-images-idx3-ubyte[.gz]",
                "train-images.idx3-ubyte[.gz]",
            ],
            &[
                "train-labels-idx1-ubyte[.gz]",
                "train-labels.idx1-ubyte[.gz]",
            ],
            &["t10k-images-idx3-ubyte[.gz]", "t10k-images.idx3-ubyte[.gz]"],
            &["t10k-labels-idx1-ubyte[.gz]", "t10k-labels.idx1-ubyte[.gz]"],
        ],
    )?;
    Ok(MnistFiles {
        train: [train_images, train_labels],
        test: [test_images, test_labels],
    })
}

/// Training and test images of the MNIST that [`find_mnist`] finds.
///
/// # Errors
/// As [`find_mnist`], [`parse`] and [`images`].
pub fn read_mnist(folder: &Path) -> Result<(Images, Images), DataError> {
    let files = find_mnist(folder)?;
    let pair = |[pixels, labels]: &[std::path::PathBuf; 2]| {
        let images_of = images(file::read(pixels, parse)?, file::read(labels, parse)?, 10);
        images_of.map_err(|error| error.in_file(labels))
    };
    Ok((pair(&files.train)?, pair(&files.test)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idx(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
        bytes.extend(dimensions.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend(elements);
        bytes
    }

    fn refused(bytes: &[u8]) -> String {
        parse(bytes).unwrap_err().to_string()
    }

    #[test]
    fn reads_images_with_labels() {
        let pixels = parse(&idx(&[2, 1, 3], &[1, 2, 3, 4, 5, 6])).unwrap();
        let labels = parse(&idx(&[2], &[9, 0])).unwrap();
        let images = images(pixels, labels, 10).unwrap();
        assert_eq!((images.count, images.height, images.width), (2, 1, 3));
        assert_eq!(images.image(1), [4, 5, 6]);
        assert_eq!(images.scaled(&[1, 0])[..2], [4.0 / 255.0, 5.0 / 255.0]);
    }

    #[test]
    fn refuses_what_the_header_does_not_say() {
        assert_eq!(refused(&[]), "fewer than 4 bytes, expected an IDX header");
        assert!(refused(&[1, 0, 8, 1]).starts_with("magic number is 0x01000801, expected"));
        assert!(refused(&[0, 0, 8, 0]).starts_with("magic number is 0x00000800"));
        assert!(refused(&[0, 0, 0x0d, 1]).starts_with("element type is 0x0d, expected 0x08"));
        assert!(refused(&[0, 0, 8, 3, 0, 0]).starts_with("header is 2 bytes, expected 12"));
        assert!(refused(&idx(&[2, 0], &[])).starts_with("dimension 2 is 0"));
        assert_eq!(
            refused(&idx(&[u32::MAX; 9], &[1])),
            format!(
                "number of elements is 1, expected {}, as the header says",
                ["4294967295"; 9].join(" x ")
            )
        );
        assert!(parse(&idx(&[3], &[1, 2])).is_err());
        assert!(parse(&idx(&[3], &[1, 2, 3, 4])).is_err());
    }

    #[test]
    fn refuses_images_and_labels_that_do_not_fit() {
        let of = |bytes: Vec<u8>| parse(&bytes).unwrap();
        let two = || of(idx(&[2, 1, 1], &[1, 2]));
        let error = |labels| images(two(), labels, 10).unwrap_err().to_string();
        assert_eq!(
            error(of(idx(&[3], &[1, 2, 3]))),
            "shape of the labels is [3], expected [2], one label an image"
        );
        assert_eq!(
            error(of(idx(&[2], &[1, 10]))),
            "label of image 1 is 10, expected 0 to 9"
        );
        assert!(images(of(idx(&[2], &[1, 2])), of(idx(&[2], &[1, 2])), 10).is_err());
    }

    #[test]
    fn reads_a_folder_and_names_the_file_at_fault() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", &idx(&[2, 1, 1], &[1, 2]));
        write("train-labels-idx1-ubyte", &idx(&[2], &[3, 4]));
        write("t10k-images.idx3-ubyte", &idx(&[1, 1, 1], &[5]));
        write("t10k-labels.idx1-ubyte", &idx(&[1], &[6]));
        let (train, test) = read_mnist(folder.path()).unwrap();
        assert_eq!((train.labels, test.labels), (vec![3, 4], vec![6]));

        write("t10k-labels.idx1-ubyte", &idx(&[1], &[60]));
        let error = read_mnist(folder.path()).unwrap_err();
        assert!(error.file.unwrap().ends_with("t10k-labels.idx1-ubyte"));
    }
}
