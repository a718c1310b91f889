//! Ratings in the formats MovieLens comes in: `u.data` (100k), `ratings.dat` (1M, 10M), `ratings.csv` (20M and later),
//! RecBole's atomic `.inter`, and CSV files with other spellings of the same columns; likewise movies and users.

mod people;
mod scan;

use std::path::Path;

pub use people::{Item, User, parse_items, parse_users};

use crate::error::{DataError, Fault, shortened};
use crate::file;
use scan::{Columns, Row, whole};

/// Who rated what, row by row in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratings {
    /// For each rating the index of its user in `user_ids`.
    pub user: Vec<u32>,
    /// For each rating the index of its item in `item_ids`.
    pub item: Vec<u32>,
    /// The rating, 0.5 to 5 stars.
    pub stars: Vec<f32>,
    /// Seconds since 1970; empty if the file has none.
    pub time: Vec<i64>,
    /// The users' numbers in the file, ascending.
    pub user_ids: Vec<u32>,
    /// The items' numbers in the file, ascending.
    pub item_ids: Vec<u32>,
}

const RATINGS: Columns<4> = Columns {
    names: [
        &["userid", "user"],
        &["itemid", "movieid", "item", "movie"],
        &["rating", "stars"],
        &["timestamp", "time"],
    ],
    required: [true, true, true, false],
    positions: &[("\t", [0, 1, 2, 3]), ("::", [0, 1, 2, 3])],
};

/// Reads ratings; the format is told by the first line.
///
/// # Errors
/// An unknown layout, a cell that is no number, a rating outside 0.5 to 5, a user who rates an item twice, no ratings.
pub fn parse(bytes: &[u8]) -> Result<Ratings, DataError> {
    let (mut users, mut items, mut stars, mut time) = (vec![], vec![], vec![], vec![]);
    let mut seen: Vec<(u32, u32, u64)> = Vec::new();
    RATINGS.scan(bytes, |row: &Row<4>| {
        let (user, item) = (whole(row, 0, "user")?, whole(row, 1, "item")?);
        let text = row.get(2).unwrap_or_default();
        let rating = text
            .parse()
            .ok()
            .filter(|rating| (0.5..=5.0).contains(rating));
        stars.push(rating.ok_or_else(|| DataError::format("rating", quoted(text), "0.5 to 5"))?);
        // RecBole types time stamps as floats but writes whole numbers.
        if let Some(text) = row.get(3) {
            let seconds = text.parse();
            time.push(
                seconds
                    .map_err(|_| DataError::format("time stamp", quoted(text), "whole seconds"))?,
            );
        }
        users.push(user);
        items.push(item);
        seen.push((user, item, row.line));
        Ok(())
    })?;
    if stars.is_empty() {
        let (held, expected) = (
            "the file holds no ratings",
            "user, item, rating on each line",
        );
        return Err(Fault::Empty { held, expected }.into());
    }
    seen.sort_unstable();
    if let Some(pair) = seen
        .windows(2)
        .find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1))
    {
        let (user, item, line) = pair[1];
        let field = format!("a second rating of item {item} by user {user}");
        let expected = format!("one (the first is on line {})", pair[0].2);
        return Err(DataError::format(field, "here", expected).at_line(line));
    }
    let (user, user_ids) = dense(&users);
    let (item, item_ids) = dense(&items);
    Ok(Ratings {
        user,
        item,
        stars,
        time,
        user_ids,
        item_ids,
    })
}

pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", shortened(text))
}

/// Numbers as indices into the sorted list of the distinct ones.
fn dense(ids: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut distinct = ids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let index = |id: &u32| distinct.partition_point(|known| known < id) as u32;
    (ids.iter().map(index).collect(), distinct)
}

const SUBFOLDERS: [&str; 8] = [
    "ml-100k",
    "ml-1m",
    "ml-10M100K",
    "ml-20m",
    "ml-25m",
    "ml-32m",
    "ml-latest-small",
    "ml-latest",
];

/// Finds and reads the ratings in a folder or in one of the subfolders its archives unpack to.
///
/// # Errors
/// Lists the names that are missing; as [`parse`], with the file's name.
pub fn read(folder: &Path) -> Result<Ratings, DataError> {
    let names: &[&str] = &[
        "u.data[.gz]",
        "ratings.dat[.gz]",
        "ratings.csv[.gz]",
        "ml-100k.inter[.gz]",
        "movielens_sample.txt",
    ];
    let [path] = file::find("MovieLens ratings", folder, &SUBFOLDERS, [names])?;
    file::read(&path, parse)
}

