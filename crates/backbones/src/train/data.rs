//! Rows as tensors: what a backbone is given of a source, and what it must answer.

use super::{
    graphs,
    pictures::Pictures,
    source::{DataConfig, Source, explain},
    texts::{reach, texts},
    typed::invalid,
};
use crate::{
    backbone::Input,
    config::{Kind, Problem, Rows},
    graph::Graph,
};
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_data::{
    Split,
    table::{self, Standardizer, Table, TargetCoder, Unseen},
};
use offprint_lab::{Error, Result};
use std::{path::Path, sync::Arc};

/// Number of bytes: the vocabulary of a text.
pub(super) const BYTES: usize = 256;

/// Tokens of a row of text where the configuration says nothing.
const LENGTH: usize = 64;

/// Rows of text held out for validation and test each, where the configuration says nothing.
const TEXTS: usize = 256;

/// Data as a kind of backbone sees it.
pub struct Data {
    inputs: Inputs,
    answers: Answers,
    /// Which rows are for what. Rows of a text are the places where they begin; those for training move with the epoch.
    pub split: Split,
    /// Sizes of the rows, and of the answer.
    pub problem: Problem,
}

enum Inputs {
    Pictures(Pictures),
    Features {
        values: Vec<f32>,
        width: usize,
    },
    /// One graph; a row is a node.
    Nodes {
        values: Vec<f32>,
        width: usize,
        graph: Arc<Graph>,
    },
    /// A graph a picture: the grid of its pixels.
    Grids(Pictures, Graph),
    Text {
        tokens: Vec<u8>,
        length: usize,
        kind: Kind,
    },
}

enum Answers {
    Classes(Vec<u32>),
    /// Standardized numbers, and the deviation that they were divided by.
    Values(Vec<f32>, f64),
    /// For each pixel, one plus the class of the picture where it is lit, else 0.
    Pixels,
    /// Tokens of the text itself.
    Tokens,
}

/// What a backbone must answer.
#[derive(Clone, Debug)]
pub enum Target {
    /// A class for each row of the logits; [`IGNORED`](super::texts::IGNORED) for rows that count nothing.
    Classes(Tensor<1, Int>),
    /// A number for each row.
    Values(Tensor<2>),
}

/// What a batch is for.
#[derive(Clone, Copy, Debug)]
pub enum Phase {
    /// `draw` decides random changes of this batch, `epoch` where rows of a text begin.
    Training { draw: u64, epoch: u64 },
    /// Nothing is left to chance.
    Evaluation,
}

impl Data {
    /// Reads a source as a kind of backbone wants it.
    ///
    /// # Errors
    /// See [`DataConfig::read`]; the kind takes other rows.
    pub fn load(kind: Kind, config: &DataConfig, folder: Option<&Path>) -> Result<Self> {
        let source = config.read(folder)?;
        let of = |what: &str, needs: &str| {
            Error::input(format!(
                "backbone.kind = {} takes {needs}, but {} is {what}",
                kind.name(),
                config.name()
            ))
        };
        match (source, kind) {
            (Source::Pictures(images, split), kind) if kind.takes_pictures() => {
                let pictures = Pictures::new(images, &split.train, config.augment);
                Ok(Self::pictures(pictures, split, kind))
            }
            (Source::Pictures(..), kind) => Err(of("pictures", kind.takes())),
            (Source::Table(table, target, split), Kind::Mlp) => {
                if config.neighbors.is_some() || config.edges.is_some() {
                    return Err(Error::input(
                        "data.neighbors and data.edges make a graph, but backbone.kind = mlp takes single rows",
                    ));
                }
                Self::table(&table, &target, split)
            }
            (Source::Table(table, target, split), Kind::Gnn) => {
                let data = Self::table(&table, &target, split)?;
                data.joined(config)
            }
            (Source::Table(..), kind) => Err(of("a table", kind.takes())),
            (Source::Text(text), kind) if kind.takes_text() => Self::text(text, kind, config),
            (Source::Text(_), kind) => Err(of("text", kind.takes())),
        }
    }

    fn pictures(pictures: Pictures, split: Split, kind: Kind) -> Self {
        let [channels, height, width] = pictures.size();
        let classes = pictures.images.classes;
        let labels = pictures.images.labels.iter().copied().map(u32::from);
        let (answers, outputs) = match kind {
            Kind::Unet => (Answers::Pixels, classes + 1),
            _ => (Answers::Classes(labels.collect()), classes),
        };
        let (inputs, rows) = match kind {
            Kind::Gnn => {
                let grid = Graph::grid(height, width);
                // A node knows its pixel and its place.
                let rows = Rows::Graphs {
                    width: channels + 2,
                };
                (Inputs::Grids(pictures, grid), rows)
            }
            _ => {
                let rows = Rows::Images {
                    channels,
                    height,
                    width,
                };
                (Inputs::Pictures(pictures), rows)
            }
        };
        Self {
            inputs,
            answers,
            split,
            problem: Problem { rows, outputs },
        }
    }

    fn table(table: &Table, target: &str, split: Split) -> Result<Self> {
        let names = table.columns.iter().map(|column| column.name.as_str());
        let names: Vec<&str> = names.filter(|name| *name != target).collect();
        let fitted = Standardizer::fit(table, &split.train, &names, Unseen::Other);
        let features = fitted
            .and_then(|fitted| fitted.transform(table))
            .map_err(explain)?;
        let coder = TargetCoder::fit(table, &split.train, target).map_err(explain)?;
        let outputs = match &coder {
            TargetCoder::Regression { .. } => 1,
            TargetCoder::Classification { classes, .. } => classes.len(),
        };
        let deviation = match &coder {
            TargetCoder::Regression { deviation, .. } => *deviation,
            TargetCoder::Classification { .. } => 1.0,
        };
        let answers = match coder.encode(table).map_err(explain)? {
            table::Target::Values(values) => Answers::Values(values, deviation),
            table::Target::Classes(classes) => Answers::Classes(classes),
        };
        let width = features.width;
        Ok(Self {
            inputs: Inputs::Features {
                values: features.values,
                width,
            },
            answers,
            split,
            problem: Problem {
                rows: Rows::Features { width },
                outputs,
            },
        })
    }

