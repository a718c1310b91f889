//! From text to expressions, with winnow.

use super::{Binary, Comprehension, DEEPEST, Expression, Formula, Kind, LONGEST, Value, Wrong};
use crate::puzzles::term::Op;
use winnow::{
    ModalResult, Parser as _,
    combinator::{alt, not, opt, peek, preceded, repeat, separated, terminated},
    error::{ContextError, ErrMode},
    stream::{LocatingSlice, Location as _, Stateful, Stream as _},
    token::{any, none_of, one_of, take_while},
};

/// Where the parse is, how deep, and the farthest failure.
type Input<'a> = Stateful<LocatingSlice<&'a str>, State>;

#[derive(Clone, Debug, Default)]
struct State {
    depth: usize,
    wrong: Option<Wrong>,
}

const WORDS: [&str; 13] = [
    "and", "or", "xor", "not", "if", "then", "else", "for", "in", "div", "mod", "true", "false",
];

/// Parses a whole formula.
pub(super) fn formula(text: &str) -> Result<Formula, Wrong> {
    let (formula, end) = prefix(text, 0)?;
    if end < text.len() {
        let rest: String = text[end..].chars().take(12).collect();
        return Err(Wrong::new(
            end,
            format!("expected an operator or the end, found \"{rest}\""),
        ));
    }
    Ok(formula)
}

/// Parses the longest formula at the start of a text whose first byte counts as `offset`, and says where it ends.
pub(super) fn prefix(text: &str, offset: usize) -> Result<(Formula, usize), Wrong> {
    if text.len() > LONGEST {
        let message = format!(
            "a formula of {} characters, but {LONGEST} is the most",
            text.len()
        );
        return Err(Wrong::new(offset, message));
    }
    let mut input = Input {
        input: LocatingSlice::new(text),
        state: State::default(),
    };
    match preceded(space, expression).parse_next(&mut input) {
        Ok(mut expression) => {
            shift(&mut expression, offset);
            Ok((Formula { expression }, input.current_token_start()))
        }
        Err(_) => {
            let mut wrong = input
                .state
                .wrong
                .unwrap_or_else(|| Wrong::new(0, "expected a formula"));
            wrong.at += offset;
            Err(wrong)
        }
    }
}

fn shift(expression: &mut Expression, by: usize) {
    if by == 0 {
        return;
    }
    expression.at += by;
    match &mut expression.kind {
        Kind::Value(_) | Kind::Name(_) => {}
        Kind::List(items) | Kind::Call(_, items) => items.iter_mut().for_each(|e| shift(e, by)),
        Kind::Comprehension(parts) => {
            shift(&mut parts.item, by);
            parts.loops.iter_mut().for_each(|(_, list)| shift(list, by));
            parts.filter.iter_mut().for_each(|filter| shift(filter, by));
        }
        Kind::Index(table, keys) => {
            shift(table, by);
            keys.iter_mut().for_each(|e| shift(e, by));
        }
        Kind::Not(a) | Kind::Negative(a) => shift(a, by),
        Kind::Binary(_, pair) => {
            shift(&mut pair.0, by);
            shift(&mut pair.1, by);
        }
        Kind::If(parts) => {
            shift(&mut parts.0, by);
            shift(&mut parts.1, by);
            shift(&mut parts.2, by);
        }
    }
}

/// Ends the parse: what is wrong here cannot be read in another way.
fn fail<T>(input: &mut Input, at: usize, message: impl Into<String>) -> ModalResult<T> {
    input.state.wrong.get_or_insert(Wrong::new(at, message));
    Err(ErrMode::Cut(ContextError::new()))
}

/// Something that must stand here.
fn expect<'a, T>(
    input: &mut Input<'a>,
    what: &str,
    mut parser: impl FnMut(&mut Input<'a>) -> ModalResult<T>,
) -> ModalResult<T> {
    let (at, start) = (input.current_token_start(), input.checkpoint());
    match parser(input) {
        Err(ErrMode::Backtrack(_)) => {
            input.reset(&start);
            let found: String = input.input.chars().take(12).collect();
            let found = if found.is_empty() {
                "the end".into()
            } else {
                format!("\"{found}\"")
            };
            fail(input, at, format!("expected {what}, found {found}"))
        }
        other => other,
    }
}

