//! Fine-tuning a language model on questions with short answers: supervised, and by sampling.

use crate::error::{LanguageError, Result};
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_backbones::{Gpt, Sampling};
use offprint_kernels::{CrossEntropy, cross_entropy, log_softmax};
use offprint_layers::Context;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// Characters as tokens; 0 fills up before a prompt and ends an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Characters(Vec<char>);

impl Characters {
    /// The characters of some texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let all: BTreeSet<char> = texts.into_iter().flat_map(str::chars).collect();
        Self(all.into_iter().collect())
    }

    /// Number of tokens.
    pub fn size(&self) -> usize {
        self.0.len() + 1
    }

    /// Tokens of a text.
    ///
    /// # Errors
    /// A character is not in the vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<usize>> {
        let token = |c: char| {
            let place = self.0.binary_search(&c);
            place
                .map(|place| place + 1)
                .map_err(|_| LanguageError::Character(c))
        };
        text.chars().map(token).collect()
    }

    /// The text of tokens up to the end.
    pub fn decode(&self, tokens: &[usize]) -> String {
        let known = tokens.iter().take_while(|&&token| token != 0);
        known.filter_map(|&token| self.0.get(token - 1)).collect()
    }
}

/// Lengths that prompts and answers are brought to, so that a batch is one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Tokens of a prompt; shorter ones are filled up before.
    pub prompt: usize,
    /// Tokens of an answer with its end.
    pub answer: usize,
}

impl Room {
    /// Tokens of a prompt, filled up before.
    ///
    /// # Errors
    /// It is too long, or a character is unknown.
    pub fn prompt(&self, characters: &Characters, text: &str) -> Result<Vec<usize>> {
        let tokens = characters.encode(text)?;
        self.long("a prompt", tokens.len(), self.prompt)?;
        let mut filled = vec![0; self.prompt - tokens.len()];
        filled.extend(tokens);
        Ok(filled)
    }

    /// Tokens of an answer, its end and what fills it up.
    ///
    /// # Errors
    /// It is too long, or a character is unknown.
    pub fn answer(&self, characters: &Characters, text: &str) -> Result<Vec<usize>> {
        let mut tokens = characters.encode(text)?;
        self.long("an answer", tokens.len(), self.answer.saturating_sub(1))?;
        tokens.resize(self.answer, 0);
        Ok(tokens)
    }

    fn long(&self, what: &'static str, length: usize, room: usize) -> Result<()> {
        if length <= room {
            Ok(())
        } else {
            Err(LanguageError::Long { what, length, room })
        }
    }
}

/// A prompt with an answer to it, as tokens of [`Room`]'s lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub prompt: Vec<usize>,
    pub answer: Vec<usize>,
}

/// Answer tokens that count: all up to and with the end.
fn counted(answer: &[usize]) -> usize {
    answer
        .iter()
        .position(|&token| token == 0)
        .map_or(answer.len(), |end| end + 1)
}

/// 1 for each answer token that counts.
///
/// # Shapes
/// * result: `[pairs, answer]`
///
/// # Errors
/// There is no pair.
pub fn answer_mask(pairs: &[Pair], device: &Device) -> Result<Tensor<2>> {
    let first = pairs.first().ok_or(LanguageError::Empty("pairs"))?;
    let shape = [pairs.len(), first.answer.len()];
    let rows = pairs.iter().flat_map(|pair| {
        let count = counted(&pair.answer);
        (0..pair.answer.len()).map(move |place| f32::from(place < count))
    });
    Ok(Tensor::from_data(
        TensorData::new(rows.collect::<Vec<f32>>(), shape),
        device,
    ))
}

/// Logits of the answer tokens `[pairs · answer, vocabulary]`, and the tokens.
fn answer_logits(gpt: &Gpt, pairs: &[Pair], context: Context) -> Result<(Tensor<2>, Vec<i64>)> {
    let first = pairs.first().ok_or(LanguageError::Empty("pairs"))?;
    let (prompt, answer) = (first.prompt.len(), first.answer.len());
    let device = gpt.embedding.tokens.weight.val().device();
    // What follows the last token is not asked.
    let tokens: Vec<i64> = pairs
        .iter()
        .flat_map(|pair| pair.prompt.iter().chain(&pair.answer[..answer - 1]))
        .map(|&token| token as i64)
        .collect();
    let shape = [pairs.len(), prompt + answer - 1];
    let output = gpt.forward(
        Tensor::from_data(TensorData::new(tokens, shape), &device),
        context,
    )?;
    let [_, _, vocabulary] = output.output.dims();
    let logits = output.output.narrow(1, prompt - 1, answer);
    let targets = pairs
        .iter()
        .flat_map(|pair| &pair.answer)
        .map(|&token| token as i64)
        .collect();
    Ok((logits.reshape([pairs.len() * answer, vocabulary]), targets))
}

/// Supervised fine-tuning: mean cross-entropy of the answers' tokens and ends; prompts are not learned.
///
/// # Shapes
/// * result: `[1]`
///
/// # Errors
/// There is no pair, or the model refuses a token or the length.
pub fn answer_loss(gpt: &Gpt, pairs: &[Pair], context: Context) -> Result<Tensor<1>> {
    let (logits, mut targets) = answer_logits(gpt, pairs, context)?;
    let answer = pairs[0].answer.len();
    for (row, pair) in pairs.iter().enumerate() {
        for place in counted(&pair.answer)..answer {
            targets[row * answer + place] = -1;
        }
    }
    let device = logits.device();
    let count = targets.len();
    let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [count]), &device);
    let options = CrossEntropy {
        ignored: Some(-1),
        ..CrossEntropy::default()
    };
    Ok(cross_entropy(logits, targets, options))
}

