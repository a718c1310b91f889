//! Graphs of a data set: rows joined with their nearest ones, edges from a file, pictures as grids.

use super::{source::explain, typed::invalid};
use crate::graph::Graph;
use burn::tensor::{Device, Tensor, TensorData};
use offprint_data::table::{self, TableOptions};
use offprint_lab::{Error, Result};
use std::path::Path;

/// Rows of a graph by nearest neighbors, at most: every pair of rows is compared.
const MOST: usize = 30_000;

/// Joins each row with the `neighbors` nearest others by Euclidean distance of their features, in both directions; of
/// equally near rows the first.
pub fn nearest(values: &[f32], width: usize, neighbors: usize) -> Result<Graph> {
    let rows: Vec<&[f32]> = values.chunks_exact(width).collect();
    if neighbors >= rows.len() {
        let allowed = format!("the table has {} rows", rows.len());
        return Err(invalid("data.neighbors", neighbors, &allowed));
    }
    if rows.len() > MOST {
        return Err(Error::input(format!(
            "data.neighbors compares every pair of rows, but {} rows are more than {MOST}",
            rows.len()
        ))
        .help("give the edges as a file: data.edges = \"edges.csv\""));
    }
    let mut edges = Vec::with_capacity(rows.len() * neighbors);
    let mut distances = Vec::with_capacity(rows.len());
    for (row, own) in rows.iter().enumerate() {
        distances.clear();
        for (other, features) in rows.iter().enumerate() {
            if other != row {
                let squares = own.iter().zip(*features).map(|(a, b)| (a - b) * (a - b));
                distances.push((squares.sum::<f32>(), other));
            }
        }
        let nearer = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        distances.select_nth_unstable_by(neighbors - 1, nearer);
        edges.extend(
            distances[..neighbors]
                .iter()
                .map(|&(_, other)| (other, row)),
        );
    }
    Graph::undirected(rows.len(), &edges).map_err(|error| Error::input(error.to_string()))
}

/// Reads edges from a table of two columns of row numbers.
pub fn read(path: &Path, nodes: usize) -> Result<Graph> {
    let table = table::read(path, &TableOptions::default()).map_err(explain)?;
    let [sources, targets] = table.columns.as_slice() else {
        return Err(Error::input(format!(
            "{} has {} columns, but edges are two: the rows that each one joins",
            path.display(),
            table.columns.len()
        )));
    };
    let mut edges = Vec::with_capacity(table.rows());
    for row in 0..table.rows() {
        let end = |column: &table::Column| {
            let number = column.numbers().map_or(f64::NAN, |numbers| numbers[row]);
            match number.fract() == 0.0 && (0.0..nodes as f64).contains(&number) {
                true => Ok(number as usize),
                false => Err(Error::input(format!(
                    "{} line {}: column \"{}\" holds \"{}\", expected the number of a row, 0 to {}",
                    path.display(),
                    table.lines[row],
                    column.name,
                    column.text(row),
                    nodes - 1
                ))),
            }
        };
        edges.push((end(sources)?, end(targets)?));
    }
    Graph::undirected(nodes, &edges).map_err(|error| Error::input(error.to_string()))
}

/// Pixels of pictures as nodes: their channels, and their row and column from −1 to 1.
///
/// # Shapes
/// * `pictures`: `[pictures, channels, height, width]`
/// * result: `[pictures · height · width, channels + 2]`
pub fn nodes(pictures: Tensor<4>) -> Tensor<2> {
    let [count, channels, height, width] = pictures.dims();
    let device = pictures.device();
    let pixels = pictures.permute([0, 2, 3, 1]);
    let places = places(height, width, &device).repeat_dim(0, count);
    Tensor::cat(
        vec![pixels.reshape([count * height * width, channels]), places],
        1,
    )
}

/// Row and column of each pixel, `[height · width, 2]`.
fn places(height: usize, width: usize, device: &Device) -> Tensor<2> {
    let along = |place: usize, length: usize| match length {
        1 => 0.0,
        length => 2.0 * place as f32 / (length - 1) as f32 - 1.0,
    };
    let places =
        (0..height).flat_map(|y| (0..width).flat_map(move |x| [along(y, height), along(x, width)]));
    let values: Vec<f32> = places.collect();
    Tensor::from_data(TensorData::new(values, [height * width, 2]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected by hand: on a line at 0, 1, 3 and 7 the nearest of each are 1, 0, 1 and 3.
    #[test]
    fn rows_are_joined_with_their_nearest() {
        let graph = nearest(&[0.0, 1.0, 3.0, 7.0], 1, 1).unwrap();
        let expected = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)];
        assert_eq!(graph.edges(), expected);
        let error = nearest(&[0.0, 1.0], 1, 2).err().unwrap();
        assert_eq!(
            error.to_string(),
            "data.neighbors = 2, but the table has 2 rows"
        );
    }

    #[test]
    fn edges_come_from_a_file_or_its_fault_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edges.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path, 3)
                .map(|graph| graph.edges().to_vec())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read("from,to\n0,2\n2,0\n").unwrap(), [(0, 2), (2, 0)]);
        let error = read("from,to\n0,2\n1,3\n").unwrap_err();
        assert!(
            error.ends_with(
                "line 3: column \"to\" holds \"3\", expected the number of a row, 0 to 2"
            ),
            "{error}"
        );
        assert!(
            read("from,to\n0.5,2\n")
                .unwrap_err()
                .contains("holds \"0.5\"")
        );
        assert!(
            read("from,to,weight\n0,2,1\n")
                .unwrap_err()
                .contains("has 3 columns")
        );
        assert!(read("from,to\n").unwrap_err().contains("no rows"));
    }

    /// Expected by hand.
    #[test]
    fn pixels_know_their_value_and_place() {
        let pictures =
            Tensor::<4>::from_data([[[[5.0, 6.0, 7.0]], [[1.0, 2.0, 3.0]]]], &Device::flex());
        let nodes: Vec<f32> = nodes(pictures).into_data().try_to_vec().unwrap();
        assert_eq!(
            nodes,
            [5.0, 1.0, 0.0, -1.0, 6.0, 2.0, 0.0, 0.0, 7.0, 3.0, 0.0, 1.0]
        );
    }
}