fn space(input: &mut Input) -> ModalResult<()> {
    take_while(0.., |c: char| c.is_whitespace())
        .void()
        .parse_next(input)
}

/// A symbol and the space after it.
fn symbol<'a>(text: &'static str) -> impl FnMut(&mut Input<'a>) -> ModalResult<()> {
    move |input| (text, space).void().parse_next(input)
}

/// A word of the language and the space after it.
fn word<'a>(text: &'static str) -> impl FnMut(&mut Input<'a>) -> ModalResult<()> {
    let more = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    move |input| (text, not(one_of(more)), space).void().parse_next(input)
}

fn identifier(input: &mut Input) -> ModalResult<String> {
    let part = || {
        (
            one_of(|c: char| c.is_ascii_alphabetic() || c == '_'),
            take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_'),
        )
    };
    let name = (part(), opt(('.', part()))).take().parse_next(input)?;
    if WORDS.contains(&name) {
        return Err(ErrMode::Backtrack(ContextError::new()));
    }
    let name = name.to_string();
    space(input)?;
    Ok(name)
}

/// A whole expression; counts how deep it is.
fn expression(input: &mut Input) -> ModalResult<Expression> {
    if input.state.depth >= DEEPEST {
        let at = input.current_token_start();
        return fail(input, at, format!("nested more than {DEEPEST} deep"));
    }
    input.state.depth += 1;
    let result = condition(input);
    input.state.depth -= 1;
    result
}

fn condition(input: &mut Input) -> ModalResult<Expression> {
    let at = input.current_token_start();
    if opt(word("if")).parse_next(input)?.is_none() {
        return implication(input);
    }
    let condition = expression(input)?;
    expect(input, "\"then\"", word("then"))?;
    let yes = expression(input)?;
    expect(input, "\"else\"", word("else"))?;
    let no = expression(input)?;
    let kind = Kind::If(Box::new((condition, yes, no)));
    Ok(Expression { at, kind })
}

fn implication(input: &mut Input) -> ModalResult<Expression> {
    let left = disjunction(input)?;
    if opt(symbol("<=>")).parse_next(input)?.is_some() {
        let right = disjunction(input)?;
        return Ok(binary(Binary::Equivalent, left, right));
    }
    if opt(symbol("=>")).parse_next(input)?.is_some() {
        // To the right, so each link is one deeper.
        let right = expression(input)?;
        return Ok(binary(Binary::Term(Op::Implies), left, right));
    }
    Ok(left)
}

fn binary(op: Binary, left: Expression, right: Expression) -> Expression {
    Expression {
        at: left.at,
        kind: Kind::Binary(op, Box::new((left, right))),
    }
}

