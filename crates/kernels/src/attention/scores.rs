//! The scores of a tile of keys against one vector of queries, and their exponentials.
//!
//! Scores are kept with the queries in the lanes, a row for each key: maxima and sums over the keys are then plain
//! vector operations.

use super::{layout::Sizes, tile::prefetch};
use crate::dropout::{Dropout, Mask};
use crate::lanes::{LANES, Lanes, load, map, zip};
use crate::math::exp_weight;
use crate::transpose::{Lines, columns};

/// What all passes need to know besides queries, keys and values.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    pub sizes: Sizes,
    pub scale: f32,
    pub causal: bool,
    pub bias: Option<Bias<'a>>,
    pub dropout: Option<Dropout>,
}

impl Problem<'_> {
    /// How many keys a query sees, from the first on.
    #[inline(always)]
    pub fn visible(&self, query: usize) -> usize {
        let Sizes { queries, keys, .. } = self.sizes;
        if self.causal {
            (query + 1 + keys).saturating_sub(queries).min(keys)
        } else {
            keys
        }
    }

    /// The head of keys and values that a head of queries reads.
    #[inline(always)]
    pub fn kv_head(&self, head: usize) -> usize {
        head / (self.sizes.heads / self.sizes.kv_heads)
    }

    /// The dropout mask of the queries of a place.
    #[inline(always)]
    pub fn mask(&self, place: Place) -> Option<QueryMask> {
        let s = self.sizes;
        let row = (place.batch * s.heads + place.head) * s.queries + place.query;
        self.dropout.map(|dropout| QueryMask {
            mask: dropout.mask(row * s.keys),
            keys: s.keys,
        })
    }

    /// Asks for what `queries` queries from a place's first on add to the scores of its tile, before the scores are there.
    #[inline(always)]
    pub fn prefetch_bias(&self, place: Place, queries: usize) {
        let Some(Bias { values, strides }) = self.bias else {
            return;
        };
        for query in 0..queries {
            let start = strides.row(place.batch, place.head, place.query + query) + place.key;
            prefetch(values, start, start + place.keys);
        }
    }

    /// Multiply-adds of one of the products, all keys taken as seen.
    pub fn work(&self) -> usize {
        let s = self.sizes;
        s.batch * s.heads * s.queries * s.keys * s.dim
    }

    /// The queries of a head from `query` on, a vector at most and before `end`, with those keys of a tile that the last
    /// of them sees.
    #[inline(always)]
    pub fn place(
        &self,
        [batch, head, query]: [usize; 3],
        end: usize,
        [key, len]: [usize; 2],
    ) -> Place {
        let live = LANES.min(end - query);
        Place {
            batch,
            head,
            query,
            live,
            key,
            keys: self.visible(query + live - 1).saturating_sub(key).min(len),
        }
    }
}

/// What is added to the scores: `[batch or 1, heads or 1, queries or 1, keys]`.
#[derive(Clone, Copy)]
pub struct Bias<'a> {
    pub values: &'a [f32],
    pub strides: Strides,
}

/// Distances of one sequence, head and query of a bias to the next; zero along an axis of length 1.
#[derive(Clone, Copy, Debug)]
pub struct Strides {
    pub batch: usize,
    pub head: usize,
    pub query: usize,
}

impl Strides {
    pub fn new([batch, heads, queries, keys]: [usize; 4]) -> Self {
        let unless_one = |length: usize, stride: usize| if length == 1 { 0 } else { stride };
        Self {
            batch: unless_one(batch, heads * queries * keys),
            head: unless_one(heads, queries * keys),
            query: unless_one(queries, keys),
        }
    }

    /// Where the row of a query begins.
    #[inline(always)]
    pub fn row(self, batch: usize, head: usize, query: usize) -> usize {
        batch * self.batch + head * self.head + query * self.query
    }
}

/// The dropout mask of some neighboring queries.
#[derive(Clone, Copy)]
pub struct QueryMask {
    mask: Mask,
    keys: usize,
}

impl QueryMask {
    /// What the probabilities of a key are multiplied by.
    #[inline(always)]
    pub fn factors(&self, key: usize) -> Lanes {
        let mut factors = [0.0; LANES];
        for (lane, factor) in factors.iter_mut().enumerate() {
            *factor = self.mask.factor((lane * self.keys + key) as u32);
        }
        factors
    }
}

/// Some neighboring queries of a head and some neighboring keys.
#[derive(Clone, Copy)]
pub struct Place {
    pub batch: usize,
    pub head: usize,
    /// First query.
    pub query: usize,
    /// Queries, at most [`LANES`].
    pub live: usize,
    /// First key.
    pub key: usize,
    /// Keys.
    pub keys: usize,
}

/// Adds the bias to the scores of a place, one row of queries for each key, the rows `stride` apart; minus infinity where
/// the query does not see the key. `spare` has room for a tile of scores.
#[inline(always)]
pub fn bias(
    problem: &Problem<'_>,
    place: Place,
    scores: &mut [f32],
    stride: usize,
    spare: &mut [f32],
) {
    if let Some(Bias { values, strides }) = problem.bias {
        let start = strides.row(place.batch, place.head, place.query) + place.key;
        let rows = Lines {
            values: &values[start..],
            stride: strides.query,
            width: place.keys,
        };
        columns(rows, place.live, spare, LANES);
        for key in 0..place.keys {
            let bias = load(spare, key * LANES);
            for (x, bias) in scores[key * stride..][..LANES].iter_mut().zip(bias) {
                *x += bias;
            }
        }
    }
    if problem.causal {
        // Lane `i` sees the keys of this place below `first + i`.
        let Sizes { queries, keys, .. } = problem.sizes;
        let first = (place.query + 1 + keys) as i32 - (queries + place.key) as i32;
        for key in first.max(0) as usize..place.keys {
            let seen_from = key as i32 - first + 1;
            for (lane, x) in scores[key * stride..][..LANES].iter_mut().enumerate() {
                *x = if (lane as i32) < seen_from {
                    f32::NEG_INFINITY
                } else {
                    *x
                };
            }
        }
    }
}

/// `e^(x − y)` of each lane, for `x <= y`.
#[inline(always)]
pub fn exp_difference(x: Lanes, y: Lanes) -> Lanes {
    map(zip(x, y, |x, y| x - y), exp_weight)
}
