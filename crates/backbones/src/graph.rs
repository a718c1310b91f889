//! Graphs: nodes joined by edges, one graph or several side by side.

use crate::error::{Result, check, check_sizes};
use offprint_kernels::Sparse;
use std::sync::{Arc, OnceLock};

/// How a node takes in its neighbors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjacency {
    /// `D^−½ (A + I) D^−½` with the degrees `D` of `A + I`: Kipf and Welling's.
    Normalized,
    /// `A`.
    Sum,
    /// `D⁻¹ A`; zero for a node without neighbors.
    Mean,
}

/// A graph, or several side by side; edges go from a source to a target and may have a copy the other way.
#[derive(Clone, Debug)]
pub struct Graph {
    edges: Vec<(usize, usize)>,
    /// First node of each graph, and the number of all nodes.
    starts: Vec<usize>,
    matrices: [OnceLock<Arc<Sparse>>; 3],
}

impl Graph {
    /// One graph with edges `(source, target)`.
    ///
    /// # Errors
    /// If there is no node, or an edge names one that does not exist.
    pub fn new(nodes: usize, edges: Vec<(usize, usize)>) -> Result<Self> {
        check_sizes([("nodes", nodes)])?;
        if let Some(edge) = edges.iter().find(|(a, b)| *a.max(b) >= nodes) {
            check(
                false,
                "edge",
                format!("{edge:?}"),
                format!("between nodes 0 to {}", nodes - 1),
            )?;
        }
        Ok(Self::of(edges, vec![0, nodes]))
    }

    /// One graph with every edge in both directions, once: loops and repetitions are left out.
    ///
    /// # Errors
    /// As [`Graph::new`].
    pub fn undirected(nodes: usize, edges: &[(usize, usize)]) -> Result<Self> {
        let both = edges.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
        let mut both: Vec<_> = both.filter(|(a, b)| a != b).collect();
        both.sort_unstable();
        both.dedup();
        Self::new(nodes, both)
    }

    /// The pixels of a picture, row by row, each joined with the up to eight around it.
    pub fn grid(height: usize, width: usize) -> Self {
        let mut edges = Vec::new();
        for y in 0..height {
            for x in 0..width {
                for ny in y.saturating_sub(1)..(y + 2).min(height) {
                    for nx in x.saturating_sub(1)..(x + 2).min(width) {
                        if (ny, nx) != (y, x) {
                            edges.push((ny * width + nx, y * width + x));
                        }
                    }
                }
            }
        }
        Self::of(edges, vec![0, height * width])
    }

    /// Copies of these graphs side by side.
    pub fn repeated(&self, times: usize) -> Self {
        let nodes = self.nodes();
        let copies = (0..times).map(|copy| copy * nodes);
        let edges = copies.clone().flat_map(|first| {
            let edges = self.edges.iter();
            edges.map(move |&(source, target)| (first + source, first + target))
        });
        let starts = copies.flat_map(|first| {
            let starts = &self.starts[..self.graphs()];
            starts.iter().map(move |start| first + start)
        });
        Self::of(edges.collect(), starts.chain([times * nodes]).collect())
    }

    fn of(edges: Vec<(usize, usize)>, starts: Vec<usize>) -> Self {
        Self {
            edges,
            starts,
            matrices: Default::default(),
        }
    }

    /// Number of nodes of all graphs.
    pub fn nodes(&self) -> usize {
        self.starts[self.graphs()]
    }

    /// Number of graphs.
    pub fn graphs(&self) -> usize {
        self.starts.len() - 1
    }

    /// The edges `(source, target)`.
    pub fn edges(&self) -> &[(usize, usize)] {
        &self.edges
    }

    /// The matrix by which nodes take in their neighbors, `[nodes, nodes]`; made once.
    pub fn matrix(&self, adjacency: Adjacency) -> &Arc<Sparse> {
        self.matrices[adjacency as usize].get_or_init(|| Arc::new(self.make(adjacency)))
    }