    /// The rows of a table as the nodes of a graph.
    fn joined(self, config: &DataConfig) -> Result<Self> {
        let Inputs::Features { values, width } = self.inputs else {
            return Ok(self);
        };
        let graph = match (config.neighbors, &config.edges) {
            (Some(neighbors), _) => graphs::nearest(&values, width, neighbors)?,
            (None, Some(path)) => graphs::read(path, values.len() / width)?,
            (None, None) => {
                return Err(Error::input(
                    "backbone.kind = gnn needs a graph, but [data] has neither neighbors nor edges",
                )
                .help("join each row with its nearest ones: data.neighbors = 8"));
            }
        };
        Ok(Self {
            inputs: Inputs::Nodes {
                values,
                width,
                graph: Arc::new(graph),
            },
            problem: Problem {
                rows: Rows::Nodes { width },
                ..self.problem
            },
            ..self
        })
    }

    /// The first eight tenths are for training, a tenth each for validation and test.
    pub(super) fn text(text: String, kind: Kind, config: &DataConfig) -> Result<Self> {
        let tokens = text.into_bytes();
        let length = config.length.unwrap_or(LENGTH);
        let reach = reach(kind, length);
        let (train, validation) = (tokens.len() / 10 * 8, tokens.len() / 10 * 9);
        // The last token of a row is the answer to the one before it; rows for training move by less than a row.
        let rows = |from: usize, to: usize, moved: usize, most: usize| -> Vec<usize> {
            let last = (to - from).saturating_sub(moved + 1) / reach;
            (0..last.min(most)).map(|row| from + row * reach).collect()
        };
        let most = config.rows.unwrap_or(usize::MAX);
        let held_out = config.held_out.unwrap_or(TEXTS);
        let split = Split {
            train: rows(0, train, reach - 1, most),
            validation: rows(train, validation, 0, held_out),
            test: rows(validation, tokens.len(), 0, held_out),
        };
        if split.train.is_empty() || split.validation.is_empty() || split.test.is_empty() {
            return Err(invalid(
                "data.length",
                length,
                &format!(
                    "{} has {} bytes, of which a tenth must hold at least one row of {reach} and one more",
                    config.name(),
                    tokens.len()
                ),
            ));
        }
        let vocabulary = match kind {
            Kind::Gpt => BYTES,
            _ => BYTES + 1,
        };
        Ok(Self {
            inputs: Inputs::Text {
                tokens,
                length,
                kind,
            },
            answers: Answers::Tokens,
            split,
            problem: Problem {
                rows: Rows::Tokens { vocabulary, length },
                outputs: vocabulary,
            },
        })
    }

    /// Deviation that the answers were divided by; `None` for classes.
    pub fn deviation(&self) -> Option<f64> {
        match &self.answers {
            Answers::Values(_, deviation) => Some(*deviation),
            _ => None,
        }
    }

    /// Input and answers of some rows.
    pub fn batch(&self, rows: &[usize], phase: Phase, device: &Device) -> (Input, Target) {
        let draw = match phase {
            Phase::Training { draw, .. } => Some(draw),
            Phase::Evaluation => None,
        };
        let input = match &self.inputs {
            Inputs::Pictures(pictures) => Input::Images(pictures.tensor(rows, draw, device)),
            Inputs::Features { values, width } => {
                let rows_of = rows.iter().flat_map(|row| &values[row * width..][..*width]);
                let values: Vec<f32> = rows_of.copied().collect();
                Input::Features(matrix(values, [rows.len(), *width], device))
            }
            Inputs::Nodes {
                values,
                width,
                graph,
            } => {
                let nodes = matrix(values.clone(), [values.len() / width, *width], device);
                let asked = rows.iter().map(|&row| row as i64).collect();
                Input::Nodes(nodes, graph.clone(), vector(asked, device))
            }
            Inputs::Grids(pictures, grid) => {
                let nodes = graphs::nodes(pictures.tensor(rows, draw, device));
                Input::Graphs(nodes, Arc::new(grid.repeated(rows.len())))
            }
            Inputs::Text {
                tokens,
                length,
                kind,
            } => return texts(tokens, *length, *kind, rows, phase, device),
        };
        (input, self.answer(rows, device))
    }

    fn answer(&self, rows: &[usize], device: &Device) -> Target {
        match &self.answers {
            Answers::Classes(classes) => {
                let classes = rows.iter().map(|&row| i64::from(classes[row])).collect();
                Target::Classes(vector(classes, device))
            }
            Answers::Values(values, _) => {
                let values = rows.iter().map(|&row| values[row]).collect();
                Target::Values(matrix(values, [rows.len(), 1], device))
            }
            Answers::Pixels => {
                let Inputs::Pictures(pictures) = &self.inputs else {
                    unreachable!("pixels are of pictures");
                };
                Target::Classes(vector(pictures.lit(rows), device))
            }
            Answers::Tokens => unreachable!("texts answer with their batch"),
        }
    }
}

fn matrix(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(super) fn vector(values: Vec<i64>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
