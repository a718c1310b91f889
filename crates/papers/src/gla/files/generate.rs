//! `offprint use gla generate` and `state load`: text that goes on, written byte by byte.

use super::saved::{self, Saved};
use super::state::{self, Remembered};
use super::{number_of, refuse, required, whole_of};
use crate::explain::explain;
use burn::tensor::{Device, Int, Tensor, TensorData};
use clap::ArgMatches;
use offprint_backbones::{GenerateConfig, GptState, Sampling};
use offprint_lab::{Error, Result};
use std::{
    io::{ErrorKind, Read, Write as _},
    path::PathBuf,
};

/// Bytes that are read at a time.
const PIECE: usize = 4096;

/// Most bytes to write.
const MOST: u64 = 100_000_000;

/// A model that reads a text of any length in constant memory.
pub struct Reader<'a> {
    saved: &'a Saved,
    state: GptState,
    /// The last byte, not read yet: the model answers it first.
    last: Option<u8>,
}

impl<'a> Reader<'a> {
    /// A reader that has seen nothing, or what is in a file.
    ///
    /// # Errors
    /// As [`state::load`].
    pub fn new(saved: &'a Saved, from: Option<&PathBuf>) -> Result<Self> {
        let (state, last) = match from {
            Some(path) => {
                let Remembered { state, last } = state::load(path, saved)?;
                (state, Some(last))
            }
            None => (saved.gpt.state(), None),
        };
        Ok(Self { saved, state, last })
    }

    /// Reads what follows.
    ///
    /// # Errors
    /// The model refuses it.
    pub fn read(&mut self, text: &[u8]) -> Result<()> {
        let Some((new, before)) = text.split_last() else {
            return Ok(());
        };
        let tokens: Vec<i64> = self
            .last
            .iter()
            .chain(before)
            .map(|b| i64::from(*b))
            .collect();
        self.last = Some(*new);
        if tokens.is_empty() {
            return Ok(());
        }
        let shape = [1, tokens.len()];
        let tokens = TensorData::new(tokens, shape);
        let tokens = Tensor::<2, Int>::from_data(tokens, &Device::default());
        let read = self.saved.gpt.next(tokens, &mut self.state);
        read.map(drop)
            .map_err(|error| Error::run(error.to_string()))
    }

    /// Reads a stream to its end, piece by piece.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_all(&mut self, stream: &mut impl Read, name: &str) -> Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(count) => self.read(&piece[..count])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::input(format!("cannot read {name}: {error}"))),
            }
        }
    }

    /// What was read.
    ///
    /// # Errors
    /// Nothing was.
    pub fn remembered(self) -> Result<Remembered> {
        match self.last {
            Some(last) => Ok(Remembered {
                state: self.state,
                last,
            }),
            None => Err(Error::input(
                "the text is empty, expected at least one byte",
            )),
        }
    }
}

/// `generate`.
///
/// # Errors
/// An option is out of its range, there is nothing to continue, or the model or a state cannot be read.
pub fn run(matches: &ArgMatches) -> Result<()> {
    let config = config(matches)?;
    let saved = saved::load(required(matches, "model"))?;
    let mut reader = Reader::new(&saved, matches.get_one("from"))?;
    if let Some(prompt) = matches.get_one::<String>("prompt") {
        reader.read(prompt.as_bytes())?;
    }
    if matches.get_flag("stream") {
        reader.read_all(&mut std::io::stdin().lock(), "standard input")?;
    }
    if reader.last.is_none() {
        return Err(Error::input("there is no text to continue")
            .help("give it with --prompt TEXT, or on standard input with --stream"));
    }
    write(&saved, reader.remembered()?, &config)
}

/// `state load`.
///
/// # Errors
/// As [`run`].
pub fn from_state(matches: &ArgMatches) -> Result<()> {
    let config = config(matches)?;
    let saved = saved::load(required(matches, "model"))?;
    let mut reader = Reader::new(&saved, matches.get_one("state"))?;
    if let Some(prompt) = matches.get_one::<String>("prompt") {
        reader.read(prompt.as_bytes())?;
    }
    write(&saved, reader.remembered()?, &config)
}

fn config(matches: &ArgMatches) -> Result<GenerateConfig> {
    let (tokens, temperature) = (
        whole_of(matches, "tokens"),
        number_of(matches, "temperature"),
    );
    if tokens > MOST {
        return Err(refuse("tokens", tokens, &format!("0 to {MOST}")));
    }
    if !(temperature >= 0.0 && temperature.is_finite()) {
        return Err(refuse(
            "temperature",
            temperature,
            "a finite number of at least 0",
        ));
    }
    let top_k = matches.get_one::<u64>("top-k").map(|k| *k as usize);
    if top_k == Some(0) {
        return Err(refuse("top-k", 0, "at least 1"));
    }
    let top_p = matches.get_one::<f64>("top-p").copied();
    if let Some(p) = top_p
        && !(p > 0.0 && p <= 1.0)
    {
        return Err(refuse("top-p", p, "above 0 and at most 1"));
    }
    Ok(GenerateConfig {
        sampling: Sampling {
            temperature,
            top_k,
            top_p,
        },
        seed: whole_of(matches, "seed"),
        ..GenerateConfig::new(tokens as usize)
    })
}

/// Writes each byte as soon as there is one. A reader that has gone away is no error.
fn write(saved: &Saved, remembered: Remembered, config: &GenerateConfig) -> Result<()> {
    let Remembered { state, last } = remembered;
    let prompt = [usize::from(last)];
    let bytes = saved
        .gpt
        .generate_from(state, prompt, config)
        .map_err(explain)?;
    let mut out = std::io::stdout().lock();
    for byte in bytes {
        let byte = byte.map_err(|error| Error::run(error.to_string()))? as u8;
        match out.write_all(&[byte]).and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => {
                let message = format!("cannot write to standard output: {error}");
                return Err(Error::run(message));
            }
        }
    }
    Ok(())
}