/// Finds and reads the movies that belong to the ratings.
///
/// # Errors
/// Lists the names that are missing; as [`parse_items`], with the file's name.
pub fn read_items(folder: &Path) -> Result<Vec<Item>, DataError> {
    let names: &[&str] = &[
        "u.item[.gz]",
        "movies.dat[.gz]",
        "movies.csv[.gz]",
        "ml-100k.item[.gz]",
    ];
    let [path] = file::find("MovieLens movies", folder, &SUBFOLDERS, [names])?;
    file::read(&path, parse_items)
}

/// Finds and reads the users that belong to the ratings (100k and 1M have them).
///
/// # Errors
/// Lists the names that are missing; as [`parse_users`], with the file's name.
pub fn read_users(folder: &Path) -> Result<Vec<User>, DataError> {
    let names: &[&str] = &["u.user[.gz]", "users.dat[.gz]", "ml-100k.user[.gz]"];
    let [path] = file::find("MovieLens users", folder, &SUBFOLDERS, [names])?;
    file::read(&path, parse_users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_formats_read_the_same() {
        let files = [
            "7\t300\t4\t100\n2\t30\t1\t200\n7\t30\t5\t300\n",
            "7::300::4::100\n2::30::1::200\n7::30::5::300\n",
            "userId,movieId,rating,timestamp\n7,300,4.0,100\n2,30,1.0,200\n7,30,5.0,300\n",
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t300\t4\t100\n2\t30\t1\t200\n7\t30\t5\t300\n",
            "rating,title,movie_id,user_id,timestamp\n4,\"A, B\",300,7,100\n1,C,30,2,200\n5,C,30,7,300\n",
        ];
        for file in files {
            let ratings = parse(file.as_bytes()).unwrap();
            assert_eq!(ratings.user_ids, [2, 7], "{file}");
            assert_eq!(ratings.item_ids, [30, 300]);
            assert_eq!(ratings.user, [1, 0, 1]);
            assert_eq!(ratings.item, [1, 0, 0]);
            assert_eq!(ratings.stars, [4.0, 1.0, 5.0]);
            assert_eq!(ratings.time, [100, 200, 300]);
        }
        assert!(
            parse(b"userId,movieId,rating\n1,2,0.5\n")
                .unwrap()
                .time
                .is_empty()
        );
    }

    #[test]
    fn refuses_bad_cells_and_layouts() {
        let refused = |file: &str| parse(file.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            refused("1\t2\t3\t4\n1\tx\t3\t4\n"),
            r#"line 2: item is "x", expected a whole number from 0 to 4294967295"#
        );
        for rating in ["NaN", "0", "6", "inf", ""] {
            let message = refused(&format!("1::2::{rating}::4\n"));
            assert_eq!(
                message,
                format!("line 1: rating is {rating:?}, expected 0.5 to 5")
            );
        }
        assert!(refused("1\t2\t3\tnow\n").starts_with(r#"line 1: time stamp is "now""#));
        assert!(refused("1\t2\n").contains("2 fields"));
        assert_eq!(
            refused("1\t2\t3\t4\n5\t2\t3\t4\n1\t2\t4\t5\n"),
            "line 3: a second rating of item 2 by user 1 is here, expected one (the first is on line 1)"
        );
        assert!(refused("1,2,3,4\n").starts_with("line 1: the header"));
        assert!(refused("userId,movieId\n1,2\n").contains("rating"));
        assert!(refused("").starts_with("the file holds no ratings"));
        assert!(refused("userId,movieId,rating\n").starts_with("the file holds no ratings"));
    }

    #[test]
    fn finds_the_files_of_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("ml-100k");
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("no MovieLens ratings: looked for u.data[.gz], ratings.dat[.gz]"),
            "{error}"
        );
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("u.data"), "1\t2\t3\t4\n").unwrap();
        std::fs::write(inner.join("u.user"), "1|24|M|writer|85711\n").unwrap();
        assert_eq!(read(folder.path()).unwrap().stars, [3.0]);
        assert_eq!(read_users(folder.path()).unwrap().len(), 1);
        assert!(read_items(folder.path()).is_err());
    }
}
