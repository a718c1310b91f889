//! The data of the study as rows and targets.

use super::{
    model::{ExpertBody, Rows},
    settings::{CometSettings, DataSet, ExpertKind, RecipeKind},
    task::Target,
};
use crate::explain::explain_data;
use burn::tensor::{Device, Tensor, TensorData};
use offprint_data::{
    idx, movielens,
    multi_mnist::{self, Recipe, TwoDigits},
    recommend::{self, Pairs, Recommendation, UNRATED},
};
use offprint_lab::{Error, Result};
use std::path::Path;

/// Seed of the pairs of digits and of the pairs without a rating: the data is the same for every arm and seed.
const DATA_SEED: u64 = 2306;

/// Training, validation and test data, and what a model for it looks like.
pub struct Sets {
    pub train: Part,
    pub validation: Part,
    pub test: Part,
    /// Number of ids that rows have.
    pub ids: usize,
    pub embedding: Option<[usize; 3]>,
    pub input: usize,
    pub body: ExpertBody,
    pub heads: Vec<Vec<usize>>,
}

/// Rows with the targets of every task.
pub struct Part {
    source: Source,
    pub targets: Vec<Target>,
    /// Id of the first row.
    first: usize,
}

enum Source {
    Pictures(TwoDigits),
    Pairs(Pairs),
}

impl Sets {
    /// Makes or reads the data.
    ///
    /// # Errors
    /// MovieLens without a folder, or a folder without the files of the data set.
    pub fn load(settings: &CometSettings, folder: Option<&Path>) -> Result<Self> {
        match settings.data {
            DataSet::MultiMnist => Self::pictures(settings, folder),
            DataSet::Movielens => Self::movielens(settings, folder),
        }
    }

    /// Two digits a picture, of the sample inside or of the MNIST (or a relative of it) in a folder.
    fn pictures(settings: &CometSettings, folder: Option<&Path>) -> Result<Self> {
        let digits = match folder {
            Some(folder) => idx::read_mnist(folder).map_err(explain_data)?.0,
            None => offprint_data::mnist(),
        };
        let recipe = match settings.recipe {
            RecipeKind::Published => Recipe::default(),
            RecipeKind::Released => Recipe::COMET_RELEASED,
        };
        let counts = [settings.pictures, settings.held_out, 2 * settings.held_out];
        let splits =
            multi_mnist::splits(digits, counts, recipe, DATA_SEED).map_err(explain_data)?;
        let (size, classes) = (splits.train.size(), splits.train.classes());
        let mut first = 0;
        let mut part = |pictures: TwoDigits| {
            let all: Vec<usize> = (0..pictures.len()).collect();
            let classes = pictures
                .labels(&all)
                .map(|labels| Target::Classes(labels.into_iter().map(usize::from).collect()));
            let part = Part {
                targets: classes.to_vec(),
                source: Source::Pictures(pictures),
                first,
            };
            first += all.len();
            part
        };
        let (train, validation, test) = (
            part(splits.train),
            part(splits.validation),
            part(splits.test),
        );
        Ok(Self {
            train,
            validation,
            test,
            ids: first,
            embedding: None,
            input: size[0] * size[1],
            body: match settings.expert {
                ExpertKind::Mlp => ExpertBody::Mlp(vec![50, 50]),
                ExpertKind::Cnn => ExpertBody::Cnn(size),
            },
            heads: vec![vec![50, 50, classes]; 2],
        })
    }

    fn movielens(settings: &CometSettings, folder: Option<&Path>) -> Result<Self> {
        let folder = folder.ok_or_else(|| {
            Error::input("data = movielens needs a folder of files").help(
                "--data-dir DIR with ratings.csv, ratings.dat, u.data or ml-100k.inter, \
                or with the files of COMET's authors",
            )
        })?;
        let data = read(folder)?;
        let part = |pairs: Pairs| {
            let stars = pairs
                .stars
                .iter()
                .map(|&stars| (stars != UNRATED).then_some(stars));
            Part {
                targets: vec![
                    Target::Binary(pairs.watched.clone()),
                    Target::Values(stars.collect()),
                ],
                source: Source::Pairs(pairs),
                first: 0,
            }
        };
        let width = settings.embedding;
        Ok(Self {
            train: part(data.train),
            validation: part(data.validation),
            test: part(data.test),
            ids: data.users,
            embedding: Some([data.users, data.items, width]),
            input: 2 * width,
            body: ExpertBody::Mlp(vec![256]),
            heads: vec![vec![256, 1]; 2],
        })
    }
}

/// MovieLens in any of its formats, or the authors' own files.
fn read(folder: &Path) -> Result<Recommendation> {
    let ratings = match movielens::read(folder) {
        Ok(ratings) => ratings,
        Err(error) => {
            // Where neither is there, what was looked for first is what most people have.
            return recommend::read_comet(folder).map_err(|_| explain_data(error));
        }
    };
    recommend::two_tasks(&ratings, DATA_SEED).map_err(explain_data)
}

impl Part {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Pictures(pictures) => pictures.len(),
            Source::Pairs(pairs) => pairs.len(),
        }
    }

    /// Some rows with their targets.
    pub fn select(&self, rows: &[usize], device: &Device) -> (Rows, Vec<Target>) {
        let input = match &self.source {
            Source::Pictures(pictures) => {
                let [height, width] = pictures.size();
                let pixels = TensorData::new(pictures.scaled(rows), [rows.len(), height * width]);
                let ids = rows.iter().map(|row| self.first + row).collect();
                Rows::features(Tensor::from_data(pixels, device), ids)
            }
            Source::Pairs(pairs) => {
                let ids = |all: &[u32]| rows.iter().map(|&row| all[row] as usize).collect();
                Rows::pairs(ids(&pairs.user), ids(&pairs.item))
            }
        };
        let targets = self
            .targets
            .iter()
            .map(|target| target.select(rows))
            .collect();
        (input, targets)
    }

    /// The first pictures side by side as grey pixels, with height and width; `None` for other data.
    pub fn strip(&self, count: usize) -> Option<(Vec<u8>, usize, usize)> {
        let Source::Pictures(pictures) = &self.source else {
            return None;
        };
        let rows: Vec<usize> = (0..count.min(pictures.len())).collect();
        let [height, width] = pictures.size();
        let pixels = pictures.scaled(&rows);
        let mut strip = Vec::with_capacity(pixels.len());
        for y in 0..height {
            for picture in pixels.chunks_exact(height * width) {
                let line = &picture[y * width..(y + 1) * width];
                strip.extend(line.iter().map(|v| (v * 255.0).clamp(0.0, 255.0) as u8));
            }
        }
        Some((strip, height, width * rows.len()))
    }
}
