//! Texts with formulas in braces.

use super::{Formula, Scope, Wrong, parse};

/// A text in which formulas stand in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub(crate) pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Formula(Formula),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// Where a formula in it is wrong, or a brace is not closed.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let rest = &text[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                plain.push(character);
                at += 2;
            } else if character == '{' {
                let (formula, length) = parse::prefix(&rest[1..], at + 1)?;
                if !rest[1 + length..].starts_with('}') {
                    let found: String = rest[1 + length..].chars().take(12).collect();
                    let message = format!("expected an operator or \"}}\", found \"{found}\"");
                    return Err(Wrong::new(at + 1 + length, message));
                }
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Formula(formula));
                at += length + 2;
            } else if character == '}' {
                return Err(Wrong::new(
                    at,
                    "\"}\" without \"{\"; a brace is written \"}}\"",
                ));
            } else {
                plain.push(character);
                at += character.len_utf8();
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// The text, its formulas evaluated.
    pub(crate) fn render(&self, scope: &mut Scope) -> Result<String, Wrong> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Formula(formula) => {
                    let value = scope.evaluate(&formula.expression)?;
                    let shown = value.show().ok_or_else(|| {
                        Wrong::new(formula.expression.at, "what stands in a text must be known")
                    })?;
                    text.push_str(&shown);
                }
            }
        }
        Ok(text)
    }
}
