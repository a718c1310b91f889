//! Two tasks on user-item pairs, as COMET's recommender study sets them: does the user watch the item, and with how many
//! stars do they rate it.
//!
//! Source: Ibrahim et al., "COMET" (2023), supplement S1.1, and the released files (mazumder-lab/COMET cf27276,
//! `data/datasets/movielens`), which hold as many unwatched pairs as watched ones for each user, give unwatched pairs the
//! rating 0, and leave these out of the rating loss. Ratings are not scaled.

use std::path::Path;

use crate::draw::Draw;
use crate::error::{DataError, Fault, shortened};
use crate::file;
use crate::movielens::Ratings;
use crate::split::{Shares, Split};

/// The rating of a pair that was not watched; the rating task leaves such pairs out.
pub const UNRATED: f32 = 0.0;

/// The authors' shares: one tenth for test, one eighth of the rest for validation.
pub const SHARES: Shares = Shares {
    validation: 0.1125,
    test: 0.1,
};

const MOST_IDS: u32 = 10_000_000;

/// User-item pairs with the targets of both tasks, row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pairs {
    /// Index of the user.
    pub user: Vec<u32>,
    /// Index of the item.
    pub item: Vec<u32>,
    /// Task 1: whether the user watched the item.
    pub watched: Vec<bool>,
    /// Task 2: the stars the user gave it, [`UNRATED`] where it was not watched.
    pub stars: Vec<f32>,
}

/// Training, validation and test pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendation {
    /// To fit on.
    pub train: Pairs,
    /// To choose settings by.
    pub validation: Pairs,
    /// To report on.
    pub test: Pairs,
    /// Number of users; indices are below it.
    pub users: usize,
    /// Number of items; indices are below it.
    pub items: usize,
}

impl Pairs {
    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.user.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.user.is_empty()
    }

    /// The pairs of `rows`, in that order.
    ///
    /// # Panics
    /// If a row is not below [`len`](Self::len).
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            user: rows.iter().map(|&row| self.user[row]).collect(),
            item: rows.iter().map(|&row| self.item[row]).collect(),
            watched: rows.iter().map(|&row| self.watched[row]).collect(),
            stars: rows.iter().map(|&row| self.stars[row]).collect(),
        }
    }

    fn push(&mut self, user: u32, item: u32, stars: Option<f32>) {
        self.user.push(user);
        self.item.push(item);
        self.watched.push(stars.is_some());
        self.stars.push(stars.unwrap_or(UNRATED));
    }
}

/// Adds, for each user, as many items they did not rate as they rated (or all of these, if fewer), drawn uniformly
/// without replacement by `seed`; then splits by [`SHARES`], keeping the share of watched pairs.
///
/// # Errors
/// Too few pairs for the split.
pub fn two_tasks(ratings: &Ratings, seed: u64) -> Result<Recommendation, DataError> {
    let (users, items) = (ratings.user_ids.len(), ratings.item_ids.len());
    let mut rated: Vec<Vec<u32>> = vec![Vec::new(); users];
    let mut pairs = Pairs::default();
    for ((&user, &item), &stars) in ratings.user.iter().zip(&ratings.item).zip(&ratings.stars) {
        rated[user as usize].push(item);
        pairs.push(user, item, Some(stars));
    }
    for (user, rated) in (0..).zip(&mut rated) {
        rated.sort_unstable();
        let unrated = items - rated.len();
        let mut draw = Draw::new(b"offprint unrated", seed, u64::from(user));
        // The r-th unrated item is r plus the number of rated items before it; both lists ascend.
        let mut before = 0;
        for rank in draw.sample(unrated, rated.len().min(unrated)) {
            while rated
                .get(before)
                .is_some_and(|&item| item as usize <= rank + before)
            {
                before += 1;
            }
            pairs.push(user, (rank + before) as u32, None);
        }
    }
    let split = Split::stratified(&pairs.watched, SHARES)?;
    Ok(Recommendation {
        train: pairs.select(&split.train),
        validation: pairs.select(&split.validation),
        test: pairs.select(&split.test),
        users,
        items,
    })
}

