//! MovieLens' movies and users.

use super::scan::{Columns, Row, whole};
use crate::error::{DataError, Fault};

/// A movie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number in the file.
    pub id: u32,
    /// Its title, with the year where the file has it there.
    pub title: String,
    /// Its genres, as the file spells them.
    pub genres: Vec<String>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their number in the file.
    pub id: u32,
    /// Age in years (1M: the lower end of the age group).
    pub age: u32,
    /// `M` or `F`.
    pub gender: String,
    /// A word, or a code (1M).
    pub occupation: String,
    /// The postal code.
    pub zip: String,
}

const ITEMS: Columns<3> = Columns {
    names: [
        &["itemid", "movieid"],
        &["title", "movietitle"],
        &["genres", "class"],
    ],
    required: [true; 3],
    positions: &[("::", [0, 1, 2]), ("|", [0, 1, FIRST_FLAG])],
};

/// Where the genre flags of `u.item` begin, in the order of its `u.genre`.
const FIRST_FLAG: usize = 5;
const GENRES: [&str; 19] = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
];

/// Reads `u.item`, `movies.dat`, `movies.csv` or RecBole's `.item`, told apart by the first line.
///
/// # Errors
/// An unknown layout, a number that is none, or no movies.
pub fn parse_items(bytes: &[u8]) -> Result<Vec<Item>, DataError> {
    let mut items = Vec::new();
    ITEMS.scan(bytes, |row: &Row<3>| {
        let genres = row.get(2).unwrap_or_default();
        // u.item has a column of 0 or 1 for each genre; the others have words between `|` (MovieLens) or spaces (RecBole).
        let genres = if row.fields.len() == FIRST_FLAG + GENRES.len() {
            let flags = GENRES.iter().zip(&row.fields[FIRST_FLAG..]);
            flags
                .filter(|(_, flag)| **flag == "1")
                .map(|(genre, _)| (*genre).to_owned())
                .collect()
        } else {
            let words = genres.split(['|', ' ']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        items.push(Item {
            id: whole(row, 0, "movie")?,
            title: row.get(1).unwrap_or_default().to_owned(),
            genres,
        });
        Ok(())
    })?;
    if items.is_empty() {
        let (held, expected) = (
            "the file holds no movies",
            "number, title, genres on each line",
        );
        return Err(Fault::Empty { held, expected }.into());
    }
    Ok(items)
}

const USERS: Columns<5> = Columns {
    names: [
        &["userid"],
        &["age"],
        &["gender"],
        &["occupation"],
        &["zipcode", "zip"],
    ],
    required: [true; 5],
    positions: &[("::", [0, 2, 1, 3, 4]), ("|", [0, 1, 2, 3, 4])],
};

/// Reads `u.user`, `users.dat` or RecBole's `.user`, told apart by the first line.
///
/// # Errors
/// An unknown layout, a number that is none, or no users.
pub fn parse_users(bytes: &[u8]) -> Result<Vec<User>, DataError> {
    let mut users = Vec::new();
    USERS.scan(bytes, |row: &Row<5>| {
        let text = |column| row.get(column).unwrap_or_default().to_owned();
        users.push(User {
            id: whole(row, 0, "user")?,
            age: whole(row, 1, "age")?,
            gender: text(2),
            occupation: text(3),
            zip: text(4),
        });
        Ok(())
    })?;
    if users.is_empty() {
        let (held, expected) = (
            "the file holds no users",
            "number, age, gender, occupation, zip on each line",
        );
        return Err(Fault::Empty { held, expected }.into());
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_formats_of_movies() {
        let flags = "0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0";
        let item = format!("1|Toy Story (1995)|01-Jan-1995||http://x|{flags}\n");
        let files = [
            item.as_bytes(),
            b"1::Toy Story (1995)::Animation|Children's|Comedy\n",
            b"movieId,title,genres\n1,\"Toy Story (1995)\",Animation|Children's|Comedy\n",
        ];
        for file in files {
            let items = parse_items(file).unwrap();
            assert_eq!(items[0].title, "Toy Story (1995)");
            assert_eq!(items[0].genres, ["Animation", "Children's", "Comedy"]);
        }
        let recbole = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n\
                       1\tToy Story\t1995\tAnimation Children's Comedy\n";
        let items = parse_items(recbole.as_bytes()).unwrap();
        assert_eq!(
            (items[0].title.as_str(), items[0].genres.len()),
            ("Toy Story", 3)
        );
        let latin1 = parse_items(b"2::Mis\xe9rables, Les (1995)::Drama\n").unwrap();
        assert_eq!(latin1[0].title, "Misérables, Les (1995)");
    }

    #[test]
    fn the_three_formats_of_users() {
        let files = [
            "1|24|M|technician|85711\n",
            "1::M::24::technician::85711\n",
            "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n1\t24\tM\ttechnician\t85711\n",
        ];
        for file in files {
            let expected = User {
                id: 1,
                age: 24,
                gender: "M".to_owned(),
                occupation: "technician".to_owned(),
                zip: "85711".to_owned(),
            };
            assert_eq!(parse_users(file.as_bytes()).unwrap(), [expected]);
        }
    }

    #[test]
    fn refuses_short_lines_and_words_for_numbers() {
        assert_eq!(
            parse_items(b"1::A::B\n2::A\n").unwrap_err().to_string(),
            "line 2: 2 fields, expected 3"
        );
        assert!(
            parse_users(b"1|old|M|x|1\n")
                .unwrap_err()
                .to_string()
                .starts_with(r#"line 1: age is "old""#)
        );
        assert!(parse_items(b"\n\n").is_err());
        assert!(parse_users(b"").is_err());
    }
}
