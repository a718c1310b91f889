//! Texts as tokens and classes.

use super::settings::{DataSet, LanguageSettings};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use offprint_data::{
    DataError, Shares, Split,
    labeled::{self, LabeledTexts},
};
use offprint_lab::{Error, Result};
use offprint_language::words::{PADDING, Words};
use std::path::Path;

use crate::explain::explain_data;

/// Training, validation and test texts.
pub struct Sets {
    pub train: Part,
    pub validation: Part,
    pub test: Part,
    /// Number of tokens.
    pub words: usize,
    /// Number of classes.
    pub classes: usize,
}

/// Some texts.
pub struct Part {
    /// Tokens of each text, filled up.
    texts: Vec<Vec<usize>>,
    pub labels: Vec<usize>,
}

/// A batch as an encoder reads it.
pub struct Batch {
    /// `[batch, length]`, as long as its longest text.
    pub tokens: Tensor<2, Int>,
    /// `[batch, length]`, false for padding.
    pub present: Tensor<2, Bool>,
    /// `[batch]`.
    pub labels: Tensor<1, Int>,
}

/// The texts of a data set.
pub fn read(data: DataSet, folder: Option<&Path>) -> Result<LabeledTexts> {
    type Reader = fn(&Path) -> std::result::Result<LabeledTexts, DataError>;
    let (name, reader): (&str, Reader) = match data {
        DataSet::Bible => return Ok(labeled::bible_parts()),
        DataSet::RtPolarity => ("rt-polarity", labeled::read_rt_polarity),
        DataSet::AgNews => ("ag-news", labeled::read_ag_news),
    };
    let folder = folder.ok_or_else(|| {
        Error::input(format!("data = {name} needs a folder of files")).help(
            "--data-dir DIR with rt-polarity.neg and rt-polarity.pos, or with test.csv of AG News",
        )
    })?;
    reader(folder).map_err(explain_data)
}

impl Sets {
    /// The fixed split of a data set, the vocabulary from its training texts.
    ///
    /// # Errors
    /// What [`read`] says, or too few texts to split.
    pub fn load(settings: &LanguageSettings, folder: Option<&Path>) -> Result<Self> {
        let all = read(settings.data, folder)?;
        let split = Split::stratified(&all.labels, Shares::default()).map_err(explain_data)?;
        let first = |rows: &[usize], most: usize| rows[..most.min(rows.len())].to_vec();
        let train = first(&split.train, settings.texts);
        let words = Words::of(train.iter().map(|&row| &*all.texts[row]), settings.words);
        let part = |rows: &[usize]| Part {
            texts: rows
                .iter()
                .map(|&row| words.encode(&all.texts[row], settings.length))
                .collect(),
            labels: rows.iter().map(|&row| all.labels[row]).collect(),
        };
        Ok(Self {
            train: part(&train),
            validation: part(&first(&split.validation, settings.held_out)),
            test: part(&first(&split.test, 2 * settings.held_out)),
            words: words.size(),
            classes: all.classes.len(),
        })
    }
}

impl Part {
    /// Number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Some texts.
    pub fn select(&self, rows: &[usize], device: &Device) -> Batch {
        let read = |text: &[usize]| text.iter().take_while(|&&token| token != PADDING).count();
        let length = rows.iter().map(|&row| read(&self.texts[row])).max();
        let length = length.unwrap_or(1);
        let texts = rows.iter().flat_map(|&row| &self.texts[row][..length]);
        let tokens: Vec<i64> = texts.map(|&token| token as i64).collect();
        let tokens = TensorData::new(tokens, [rows.len(), length]);
        let tokens = Tensor::<2, Int>::from_data(tokens, device);
        let labels: Vec<i64> = rows.iter().map(|&row| self.labels[row] as i64).collect();
        let labels = TensorData::new(labels, [rows.len()]);
        Batch {
            present: tokens.clone().not_equal_elem(PADDING as i64),
            tokens,
            labels: Tensor::from_data(labels, device),
        }
    }
}
