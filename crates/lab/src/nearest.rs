//! The known name that a mistyped one most likely means.

/// The candidate nearest to `word`, or `None` if none is near enough to be worth suggesting.
///
/// Near is an edit distance (insert, delete, replace, swap neighbors; case does not count) of at most a third of the
/// word's length, at least 1. Failing that, the first candidate that starts with the word, if the word has three
/// letters or more. Of candidates equally near, the first wins.
pub fn nearest_name<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.trim().to_lowercase();
    let length = word.chars().count();
    if length == 0 {
        return None;
    }
    let allowed = (length / 3).max(1);
    let mut near: Option<(usize, &str)> = None;
    let mut longer = None;
    for candidate in candidates {
        let name = candidate.to_lowercase();
        let distance = strsim::osa_distance(&word, &name);
        // One letter replaced in a name of one letter leaves nothing of it.
        let related = distance < name.chars().count().max(length);
        if related && distance <= allowed && near.is_none_or(|(least, _)| distance < least) {
            near = Some((distance, candidate));
        }
        if longer.is_none() && length >= 3 && name.starts_with(&word) {
            longer = Some(candidate);
        }
    }
    near.map(|(_, candidate)| candidate).or(longer)
}

#[cfg(test)]
mod tests {
    use super::nearest_name;

    const KEYS: [&str; 6] = ["experts", "epochs", "learning_rate", "lr", "gamma", "k"];

    #[test]
    fn one_slip_is_forgiven_in_any_name() {
        for (typed, meant) in [
            ("expert", "experts"),
            ("Experts", "experts"),
            ("exprets", "experts"),
            ("epoch", "epochs"),
            ("learning-rate", "learning_rate"),
            ("rl", "lr"),
            ("gama", "gamma"),
            (" k ", "k"),
        ] {
            assert_eq!(nearest_name(typed, KEYS), Some(meant), "{typed}");
        }
    }

    #[test]
    fn a_start_stands_for_the_first_name_that_continues_it() {
        assert_eq!(nearest_name("learn", KEYS), Some("learning_rate"));
        assert_eq!(nearest_name("ga", KEYS), None);
    }

    #[test]
    fn what_is_far_from_everything_gets_no_suggestion() {
        for typed in ["", "  ", "z", "beta", "momentum", "très-différent"] {
            assert_eq!(nearest_name(typed, KEYS), None, "{typed}");
        }
        assert_eq!(nearest_name("gamma", []), None);
    }

    #[test]
    fn the_nearer_wins_and_of_equals_the_first() {
        assert_eq!(nearest_name("stm", ["sso", "stn", "stm1"]), Some("stn"));
        assert_eq!(
            nearest_name("evonom", ["evomoe", "evonorm"]),
            Some("evonorm")
        );
        assert_eq!(
            nearest_name("moe", ["topk", "moe-layer", "moe-gate"]),
            Some("moe-layer")
        );
    }
}
