//! Rows of a text, and what is asked of them.

use super::data::{BYTES, Phase, Target, vector};
use crate::backbone::Input;
use crate::config::Kind;
use burn::tensor::{Device, Int, Tensor, TensorData};
use offprint_lab::draw::{below, happens, mix};

/// Token that stands for a hidden one, or for the beginning of an answer.
const MARK: i64 = BYTES as i64;

/// Class of positions that count nothing.
pub const IGNORED: i64 = -100;

/// Share of the tokens that a masked language model has to guess.
const MASKED: f64 = 0.15;

/// Tokens from the beginning of a row to that of the next one.
pub fn reach(kind: Kind, length: usize) -> usize {
    match kind {
        Kind::EncoderDecoder => 2 * length,
        _ => length,
    }
}

/// Rows of a text: the next token of each (gpt), the hidden ones (encoder), or the row that follows (encoder-decoder).
pub fn texts(
    tokens: &[u8],
    length: usize,
    kind: Kind,
    rows: &[usize],
    phase: Phase,
    device: &Device,
) -> (Input, Target) {
    let moved = match phase {
        Phase::Training { epoch, .. } => below(mix(epoch, 0), reach(kind, length)),
        Phase::Evaluation => 0,
    };
    let cut = |first: usize| {
        let places = rows
            .iter()
            .flat_map(|row| &tokens[row + moved + first..][..length]);
        places.map(|&byte| i64::from(byte)).collect::<Vec<_>>()
    };
    let shape = [rows.len(), length];
    let tensor = |values| Tensor::<2, Int>::from_data(TensorData::new(values, shape), device);
    match kind {
        Kind::Encoder => {
            let draw = match phase {
                Phase::Training { draw, .. } => draw,
                // The same tokens are hidden each time.
                Phase::Evaluation => 0,
            };
            let (hidden, answers) = hide(cut(0), mix(draw, rows[0] as u64));
            let target = vector(answers, device);
            (Input::Tokens(tensor(hidden)), Target::Classes(target))
        }
        Kind::EncoderDecoder => {
            let answers = cut(length);
            let mut begun = answers.clone();
            for (begun, answer) in begun
                .chunks_exact_mut(length)
                .zip(answers.chunks_exact(length))
            {
                begun[0] = MARK;
                begun[1..].copy_from_slice(&answer[..length - 1]);
            }
            let input = Input::Pair(tensor(cut(0)), tensor(begun));
            (input, Target::Classes(vector(answers, device)))
        }
        _ => {
            let target = vector(cut(1), device);
            (Input::Tokens(tensor(cut(0))), Target::Classes(target))
        }
    }
}

/// Hides tokens as BERT does (Devlin et al. 2019, section 3.1): of those to be guessed, eight tenths become the mark, a
/// tenth another token, a tenth stays. Returns the tokens and the answers, ignored for the others.
fn hide(mut tokens: Vec<i64>, draw: u64) -> (Vec<i64>, Vec<i64>) {
    let mut answers = vec![IGNORED; tokens.len()];
    for (place, (token, answer)) in tokens.iter_mut().zip(&mut answers).enumerate() {
        let draw = mix(draw, place as u64);
        if !happens(draw, MASKED) {
            continue;
        }
        *answer = *token;
        match below(mix(draw, 1), 10) {
            0 => *token = below(mix(draw, 2), BYTES) as i64,
            1 => {}
            _ => *token = MARK,
        }
    }
    (tokens, answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::data::Data;
    use crate::train::source::DataConfig;

    fn ints<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
        tensor.into_data().iter::<i64>().collect()
    }

    fn text(kind: Kind, length: usize) -> Data {
        let text: String = (0..400_u32)
            .map(|i| char::from(b'a' + (i % 26) as u8))
            .collect();
        let config = DataConfig {
            text: Some("letters.txt".into()),
            length: Some(length),
            ..DataConfig::default()
        };
        Data::text(text, kind, &config).unwrap()
    }

    #[test]
    fn a_language_model_answers_the_next_token() {
        let data = text(Kind::Gpt, 5);
        let (input, target) = data.batch(&[0, 5], Phase::Evaluation, &Device::flex());
        let (Input::Tokens(tokens), Target::Classes(answers)) = (input, target) else {
            panic!("tokens");
        };
        assert_eq!(tokens.dims(), [2, 5]);
        let (tokens, answers) = (ints(tokens), ints(answers));
        assert_eq!(tokens, (97..107).collect::<Vec<i64>>());
        assert_eq!(answers, (98..108).collect::<Vec<i64>>());
    }

    #[test]
    fn parts_of_a_text_do_not_overlap_however_far_rows_move() {
        for kind in [Kind::Gpt, Kind::Encoder, Kind::EncoderDecoder] {
            let data = text(kind, 7);
            let reach = reach(kind, 7);
            let last = data.split.train.last().unwrap() + reach - 1;
            assert!(last + reach < 320, "{last}");
            assert!(data.split.validation[0] == 320 && data.split.test[0] == 360);
            assert!(data.split.validation.last().unwrap() + reach < 360);
            assert!(data.split.test.last().unwrap() + reach < 400);
        }
    }

    #[test]
    fn an_encoder_guesses_hidden_tokens_alone() {
        let tokens: Vec<i64> = (0..20_000).map(|i| i % 256).collect();
        let (hidden, answers) = hide(tokens.clone(), 3);
        let asked = answers.iter().filter(|&&answer| answer != IGNORED).count();
        assert!(asked.abs_diff(3000) < 260, "{asked}");
        let marks = hidden.iter().filter(|&&token| token == MARK).count();
        assert!(marks.abs_diff(asked * 8 / 10) < 150, "{marks} of {asked}");
        for ((token, hidden), answer) in tokens.iter().zip(&hidden).zip(&answers) {
            assert!(answer == token || (*answer == IGNORED && hidden == token));
        }
        assert_eq!(hide(tokens.clone(), 3), (hidden, answers));
    }

    #[test]
    fn an_encoder_decoder_answers_the_row_that_follows() {
        let data = text(Kind::EncoderDecoder, 4);
        let (input, target) = data.batch(&[0], Phase::Evaluation, &Device::flex());
        let (Input::Pair(known, begun), Target::Classes(answers)) = (input, target) else {
            panic!("a pair");
        };
        assert_eq!(ints(known), [97, 98, 99, 100]);
        assert_eq!(ints(begun), [MARK, 101, 102, 103]);
        assert_eq!(ints(answers), [101, 102, 103, 104]);
    }

    #[test]
    fn a_short_text_is_refused() {
        let config = DataConfig {
            text: Some("short.txt".into()),
            ..DataConfig::default()
        };
        let error = Data::text("too short".into(), Kind::Gpt, &config)
            .err()
            .unwrap();
        assert_eq!(
            error.to_string(),
            "data.length = 64, but short.txt has 9 bytes, of which a tenth must hold at least one row of 64 and one more"
        );
    }
}
