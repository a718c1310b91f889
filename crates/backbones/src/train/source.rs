//! Where the rows come from: a set inside the program, or the user's own files.

use super::typed::invalid;
use offprint_data::{
    DataError, Fault, Images, Shares, Split, cifar, idx, letters, mnist, opencv_digits,
    sklearn_digits,
    table::{self, ColumnKind, Table, TableOptions},
    tables, text,
};
use offprint_lab::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Section `[data]`: one of `set`, `table`, `text` and `images`, and how to read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// A set inside the program (`offprint data` lists them), or `cifar10` in `--data-dir`. With `--data-dir`, `mnist`
    /// is read from MNIST's own files there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<Set>,
    /// A CSV or TSV file with a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<PathBuf>,
    /// A plain text file; its bytes are the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<PathBuf>,
    /// An IDX file of pictures, packed or not; `labels` is the file of their classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// The IDX file of the pictures' classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// Column of a table to predict; an embedded table has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Whether the target column is a class or a number; its cells decide where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Columns of a table to leave out.
    pub ignore: Vec<String>,
    /// Texts that mark a missing cell of a table, beside the empty one.
    pub missing: Vec<String>,
    /// Rows of a table are joined with this many nearest rows into a graph.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbors: Option<usize>,
    /// A table of two columns, an edge a row: numbers of the rows it joins, the first row being 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edges: Option<PathBuf>,
    /// Tokens of a row of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Training rows, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Validation rows and test rows, at most each; 256 of text where absent, all of anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<usize>,
    /// Checksum of the files that are named; filled in, so that trials on other contents are other trials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Random changes of training pictures.
    #[serde(skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
}

/// A set that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Set {
    /// 10,000 digits of MNIST, 28×28; with `--data-dir` all of it.
    Mnist,
    /// 5,000 digits, 20×20.
    OpencvDigits,
    /// 1,797 digits, 8×8.
    SklearnDigits,
    /// 60,000 pictures of 10 classes, 3×32×32, in `--data-dir`.
    Cifar10,
    /// 20,000 letters by 16 measures.
    Letters,
    /// 150 flowers by 4 measures.
    Iris,
    /// 178 wines by 13 measures.
    Wine,
    /// 569 tumors by 30 measures.
    BreastCancer,
    /// 442 patients by 10 measures; the target is a number.
    Diabetes,
    /// 42 works, 5 million bytes.
    Shakespeare,
    /// The King James Bible, 4 million bytes.
    KingJames,
}

/// What is predicted of a table's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Its class.
    Classify,
    /// A number.
    Regress,
}

/// Random changes of training pictures, as He et al. (2016, section 4.2) have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augment {
    /// None.
    #[default]
    None,
    /// A crop of the picture with a margin of 4 on each side.
    Crop,
    /// The crop, and a mirror image of every second one.
    CropFlip,
}

impl Augment {
    fn is_none(&self) -> bool {
        *self == Augment::None
    }
}

/// Rows as they were read.
pub enum Source {
    /// Pictures with their classes.
    Pictures(Images, Split),
    /// A table and the column to predict.
    Table(Table, String, Split),
    /// A text, split where it is cut into rows.
    Text(String),
}

impl DataConfig {
    /// What the data is called in messages and reports: `mnist`, `prices.csv`.
    pub fn name(&self) -> String {
        let files = [&self.table, &self.text, &self.images];
        match (self.set, files.into_iter().flatten().next()) {
            (Some(set), _) => serde_json::to_value(set)
                .ok()
                .and_then(|name| name.as_str().map(str::to_string))
                .unwrap_or_default(),
            (None, Some(path)) => path
                .file_name()
                .map_or(String::new(), |name| name.to_string_lossy().into_owned()),
            (None, None) => String::new(),
        }
    }

    /// Makes the paths of files absolute, from a folder, and takes their checksum.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn locate(&mut self, folder: &Path) -> Result<()> {
        let files = [
            &mut self.table,
            &mut self.text,
            &mut self.images,
            &mut self.labels,
            &mut self.edges,
        ];
        // FNV-1a with 64 bits: enough to tell two versions of a file apart.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut any = false;
        for path in files.into_iter().flatten() {
            let named = folder.join(&*path);
            let unread = |error| Error::input(format!("cannot read {}: {error}", named.display()));
            *path = named.canonicalize().map_err(unread)?;
            let bytes = std::fs::read(&*path).map_err(unread)?;
            for byte in bytes {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            any = true;
        }
        self.checksum = any.then(|| format!("{hash:016x}"));
        Ok(())
    }