    fn make(&self, adjacency: Adjacency) -> Sparse {
        let nodes = self.nodes();
        let loops = (0..nodes).map(|node| (node, node));
        let loops = loops.take(match adjacency {
            Adjacency::Normalized => nodes,
            _ => 0,
        });
        let entries: Vec<_> = self.edges.iter().copied().chain(loops).collect();
        let mut degrees = vec![0.0_f32; nodes];
        for &(_, target) in &entries {
            degrees[target] += 1.0;
        }
        let entries = entries.into_iter().map(|(source, target)| {
            let value = match adjacency {
                Adjacency::Normalized => (degrees[source] * degrees[target]).sqrt().recip(),
                Adjacency::Sum => 1.0,
                Adjacency::Mean => degrees[target].recip(),
            };
            (target, source, value)
        });
        Sparse::new(nodes, nodes, &entries.collect::<Vec<_>>())
    }

    /// The matrix that takes the mean over each graph's nodes, `[graphs, nodes]`, or their sum.
    pub fn readout(&self, mean: bool) -> Sparse {
        let graphs = self.starts.windows(2).enumerate();
        let entries = graphs.flat_map(|(graph, ends)| {
            let value = match mean {
                true => ((ends[1] - ends[0]) as f32).recip(),
                false => 1.0,
            };
            (ends[0]..ends[1]).map(move |node| (graph, node, value))
        });
        let entries: Vec<_> = entries.collect();
        Sparse::new(self.graphs(), self.nodes(), &entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tensor};
    use offprint_kernels::sparse_product;

    fn dense(matrix: &Arc<Sparse>) -> Vec<f32> {
        let identity = Tensor::eye(matrix.columns(), &Device::flex());
        let dense = sparse_product(matrix, identity);
        dense.into_data().try_to_vec().unwrap()
    }

    /// Expected by hand, for a path of three nodes.
    #[test]
    fn matrices_of_a_path() {
        let path = Graph::undirected(3, &[(0, 1), (1, 2), (2, 1), (1, 1)]).unwrap();
        assert_eq!(path.edges().len(), 4);
        let sum = dense(path.matrix(Adjacency::Sum));
        assert_eq!(sum, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        let mean = dense(path.matrix(Adjacency::Mean));
        assert_eq!(mean, [0.0, 1.0, 0.0, 0.5, 0.0, 0.5, 0.0, 1.0, 0.0]);
        let normalized = dense(path.matrix(Adjacency::Normalized));
        let side = 6.0_f32.sqrt().recip();
        let expected = [0.5, side, 0.0, side, 1.0 / 3.0, side, 0.0, side, 0.5];
        for (actual, expected) in normalized.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-6, "{normalized:?}");
        }
    }

    #[test]
    fn a_node_alone_takes_in_nothing_or_itself() {
        let alone = Graph::new(1, vec![]).unwrap();
        assert_eq!(dense(alone.matrix(Adjacency::Mean)), [0.0]);
        assert_eq!(dense(alone.matrix(Adjacency::Normalized)), [1.0]);
    }

    #[test]
    fn copies_stand_side_by_side() {
        let pair = Graph::new(2, vec![(0, 1)]).unwrap().repeated(3);
        assert_eq!((pair.nodes(), pair.graphs()), (6, 3));
        assert_eq!(pair.edges(), [(0, 1), (2, 3), (4, 5)]);
        let mean = dense(&Arc::new(pair.readout(true)));
        assert_eq!(mean[6..12], [0.0, 0.0, 0.5, 0.5, 0.0, 0.0]);
    }

    /// 4 corners with 3 neighbors, 6 at the border with 5, 2 inside with 8.
    #[test]
    fn pixels_have_up_to_eight_neighbors() {
        assert_eq!(Graph::grid(3, 4).edges().len(), 4 * 3 + 6 * 5 + 2 * 8);
        assert!(Graph::grid(1, 1).edges().is_empty());
    }

    #[test]
    fn edges_beyond_the_nodes_are_refused() {
        let error = Graph::new(3, vec![(0, 1), (1, 3)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "edge = (1, 3), but it must be between nodes 0 to 2"
        );
        assert!(Graph::new(0, vec![]).is_err());
    }
}