/// ln π of each answer token.
///
/// # Shapes
/// * result: `[pairs, answer]`
///
/// # Errors
/// There is no pair, or the model refuses a token or the length.
pub fn log_probs(gpt: &Gpt, pairs: &[Pair], context: Context) -> Result<Tensor<2>> {
    let (logits, targets) = answer_logits(gpt, pairs, context)?;
    let (device, count) = (logits.device(), targets.len());
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [count, 1]), &device);
    let chosen = log_softmax(logits).gather(1, targets);
    Ok(chosen.reshape([pairs.len(), count / pairs.len()]))
}

/// Answers of a model to prompts of one length, all at once, a token at a time.
///
/// # Errors
/// There is no prompt, a setting is out of range, or the model refuses a token or the length.
pub fn sample(
    gpt: &Gpt,
    prompts: &[Vec<usize>],
    length: usize,
    sampling: Sampling,
    seed: u64,
) -> Result<Vec<Vec<usize>>> {
    sampling.validate()?;
    let first = prompts.first().ok_or(LanguageError::Empty("prompts"))?;
    let device = gpt.embedding.tokens.weight.val().device();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut state = gpt.state();
    let mut answers: Vec<Vec<usize>> = vec![Vec::new(); prompts.len()];
    let mut next: Vec<i64> = prompts
        .iter()
        .flatten()
        .map(|&token| token as i64)
        .collect();
    let mut shape = [prompts.len(), first.len()];
    for _ in 0..length {
        let tokens = Tensor::from_data(TensorData::new(std::mem::take(&mut next), shape), &device);
        let logits = gpt.next(tokens, &mut state)?;
        let [_, vocabulary] = logits.dims();
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
        for (answer, row) in answers.iter_mut().zip(logits.chunks_exact(vocabulary)) {
            let ended = answer.last() == Some(&0);
            let token = if ended {
                0
            } else {
                sampling.choose(row, &mut rng)
            };
            answer.push(token);
            next.push(token as i64);
        }
        shape = [prompts.len(), 1];
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;
    use burn::optim::{AdamWConfig, GradientsParams};
    use offprint_backbones::GptConfig;

    fn pairs(characters: &Characters, room: &Room) -> Vec<Pair> {
        [("1+1", "2"), ("2+3", "5"), ("7+5", "12")]
            .map(|(prompt, answer)| Pair {
                prompt: room.prompt(characters, prompt).unwrap(),
                answer: room.answer(characters, answer).unwrap(),
            })
            .to_vec()
    }

    #[test]
    fn a_model_learns_answers_and_gives_them() {
        let characters = Characters::of(["0123456789+"]);
        let room = Room {
            prompt: 4,
            answer: 3,
        };
        let pairs = pairs(&characters, &room);
        let device = Device::flex().autodiff();
        device.seed(1);
        let mut gpt = GptConfig::gpt2(characters.size(), 8, 1, 16, 2)
            .init(&device)
            .unwrap();
        let mut optimizer = AdamWConfig::new().init();
        for _ in 0..150 {
            let loss = answer_loss(&gpt, &pairs, Context::EVALUATION).unwrap();
            let gradients = GradientsParams::from_grads(loss.backward(), &gpt);
            gpt = optimizer.step(0.02, gpt, gradients);
        }
        let gpt = gpt.valid();
        let prompts: Vec<Vec<usize>> = pairs.iter().map(|pair| pair.prompt.clone()).collect();
        let answers = sample(&gpt, &prompts, 3, Sampling::GREEDY, 0).unwrap();
        let texts: Vec<String> = answers
            .iter()
            .map(|answer| characters.decode(answer))
            .collect();
        assert_eq!(texts, ["2", "5", "12"]);
        // The loss is the mean of ln π over the tokens that count.
        let mask = answer_mask(&pairs, &Device::flex()).unwrap();
        let all = log_probs(&gpt, &pairs, Context::EVALUATION).unwrap();
        let mean = -(all * mask.clone()).sum() / mask.sum();
        let loss = answer_loss(&gpt, &pairs, Context::EVALUATION).unwrap();
        let difference = (mean - loss).abs().into_scalar::<f32>();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn texts_that_do_not_fit_are_named() {
        let characters = Characters::of(["ab"]);
        let room = Room {
            prompt: 2,
            answer: 2,
        };
        let wrong = |result: Result<Vec<usize>>| result.unwrap_err().to_string();
        assert_eq!(
            wrong(room.prompt(&characters, "abc")),
            "the character 'c' is not in the vocabulary"
        );
        assert_eq!(
            wrong(room.prompt(&characters, "aba")),
            "a prompt of 3 characters, but there is room for 2"
        );
        assert_eq!(
            wrong(room.answer(&characters, "ab")),
            "an answer of 2 characters, but there is room for 1"
        );
        assert_eq!(characters.decode(&[2, 1, 0, 1]), "ba");
    }
}
