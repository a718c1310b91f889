//! Random draws: a stream of its own for each (seed, index), so that any puzzle can be made alone.

pub(crate) use offprint_data::Draw;

/// The stream of a puzzle.
pub(crate) fn stream(seed: u64, index: u64) -> Draw {
    Draw::new(b"offprint puzzles", seed, index)
}

/// How the items that are drawn stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Whether their order counts; otherwise they stand as in the list.
    pub ordered: bool,
    pub repeat: bool,
}

/// Places of `amount` items of a list of `len`; `None` if there are too few without repetition.
pub(crate) fn places(
    draw: &mut Draw,
    len: usize,
    amount: usize,
    manner: Manner,
) -> Option<Vec<usize>> {
    if amount > 0 && (len == 0 || (!manner.repeat && amount > len)) {
        return None;
    }
    let mut places = if manner.repeat {
        (0..amount).map(|_| draw.below(len)).collect()
    } else {
        draw.sample(len, amount)
    };
    if manner.ordered {
        if !manner.repeat {
            draw.shuffle(&mut places);
        }
    } else {
        places.sort_unstable();
    }
    Some(places)
}
