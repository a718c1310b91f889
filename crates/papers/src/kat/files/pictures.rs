//! Pictures to compare and train on: a set inside the program, or the user's own.

use super::model::Model;
use crate::arguments::{option, path};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use clap::{ArgMatches, Command, value_parser};
use offprint_backbones::train::{DataConfig, Pictures, Set, Source};
use offprint_data::Split;
use offprint_lab::{Error, Result};
use std::path::PathBuf;

/// Sets of pictures.
const SETS: [(&str, Set); 4] = [
    ("mnist", Set::Mnist),
    ("opencv-digits", Set::OpencvDigits),
    ("sklearn-digits", Set::SklearnDigits),
    ("cifar10", Set::Cifar10),
];

/// Pictures, standardized as `offprint train` does it, and which of them serve for what.
pub struct Given {
    pub name: String,
    pub split: Split,
    pictures: Pictures,
}

/// Options that name pictures.
pub fn options(command: Command) -> Command {
    command
        .arg(option(
            "set",
            "NAME",
            "Pictures inside: mnist, opencv-digits, sklearn-digits, cifar10",
        ))
        .arg(path("images", "FILE", "IDX file of your own pictures").long("images"))
        .arg(path("labels", "FILE", "IDX file of their classes").long("labels"))
        .arg(
            option("data-dir", "DIR", "Folder of cifar10, or of all of mnist")
                .value_parser(value_parser!(PathBuf)),
        )
}

impl Given {
    /// The pictures that are named, or those that the model was trained on; `None` if there are none.
    ///
    /// # Errors
    /// They cannot be read, or do not fit the model.
    pub fn of(matches: &ArgMatches, model: &Model) -> Result<Option<Self>> {
        let file = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let (images, labels) = (file("images"), file("labels"));
        let set = match matches.get_one::<String>("set") {
            None => None,
            Some(name) => Some(set(name)?),
        };
        let config = if set.is_some() || images.is_some() || labels.is_some() {
            DataConfig {
                set,
                images,
                labels,
                ..DataConfig::default()
            }
        } else if let Some(data) = model.data.clone() {
            data
        } else {
            return Ok(None);
        };
        let given = (
            config.set.is_some(),
            config.images.is_some(),
            config.labels.is_some(),
        );
        if given != (true, false, false) && given != (false, true, true) {
            return Err(Error::input(
                "either --set, or --images and --labels together, must name the pictures",
            ));
        }
        config.validate()?;
        let folder = matches.get_one::<PathBuf>("data-dir");
        let Source::Pictures(images, split) = config.read(folder.map(PathBuf::as_path))? else {
            return Err(Error::input(format!("{} holds no pictures", config.name())));
        };
        let (vit, name) = (&model.config, config.name());
        let [height, width] = vit.size;
        let needed = [vit.channels, height, width];
        let pictures = Pictures::new(images, &split.train, config.augment);
        if pictures.size() != needed {
            return Err(Error::input(format!(
                "{name} has pictures of shape {:?}, but the model takes {needed:?}",
                pictures.size()
            )));
        }
        let classes = pictures.images.classes;
        if classes > vit.classes {
            return Err(Error::input(format!(
                "{name} has {classes} classes, but the model tells {} apart",
                vit.classes
            )));
        }
        Ok(Some(Self {
            name,
            split,
            pictures,
        }))
    }

    /// Pictures and their classes; changed at random where `draw` is given and the set asks for it.
    pub fn batch(
        &self,
        rows: &[usize],
        draw: Option<u64>,
        device: &Device,
    ) -> (Tensor<4>, Tensor<1, Int>) {
        let labels = &self.pictures.images.labels;
        let classes: Vec<i64> = rows.iter().map(|&row| i64::from(labels[row])).collect();
        let classes = TensorData::new(classes, [rows.len()]);
        (
            self.pictures.tensor(rows, draw, device),
            Tensor::from_data(classes, device),
        )
    }
}

/// Standard normal numbers as pictures for a model, where there are no others.
pub fn noise(model: &Model, count: usize, device: &Device) -> Tensor<4> {
    let [height, width] = model.config.size;
    let shape = [count, model.config.channels, height, width];
    device.seed(0);
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn set(name: &str) -> Result<Set> {
    let known = SETS.iter().find(|(known, _)| *known == name);
    known.map(|(_, set)| *set).ok_or_else(|| {
        let names = SETS.map(|(name, _)| name);
        let list = format!("sets of pictures: {}", names.join(", "));
        Error::unknown("set", name, names, &list)
    })
}