/// Operators of one strength, grouped to the left; a chain counts as deep as it is long.
fn chain<'a>(
    input: &mut Input<'a>,
    operand: fn(&mut Input<'a>) -> ModalResult<Expression>,
    operator: impl Fn(&mut Input<'a>) -> ModalResult<Op>,
) -> ModalResult<Expression> {
    let mut left = operand(input)?;
    let depth = input.state.depth;
    while let Some(op) = opt(&operator).parse_next(input)? {
        input.state.depth += 1;
        if input.state.depth > 4 * DEEPEST {
            let at = input.current_token_start();
            return fail(
                input,
                at,
                "a chain of operators that is too long; use sum, all or any",
            );
        }
        let right = operand(input)?;
        left = binary(Binary::Term(op), left, right);
    }
    input.state.depth = depth;
    Ok(left)
}

fn disjunction(input: &mut Input) -> ModalResult<Expression> {
    chain(input, exclusion, |i| word("or").value(Op::Or).parse_next(i))
}

fn exclusion(input: &mut Input) -> ModalResult<Expression> {
    chain(input, conjunction, |i| {
        word("xor").value(Op::Xor).parse_next(i)
    })
}

fn conjunction(input: &mut Input) -> ModalResult<Expression> {
    chain(input, negation, |i| {
        word("and").value(Op::And).parse_next(i)
    })
}

fn negation(input: &mut Input) -> ModalResult<Expression> {
    let at = input.current_token_start();
    if opt(word("not")).parse_next(input)?.is_none() {
        return comparison(input);
    }
    deeper(input, at, negation, |inner| Kind::Not(Box::new(inner)))
}

/// A prefix and what it stands before.
fn deeper<'a>(
    input: &mut Input<'a>,
    at: usize,
    operand: fn(&mut Input<'a>) -> ModalResult<Expression>,
    kind: fn(Expression) -> Kind,
) -> ModalResult<Expression> {
    if input.state.depth >= DEEPEST {
        return fail(input, at, format!("nested more than {DEEPEST} deep"));
    }
    input.state.depth += 1;
    let inner = operand(input);
    input.state.depth -= 1;
    let kind = kind(inner?);
    Ok(Expression { at, kind })
}

fn compare(input: &mut Input) -> ModalResult<Binary> {
    let term = |text, op| symbol(text).value(Binary::Term(op));
    alt((
        // Not the beginning of `=>` or `<=>`.
        (
            peek(not(alt(("=>", "<=>")))),
            alt((
                term("<=", Op::AtMost),
                term(">=", Op::AtLeast),
                term("!=", Op::NotEqual),
                term("<", Op::Less),
                term(">", Op::Greater),
                term("=", Op::Equal),
            )),
        )
            .map(|(_, op)| op),
        word("in").value(Binary::In),
    ))
    .parse_next(input)
}

fn comparison(input: &mut Input) -> ModalResult<Expression> {
    let mut left = range(input)?;
    let mut all: Option<Expression> = None;
    while let Some(op) = opt(compare).parse_next(input)? {
        let right = range(input)?;
        let link = binary(op, left, right.clone());
        all = Some(match all {
            None => link,
            Some(before) => binary(Binary::Term(Op::And), before, link),
        });
        left = right;
    }
    Ok(all.unwrap_or(left))
}

fn range(input: &mut Input) -> ModalResult<Expression> {
    let left = sum(input)?;
    if opt(symbol("..")).parse_next(input)?.is_none() {
        return Ok(left);
    }
    let right = sum(input)?;
    Ok(binary(Binary::Range, left, right))
}

fn sum(input: &mut Input) -> ModalResult<Expression> {
    chain(input, product, |i| {
        alt((symbol("+").value(Op::Add), symbol("-").value(Op::Subtract))).parse_next(i)
    })
}

fn product(input: &mut Input) -> ModalResult<Expression> {
    chain(input, sign, |i| {
        alt((
            symbol("*").value(Op::Multiply),
            word("div").value(Op::Divide),
            word("mod").value(Op::Modulo),
        ))
        .parse_next(i)
    })
}

fn sign(input: &mut Input) -> ModalResult<Expression> {
    let at = input.current_token_start();
    if opt(symbol("-")).parse_next(input)?.is_none() {
        return postfix(input);
    }
    deeper(input, at, sign, |inner| Kind::Negative(Box::new(inner)))
}

fn postfix(input: &mut Input) -> ModalResult<Expression> {
    let mut inner = atom(input)?;
    while opt(symbol("[")).parse_next(input)?.is_some() {
        let keys = separated(1.., expression, symbol(",")).parse_next(input)?;
        expect(input, "\"]\"", symbol("]"))?;
        let (at, kind) = (inner.at, Kind::Index(Box::new(inner), keys));
        inner = Expression { at, kind };
    }
    Ok(inner)
}

fn atom(input: &mut Input) -> ModalResult<Expression> {
    let at = input.current_token_start();
    let kind = expect(input, "a value, a name or a bracket", |input| {
        alt((number, text, truth, list, brackets, call_or_name)).parse_next(input)
    })?;
    // Brackets are the expression in them.
    Ok(match kind {
        Atom::Kind(kind) => Expression { at, kind },
        Atom::Whole(expression) => expression,
    })
}

enum Atom {
    Kind(Kind),
    Whole(Expression),
}

fn number(input: &mut Input) -> ModalResult<Atom> {
    let at = input.current_token_start();
    let digits = terminated(take_while(1.., '0'..='9'), space).parse_next(input)?;
    match digits.parse::<i64>() {
        Ok(value) if value <= crate::puzzles::problem::LARGEST => {
            Ok(Atom::Kind(Kind::Value(Value::Int(value))))
        }
        _ => fail(
            input,
            at,
            format!(
                "the number {digits}, but {} is the largest",
                crate::puzzles::problem::LARGEST
            ),
        ),
    }
}

fn text(input: &mut Input) -> ModalResult<Atom> {
    let at = input.current_token_start();
    let quote = one_of(['"', '\'']).parse_next(input)?;
    let piece = alt((preceded('\\', any), none_of([quote, '\\'])));
    let text: String = repeat(0.., piece).parse_next(input)?;
    if opt(one_of(quote)).parse_next(input)?.is_none() {
        return fail(input, at, "a text without its closing quote");
    }
    space(input)?;
    Ok(Atom::Kind(Kind::Value(Value::text(text))))
}

fn truth(input: &mut Input) -> ModalResult<Atom> {
    let value = alt((word("true").value(true), word("false").value(false))).parse_next(input)?;
    Ok(Atom::Kind(Kind::Value(Value::Bool(value))))
}

fn list(input: &mut Input) -> ModalResult<Atom> {
    symbol("[").parse_next(input)?;
    if opt(symbol("]")).parse_next(input)?.is_some() {
        return Ok(Atom::Kind(Kind::List(Vec::new())));
    }
    let first = expression(input)?;
    let kind = match comprehension(input, first)? {
        Ok(comprehension) => Kind::Comprehension(Box::new(comprehension)),
        Err(first) => Kind::List(more(input, first)?),
    };
    expect(input, "\",\" or \"]\"", symbol("]"))?;
    Ok(Atom::Kind(kind))
}

/// The rest of a list after its first item.
fn more(input: &mut Input, first: Expression) -> ModalResult<Vec<Expression>> {
    let mut items = vec![first];
    while opt(symbol(",")).parse_next(input)?.is_some() {
        items.push(expression(input)?);
    }
    Ok(items)
}

/// `for …` after an item; gives the item back where there is none.
fn comprehension(
    input: &mut Input,
    item: Expression,
) -> ModalResult<Result<Comprehension, Expression>> {
    let mut loops = Vec::new();
    while opt(word("for")).parse_next(input)?.is_some() {
        let name = expect(input, "a name", identifier)?;
        expect(input, "\"in\"", word("in"))?;
        loops.push((name, implication(input)?));
    }
    if loops.is_empty() {
        return Ok(Err(item));
    }
    let filter = match opt(word("if")).parse_next(input)? {
        Some(()) => Some(expression(input)?),
        None => None,
    };
    Ok(Ok(Comprehension {
        item,
        loops,
        filter,
    }))
}

fn brackets(input: &mut Input) -> ModalResult<Atom> {
    symbol("(").parse_next(input)?;
    let inner = expression(input)?;
    expect(input, "an operator or \")\"", symbol(")"))?;
    Ok(Atom::Whole(inner))
}

fn call_or_name(input: &mut Input) -> ModalResult<Atom> {
    let name = identifier(input)?;
    if opt(symbol("(")).parse_next(input)?.is_none() {
        return Ok(Atom::Kind(Kind::Name(name)));
    }
    if opt(symbol(")")).parse_next(input)?.is_some() {
        return Ok(Atom::Kind(Kind::Call(name, Vec::new())));
    }
    let first = expression(input)?;
    let at = first.at;
    let mut arguments = match comprehension(input, first)? {
        Ok(comprehension) => {
            let kind = Kind::Comprehension(Box::new(comprehension));
            vec![Expression { at, kind }]
        }
        Err(first) => vec![first],
    };
    while opt(symbol(",")).parse_next(input)?.is_some() {
        arguments.push(expression(input)?);
    }
    expect(input, "\",\" or \")\"", symbol(")"))?;
    Ok(Atom::Kind(Kind::Call(name, arguments)))
}
