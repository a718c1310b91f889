//! Optimal assignment by the Hungarian algorithm.

use crate::error::{ExpertsError, Result};

/// The assignment of rows to columns with the least total cost: row `i` gets column `result[i]`.
///
/// Shortest augmenting paths with potentials, `O(n³)`. Of equally cheap assignments always the same one is found; if all
/// costs are equal it is the identity.
///
/// `cost` holds the `n`×`n` matrix in row-major order.
///
/// Source: Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems",
/// Computing 38, 1987.
///
/// # Errors
/// If there are not `n²` costs, or one is not a number between -1e150 and 1e150.
///
/// ```
/// let columns = offprint_experts::assignment(&[4.0, 1.0, 3.0, 2.0, 0.0, 5.0, 3.0, 2.0, 2.0], 3)?;
/// assert_eq!(columns, [1, 0, 2]);
/// # Ok::<(), offprint_experts::ExpertsError>(())
/// ```
pub fn assignment(cost: &[f64], n: usize) -> Result<Vec<usize>> {
    crate::error::check_shape("cost", [cost.len()], [n * n])?;
    for (index, value) in cost.iter().copied().enumerate() {
        // Larger ones could overflow in the potentials, which would end the search without a path.
        if !(-1e150..=1e150).contains(&value) {
            let (row, column) = (index / n, index % n);
            return Err(ExpertsError::Cost { row, column, value });
        }
    }
    // Rows and columns count from 1; column 0 stands for "none" and holds the row that looks for a column.
    let mut row_potential = vec![0.0; n + 1];
    let mut column_potential = vec![0.0; n + 1];
    let mut owner = vec![0; n + 1];
    for row in 1..=n {
        let mut distance = vec![f64::INFINITY; n + 1];
        let mut previous = vec![0; n + 1];
        let mut visited = vec![false; n + 1];
        let mut column = 0;
        owner[0] = row;
        while owner[column] != 0 {
            visited[column] = true;
            let from = owner[column];
            let (mut nearest, mut step) = (0, f64::INFINITY);
            for to in (1..=n).filter(|to| !visited[*to]) {
                let reduced =
                    cost[(from - 1) * n + to - 1] - row_potential[from] - column_potential[to];
                if reduced < distance[to] {
                    distance[to] = reduced;
                    previous[to] = column;
                }
                if distance[to] < step {
                    (nearest, step) = (to, distance[to]);
                }
            }
            for to in 0..=n {
                if visited[to] {
                    row_potential[owner[to]] += step;
                    column_potential[to] -= step;
                } else {
                    distance[to] -= step;
                }
            }
            column = nearest;
        }
        while column != 0 {
            owner[column] = owner[previous[column]];
            column = previous[column];
        }
    }
    let mut columns = vec![0; n];
    for column in 1..=n {
        columns[owner[column] - 1] = column - 1;
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_costs_give_the_identity() {
        assert_eq!(assignment(&[0.5; 16], 4).unwrap(), [0, 1, 2, 3]);
        assert_eq!(assignment(&[], 0).unwrap(), [] as [usize; 0]);
    }

    /// Expected by `scipy.optimize.linear_sum_assignment`.
    #[test]
    fn a_known_answer() {
        let cost = [
            7.0, 53.0, 183.0, 439.0, 863.0, 497.0, 383.0, 563.0, 79.0, 973.0, 287.0, 63.0, 343.0,
            169.0, 583.0, 627.0, 343.0, 773.0, 959.0, 943.0, 767.0, 473.0, 103.0, 699.0, 303.0,
        ];
        assert_eq!(assignment(&cost, 5).unwrap(), [0, 3, 2, 1, 4]);
    }
}