    /// Checks what can be checked before anything is read.
    ///
    /// # Errors
    /// No source or several, or a key that says nothing about this source.
    pub fn validate(&self) -> Result<()> {
        let sources = [
            ("set", self.set.is_some()),
            ("table", self.table.is_some()),
            ("text", self.text.is_some()),
            ("images", self.images.is_some()),
        ];
        let given: Vec<&str> = sources
            .iter()
            .filter(|(_, on)| *on)
            .map(|(k, _)| *k)
            .collect();
        match given.as_slice() {
            [_] => {}
            [] => {
                return Err(Error::input(
                    "[data] names no source, but it needs one of set, table, text and images",
                )
                .help("sets inside the program: offprint data"));
            }
            several => {
                return Err(Error::input(format!(
                    "[data] names {}, but one source is allowed",
                    several.join(" and ")
                )));
            }
        }
        if self.images.is_some() != self.labels.is_some() {
            return Err(Error::input(
                "[data] needs images and labels together, one class a picture",
            ));
        }
        let own = self.table.is_some();
        let table = own || self.set.is_some_and(Set::is_table);
        let text = self.text.is_some() || self.set.is_some_and(Set::is_text);
        for (key, given, fits, of) in [
            ("target", self.target.is_some(), table, "a table"),
            ("task", self.task.is_some(), own, "a table of your own"),
            (
                "missing",
                !self.missing.is_empty(),
                own,
                "a table of your own",
            ),
            ("ignore", !self.ignore.is_empty(), table, "a table"),
            ("neighbors", self.neighbors.is_some(), table, "a table"),
            ("edges", self.edges.is_some(), table, "a table"),
            ("length", self.length.is_some(), text, "text"),
            (
                "augment",
                !self.augment.is_none(),
                !table && !text,
                "pictures",
            ),
        ] {
            if given && !fits {
                return Err(Error::input(format!(
                    "data.{key} belongs to {of}, but {} is not one",
                    self.name()
                )));
            }
        }
        if self.neighbors.is_some() && self.edges.is_some() {
            return Err(Error::input(
                "[data] names neighbors and edges, but a graph has one source of edges",
            ));
        }
        for (key, value, most) in [
            ("neighbors", self.neighbors, 1000),
            ("length", self.length, 1 << 16),
            ("rows", self.rows, usize::MAX),
            ("held_out", self.held_out, usize::MAX),
        ] {
            if let Some(value) = value
                && (value == 0 || value > most)
            {
                let allowed = match most {
                    usize::MAX => "it must be 1 or more".to_string(),
                    most => format!("it must be 1 to {most}"),
                };
                return Err(invalid(&format!("data.{key}"), value, &allowed));
            }
        }
        Ok(())
    }

    /// Reads the rows; `folder` is that of data sets which are not inside.
    ///
    /// # Errors
    /// A file is missing, empty or damaged, or has too few rows; the message says which, and where in it.
    pub fn read(&self, folder: Option<&Path>) -> Result<Source> {
        if let (Some(images), Some(labels)) = (&self.images, &self.labels) {
            let pictures = own_pictures(images, labels).map_err(explain)?;
            return self.pictures(pictures, None);
        }
        if let Some(path) = &self.table {
            let table = table::read(path, &self.options()).map_err(explain)?;
            return self.table(table, None);
        }
        if let Some(path) = &self.text {
            return Ok(Source::Text(text::read(path).map_err(explain)?));
        }
        match (self.set, folder) {
            (Some(Set::Mnist), Some(folder)) => {
                let (train, test) = idx::read_mnist(folder).map_err(explain)?;
                self.pictures(train, Some(test))
            }
            (Some(Set::Mnist), None) => self.pictures(mnist(), None),
            (Some(Set::OpencvDigits), _) => self.pictures(opencv_digits(), None),
            (Some(Set::SklearnDigits), _) => self.pictures(sklearn_digits(), None),
            (Some(Set::Cifar10), folder) => {
                let folder = folder.ok_or_else(|| {
                    Error::input("data.set = cifar10 needs a folder of files")
                        .help("--data-dir DIR with data_batch_1.bin … and test_batch.bin")
                })?;
                let (train, test) = cifar::read_cifar10(folder).map_err(explain)?;
                self.pictures(train, Some(test))
            }
            (Some(Set::Letters), _) => self.table(letters(), Some("letter")),
            (Some(Set::Iris), _) => self.table(tables::iris(), Some("species")),
            (Some(Set::Wine), _) => self.table(tables::wine(), Some("cultivar")),
            (Some(Set::BreastCancer), _) => self.table(tables::breast_cancer(), Some("diagnosis")),
            (Some(Set::Diabetes), _) => self.table(tables::diabetes(), Some("progression")),
            (Some(Set::Shakespeare), _) => Ok(Source::Text(text::shakespeare())),
            (Some(Set::KingJames), _) => Ok(Source::Text(text::king_james())),
            (None, _) => self
                .validate()
                .and(Err(Error::input("[data] names no source"))),
        }
    }