/// Reads the files COMET's authors made of MovieLens-1M, from a folder or its `movielens` or `data/datasets/movielens`:
/// `shared_features/shared_features_{train,val,test}.csv` and the like for the targets.
///
/// Their repository lacks the training features. Without that file the validation pairs are split, 80 % for training
/// and 20 % for validation, by the rule of [`Split`].
///
/// # Errors
/// Lists the names that are missing; a line that is not `user,item` or a target; files of different lengths.
pub fn read_comet(folder: &Path) -> Result<Recommendation, DataError> {
    let test = comet_part(folder, COMET_TEST)?;
    let (train, validation) = match comet_part(folder, COMET_TRAIN) {
        Ok(train) => (train, comet_part(folder, COMET_VALIDATION)?),
        Err(error) if matches!(*error.fault, Fault::NotFound { .. }) => {
            let both = comet_part(folder, COMET_VALIDATION)?;
            let shares = Shares {
                validation: 0.2,
                test: 0.0,
            };
            let split = Split::stratified(&both.watched, shares)?;
            (both.select(&split.train), both.select(&split.validation))
        }
        Err(error) => return Err(error),
    };
    let count = |of: fn(&Pairs) -> &Vec<u32>| {
        let all = [&train, &validation, &test].map(of);
        all.into_iter()
            .flatten()
            .max()
            .map_or(0, |&last| last as usize + 1)
    };
    let (users, items) = (count(|pairs| &pairs.user), count(|pairs| &pairs.item));
    Ok(Recommendation {
        train,
        validation,
        test,
        users,
        items,
    })
}

