//! Formulas: what they mean, and what is said of wrong ones.

use super::{Formula, Names, Scope, Template, Type, Value, Wrong};
use crate::puzzles::term::Term;
use std::sync::Arc;

fn value(text: &str) -> Result<String, Wrong> {
    let formula = Formula::parse(text)?;
    let mut names = Names::default();
    let mut scope = Scope::new(Arc::default());
    for (name, known) in [
        ("n", Value::Int(3)),
        ("people", Value::list(["Ada", "Bo", "Cy"].map(Value::text))),
    ] {
        names.add(name, Type::of(&known));
        scope.add(name, known);
    }
    names.check(&formula.expression)?;
    Ok(scope.evaluate(&formula.expression)?.to_string())
}

fn wrong(text: &str) -> (usize, String) {
    let wrong = value(text).unwrap_err();
    (wrong.at, wrong.message)
}

#[test]
fn operators_and_their_strength() {
    for (text, expected) in [
        ("1 + 2 * 3 - 4", "3"),
        ("-7 div 2", "-4"),
        ("-7 mod 2", "1"),
        ("2 * (3 + 4)", "14"),
        ("1 < 2 and not 3 < 2 or false", "yes"),
        ("1 < n < 3", "no"),
        ("1 < n <= 3", "yes"),
        ("false => 1 div 0 = 1", "yes"),
        ("true => false => false", "yes"),
        ("true <=> 1 = 2", "no"),
        ("true xor true", "no"),
        ("if n = 3 then \"three\" else \"other\"", "\"three\""),
        ("[x * x for x in 1..n + 1 if x != 2]", "1, 9, 16"),
        ("[x + y for x in 1..2 for y in [10, 20]]", "11, 21, 12, 22"),
        ("sum(x for x in 1..4)", "10"),
        ("len([])", "0"),
        ("[1, 2] + [3]", "1, 2, 3"),
        ("\"a\" + 'b\\'c'", "\"ab'c\""),
        ("people[n - 1]", "\"Cy\""),
        ("index(people, \"Bo\")", "1"),
        ("\"Bo\" in people and not (\"Di\" in people)", "yes"),
        ("and_list(people)", "\"Ada, Bo and Cy\""),
        ("join(reversed(people), \"-\")", "\"Cy-Bo-Ada\""),
        ("max(3, 9, 4) - min([5, 2])", "7"),
        ("distinct(1, 2, 1)", "no"),
        ("count(x > 1 for x in 1..n)", "2"),
        ("len(pairs(1..4))", "6"),
        ("ordinal(n) + ordinal(11) + ordinal(22)", "\"3rd11th22nd\""),
        (
            "plural(1, \"coin\") + plural(2, \"coin\")",
            "\"1 coin2 coins\"",
        ),
        ("flat([[1], [2, 3]])", "1, 2, 3"),
        ("sorted([3, 1, 2]) = [1, 2, 3]", "yes"),
        ("unique([1, 2, 1])", "1, 2"),
        ("product([2, 3, 4])", "24"),
        ("take(people, 2)", "Ada, Bo"),
        ("letter(2) + capital(\"ab\")", "\"CAb\""),
    ] {
        assert_eq!(value(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn the_place_of_what_is_wrong() {
    for (text, at, message) in [
        (
            "1 + ",
            4,
            "expected a value, a name or a bracket, found the end",
        ),
        ("(1 + 2", 6, "expected an operator or \")\", found the end"),
        ("[1, 2", 5, "expected \",\" or \"]\", found the end"),
        ("1 2", 2, "expected an operator or the end, found \"2\""),
        ("if 1 = 1 then 2", 15, "expected \"else\", found the end"),
        ("[x for in 1..2]", 7, "expected a name, found \"in 1..2]\""),
        ("\"abc", 0, "a text without its closing quote"),
        (
            "99999999999999",
            0,
            "the number 99999999999999, but 1099511627776 is the largest",
        ),
        (
            "1 + peple[0]",
            4,
            "unknown name \"peple\"; did you mean people?",
        ),
        (
            "n + summ([1])",
            4,
            "unknown function \"summ\"; did you mean sum?",
        ),
        ("n + people", 4, "a list, but a number is expected"),
        ("n and true", 0, "a number, but a truth value is expected"),
        ("n = \"3\"", 4, "a text, but a number is expected"),
        (
            "sum(people)",
            0,
            "sum(list of numbers), but was given a list",
        ),
        ("[1, 2][true]", 7, "a truth value, but a number is expected"),
        ("n[0]", 0, "a number cannot be indexed so"),
        (
            "1 + 2 div (n - 3)",
            4,
            "division by 0, but a divisor must be at least 1",
        ),
        (
            "people[5]",
            0,
            "place 5 of a list of 3 items, counted from 0",
        ),
        (
            "index(people, \"Di\")",
            0,
            "index: \"Di\" is not in the list",
        ),
        (
            "max([])",
            0,
            "max: an empty list has no smallest or largest item",
        ),
        ("1..1000000", 0, "1..1000000 has more than 100000 numbers"),
        ("1000000 * 1000000 * 10", 0, "the result is too large"),
        (
            "äö",
            0,
            "expected a value, a name or a bracket, found \"äö\"",
        ),
        (
            "",
            0,
            "expected a value, a name or a bracket, found the end",
        ),
    ] {
        assert_eq!(wrong(text), (at, message.into()), "{text}");
    }
}

#[test]
fn neither_depth_nor_length_nor_work_is_unbounded() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("not ", ""),
        ("-", ""),
        ("abs(", ")"),
        ("if true then 1 else ", ""),
    ] {
        let text = format!("{}1{}", open.repeat(950), close.repeat(950));
        assert!(
            wrong(&text).1.starts_with("nested more than 100 deep"),
            "{open}"
        );
    }
    let chain = format!("1{}", " + 1".repeat(4000));
    assert!(wrong(&chain).1.contains("too long"), "{:?}", wrong(&chain));
    assert!(wrong(&"1".repeat(30_000)).1.contains("20000 is the most"));
    let busy = "len([1 for a in 1..1000 for b in 1..1000 for c in 1..1000])";
    assert!(wrong(busy).1.contains("more than 2000000 steps"));
}

#[test]
fn templates() {
    let render = |text: &str| {
        let template = Template::parse(text)?;
        let mut scope = Scope::new(Arc::default());
        scope.add("n", Value::Int(3));
        template.render(&mut scope)
    };
    assert_eq!(
        render("{n} and {{n}} and {n + 1}").as_deref(),
        Ok("3 and {n} and 4")
    );
    assert_eq!(render("").as_deref(), Ok(""));
    let wrong = |text: &str| {
        let wrong = render(text).unwrap_err();
        (wrong.at, wrong.message)
    };
    assert_eq!(wrong("ab {n").0, 5);
    assert_eq!(
        wrong("ab {n +}"),
        (
            7,
            "expected a value, a name or a bracket, found \"}\"".into()
        )
    );
    assert_eq!(
        wrong("a } b"),
        (2, "\"}\" without \"{\"; a brace is written \"}}\"".into())
    );
}

#[test]
fn unknowns_become_terms() {
    use super::{Table, Unsolved, UnsolvedKind};
    let mut scope = Scope::new(Arc::default());
    let colors: Arc<[Value]> = ["red", "blue"].map(Value::text).into_iter().collect();
    let unknown = |index, kind| Value::Unsolved(Unsolved::new(Term::Unknown(index), kind));
    let keys = vec![vec![Value::text("a")], vec![Value::text("b")]];
    let table = |kind: UnsolvedKind, first: usize| {
        let values = vec![unknown(first, kind.clone()), unknown(first + 1, kind)];
        Value::Table(Arc::new(Table::new(keys.clone(), values)))
    };
    scope.add("x", table(UnsolvedKind::Int, 0));
    scope.add("color", table(UnsolvedKind::Choice(colors), 2));
    let mut term = |text: &str| {
        let formula = Formula::parse(text).unwrap();
        match scope.evaluate(&formula.expression) {
            Ok(Value::Unsolved(unsolved)) => unsolved.term.to_string(),
            Ok(known) => known.to_string(),
            Err(wrong) => wrong.message,
        }
    };
    assert_eq!(term("x[\"a\"] + 2 < x[\"b\"]"), "(< (+ #0 2) #1)");
    assert_eq!(term("color[\"a\"] = \"blue\""), "(= #2 1)");
    assert_eq!(term("\"green\" = color[\"a\"]"), "no");
    assert_eq!(term("color[\"a\"] != color[\"b\"]"), "(!= #2 #3)");
    assert_eq!(term("color[\"a\"] in [\"red\", \"green\"]"), "(= #2 0)");
    assert_eq!(term("distinct(values(x))"), "(distinct #0 #1)");
    assert_eq!(
        term("all(x[k] = 1 for k in [\"a\", \"b\"] if k != \"b\")"),
        "(= #0 1)"
    );
    assert_eq!(term("false and x[\"a\"] = 1"), "no");
    assert_eq!(term("if x[\"a\"] = 1 then 5 else 6"), "(if (= #0 1) 5 6)");
    assert_eq!(
        term("[1, 2][x[\"a\"]]"),
        "a key must be known; compare with `if … then … else` instead"
    );
    assert_eq!(
        term("sorted(values(x))"),
        "sorted: every item must be known"
    );
    assert_eq!(term("x[\"c\"]"), "the table has no [\"c\"]");
    assert_eq!(term("color[\"a\"] < 1"), "< takes numbers and truth values");
}