    fn options(&self) -> TableOptions {
        let ignored = self
            .ignore
            .iter()
            .map(|name| (name.clone(), ColumnKind::Ignored));
        let target = self.target.iter().zip(self.task).map(|(name, task)| {
            let kind = match task {
                Task::Classify => ColumnKind::Categorical,
                Task::Regress => ColumnKind::Numeric,
            };
            (name.clone(), kind)
        });
        TableOptions {
            delimiter: None,
            missing: self.missing.clone(),
            kinds: ignored.chain(target).collect(),
        }
    }

    /// Pictures with their split; a test set of its own is all of the test rows.
    fn pictures(&self, train: Images, test: Option<Images>) -> Result<Source> {
        let Some(test) = test else {
            let split = Split::stratified(&train.labels, Shares::default()).map_err(explain)?;
            return Ok(Source::Pictures(train, self.limited(split)));
        };
        let shares = Shares {
            validation: 0.1,
            test: 0.0,
        };
        let count = train.count;
        let split = Split::stratified(&train.labels, shares).map_err(explain)?;
        let all = Images {
            pixels: [train.pixels, test.pixels].concat(),
            labels: [train.labels, test.labels].concat(),
            count: count + test.count,
            ..train
        };
        let split = Split {
            test: (count..all.count).collect(),
            ..split
        };
        Ok(Source::Pictures(all, self.limited(split)))
    }

    fn table(&self, mut table: Table, known: Option<&str>) -> Result<Source> {
        let target = self.target.as_deref().or(known).ok_or_else(|| {
            let names = table.columns.iter().map(|column| column.name.as_str());
            let names: Vec<&str> = names.collect();
            Error::input("data.target is missing: which column is to be predicted?")
                .help(format!("columns: {}", names.join(", ")))
        })?;
        let column = table.column(target).map_err(explain)?;
        let split = match column.categories() {
            Some((codes, _)) => Split::stratified(codes, Shares::default()),
            None => Split::fixed(table.rows(), Shares::default()),
        };
        let split = self.limited(split.map_err(explain)?);
        for name in &self.ignore {
            if name == target {
                return Err(Error::input(format!(
                    "data.ignore holds \"{name}\", but that is the target"
                )));
            }
        }
        // An embedded table was read without these options.
        table
            .columns
            .retain(|column| !self.ignore.contains(&column.name));
        Ok(Source::Table(table, target.to_string(), split))
    }

    /// The split with no more rows than the configuration wants: the first of each part, a random sample of it.
    fn limited(&self, mut split: Split) -> Split {
        split.train.truncate(self.rows.unwrap_or(usize::MAX));
        split
            .validation
            .truncate(self.held_out.unwrap_or(usize::MAX));
        split.test.truncate(self.held_out.unwrap_or(usize::MAX));
        split
    }
}

impl Set {
    fn is_table(self) -> bool {
        matches!(
            self,
            Set::Letters | Set::Iris | Set::Wine | Set::BreastCancer | Set::Diabetes
        )
    }

    fn is_text(self) -> bool {
        matches!(self, Set::Shakespeare | Set::KingJames)
    }
}

fn own_pictures(images: &Path, labels: &Path) -> std::result::Result<Images, DataError> {
    let read = |path: &Path| {
        let bytes = std::fs::read(path).map_err(|error| DataError::from(Fault::Io(error)));
        let parsed = bytes.and_then(|bytes| idx::parse(&bytes));
        parsed.map_err(|error| error.in_file(path))
    };
    let (pixels, classes) = (read(images)?, read(labels)?);
    let count = classes.elements.iter().copied().max().unwrap_or(0);
    let joined = idx::images(pixels, classes, usize::from(count) + 1);
    joined.map_err(|error| error.in_file(labels))
}

/// A data error as the lab's, its advice in the words of a configuration.
pub fn explain(error: DataError) -> Error {
    let message = Error::input(error.to_string());
    let advice = match &*error.fault {
        Fault::Cell { column, value, .. } if value.is_empty() => Some(format!(
            "fill the cell, or drop the column: data.ignore = [{column:?}]"
        )),
        Fault::Cell {
            column,
            value,
            expected,
        } if expected.contains("number") => Some(format!(
            "mark missing values: data.missing = [{value:?}], or drop the column: data.ignore = [{column:?}]"
        )),
        Fault::Cell { .. } => None,
        _ => error.help(),
    };
    match advice {
        Some(advice) => message.help(advice),
        None => message,
    }
}