/// The files of a part: features, then the targets of each task.
type Part = [&'static str; 3];
const COMET_TRAIN: Part = [
    "shared_features/shared_features_train.csv[.gz]",
    "watch_classification_targets/watch_classification_targets_train.csv[.gz]",
    "rating_regression_targets/rating_regression_targets_train.csv[.gz]",
];
const COMET_VALIDATION: Part = [
    "shared_features/shared_features_val.csv[.gz]",
    "watch_classification_targets/watch_classification_targets_val.csv[.gz]",
    "rating_regression_targets/rating_regression_targets_val.csv[.gz]",
];
const COMET_TEST: Part = [
    "shared_features/shared_features_test.csv[.gz]",
    "watch_classification_targets/watch_classification_targets_test.csv[.gz]",
    "rating_regression_targets/rating_regression_targets_test.csv[.gz]",
];

fn comet_part(folder: &Path, [features, watched, stars]: Part) -> Result<Pairs, DataError> {
    let subfolders = ["movielens", "data/datasets/movielens"];
    let slots: [&[&str]; 3] = [&[features], &[watched], &[stars]];
    let [features, watched, stars] = file::find("COMET MovieLens", folder, &subfolders, slots)?;
    let mut pairs = Pairs::default();
    for (user, item) in file::read(&features, parse_features)? {
        pairs.user.push(user);
        pairs.item.push(item);
    }
    let target = |path: &Path, highest| {
        let target = file::read(path, |bytes| parse_target(bytes, highest))?;
        if target.len() == pairs.len() {
            return Ok(target);
        }
        let expected = format!("{}, as many as {} has", pairs.len(), features.display());
        Err(DataError::format("number of lines", target.len(), expected).in_file(path))
    };
    let (watched, stars) = (target(&watched, 1)?, target(&stars, 5)?);
    pairs.watched = watched.iter().map(|&target| target == 1).collect();
    pairs.stars = stars.iter().map(|&target| f32::from(target)).collect();
    Ok(pairs)
}

/// Lines of `user,item`, counted from 0.
///
/// # Errors
/// A line that is anything else, or a number of 10,000,000 or more.
pub fn parse_features(bytes: &[u8]) -> Result<Vec<(u32, u32)>, DataError> {
    let id = |text: &str| text.trim().parse().ok().filter(|&id: &u32| id < MOST_IDS);
    lines(bytes, |line| {
        let ids = line
            .split_once(',')
            .and_then(|(user, item)| Some((id(user)?, id(item)?)));
        ids.ok_or_else(|| format!("user,item with both below {MOST_IDS}"))
    })
}

/// Lines of one whole number from 0 to `highest`.
///
/// # Errors
/// A line that is anything else.
pub fn parse_target(bytes: &[u8], highest: u8) -> Result<Vec<u8>, DataError> {
    lines(bytes, |line| {
        let target = line
            .trim()
            .parse()
            .ok()
            .filter(|&target: &u8| target <= highest);
        target.ok_or_else(|| format!("0 to {highest}"))
    })
}

fn lines<T>(bytes: &[u8], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, DataError> {
    let text = crate::text::decode(bytes)?;
    let read = |(number, line): (u64, &str)| {
        read(line).map_err(|expected| {
            let shown = format!("{:?}", shortened(line));
            DataError::format("content", shown, expected).at_line(number)
        })
    };
    (1..).zip(text.lines()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::movielens;
    use std::collections::BTreeSet;

    /// 30 users, 40 items; user u rates the items whose number leaves a remainder below u % 3 + 1 modulo 4, and user 0
    /// rates all.
    fn ratings() -> Ratings {
        let mut file = String::new();
        for user in 0..30 {
            for item in (0..40).filter(|item| user == 0 || item % 4 <= user % 3) {
                file += &format!("{user}\t{}\t{}\t0\n", item * 10, 1 + (user + item) % 5);
            }
        }
        movielens::parse(file.as_bytes()).unwrap()
    }

    #[test]
    fn every_user_gets_as_many_unwatched_pairs_as_there_are() {
        let ratings = ratings();
        let data = two_tasks(&ratings, 1).unwrap();
        assert_eq!((data.users, data.items), (30, 40));
        let rated: BTreeSet<(u32, u32)> = ratings
            .user
            .iter()
            .copied()
            .zip(ratings.item.iter().copied())
            .collect();
        let mut seen = BTreeSet::new();
        let mut counts = vec![[0; 2]; 30];
        for part in [&data.train, &data.validation, &data.test] {
            for row in 0..part.len() {
                let pair = (part.user[row], part.item[row]);
                assert!(seen.insert(pair), "{pair:?} occurs twice");
                assert_eq!(rated.contains(&pair), part.watched[row]);
                assert_eq!(part.watched[row], part.stars[row] != UNRATED);
                counts[pair.0 as usize][usize::from(part.watched[row])] += 1;
            }
        }
        for (user, &[unwatched, watched]) in counts.iter().enumerate() {
            assert_eq!(unwatched, watched.min(40 - watched), "user {user}");
        }
        let share =
            |part: &Pairs| part.watched.iter().filter(|&&w| w).count() as f64 / part.len() as f64;
        assert!((share(&data.train) - share(&data.test)).abs() < 0.01);
        let total = (data.train.len() + data.validation.len() + data.test.len()) as f64;
        assert!((data.test.len() as f64 / total - 0.1).abs() < 0.01);
        assert!((data.validation.len() as f64 / total - 0.1125).abs() < 0.01);
    }

    #[test]
    fn depends_on_the_seed() {
        let ratings = ratings();
        assert_eq!(
            two_tasks(&ratings, 1).unwrap(),
            two_tasks(&ratings, 1).unwrap()
        );
        assert_ne!(
            two_tasks(&ratings, 1).unwrap(),
            two_tasks(&ratings, 2).unwrap()
        );
        let one = movielens::parse(b"1\t2\t3\t4\n").unwrap();
        assert!(two_tasks(&one, 0).is_err());
    }

    fn write(folder: &Path, part: &str, features: &str, watched: &str, stars: &str) {
        for (name, content) in [
            ("shared_features", features),
            ("watch_classification_targets", watched),
            ("rating_regression_targets", stars),
        ] {
            let place = folder.join(name);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(format!("{name}_{part}.csv")), content).unwrap();
        }
    }

    #[test]
    fn reads_the_authors_files_with_and_without_training_features() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_comet(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("looked for shared_features/shared_features_test.csv[.gz], watch"),
            "{error}"
        );
        write(folder.path(), "test", "3,1\n0,9\n", "1\n0\n", "4\n0\n");
        let ten: String = (0..10).map(|user| format!("{user},5\n")).collect();
        write(
            folder.path(),
            "val",
            &ten,
            &"1\n".repeat(10),
            &"2\n".repeat(10),
        );
        let data = read_comet(folder.path()).unwrap();
        assert_eq!((data.users, data.items), (10, 10));
        assert_eq!((data.train.len(), data.validation.len()), (8, 2));
        assert_eq!(data.test.watched, [true, false]);
        assert_eq!(data.test.stars, [4.0, UNRATED]);

        write(folder.path(), "train", "20,0\n", "1\n", "5\n");
        let data = read_comet(folder.path()).unwrap();
        assert_eq!(
            (data.train.len(), data.validation.len(), data.users),
            (1, 10, 21)
        );
    }

    #[test]
    fn refuses_lines_that_are_no_pairs_or_targets() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "test", "3,1\n0,9\n", "1\n", "4\n0\n");
        let error = read_comet(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("number of lines is 1, expected 2, as many as "),
            "{error}"
        );
        assert_eq!(
            parse_features(b"1,2\n1;2\n").unwrap_err().to_string(),
            r#"line 2: content is "1;2", expected user,item with both below 10000000"#
        );
        assert!(parse_features(b"1,4000000000\n").is_err());
        assert_eq!(
            parse_target(b"0\nNaN\n", 1).unwrap_err().to_string(),
            r#"line 2: content is "NaN", expected 0 to 1"#
        );
        assert!(parse_target(b"6\n", 5).is_err());
    }
}
