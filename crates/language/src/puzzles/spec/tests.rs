//! Specifications that are wrong, and where.

use super::{LARGEST, Spec};

const GOOD: &str = "\
name: sample
kind: test
variables:
  n: { from: 2..4 }
  people: { from: '[\"Ada\", \"Bo\", \"Cy\", \"Di\"]', amount: n }
symbols:
  x: { for: [people], from: 1..n }
conditions:
  - holds: distinct(values(x))
  - name: clues
    draw: { a: people }
    holds: x[a] = 1
    text: '{a} is first.'
text: '{lines(clues)}'
questions:
  - ask: Who is first?
    answer: '[p for p in people if x[p] = 1][0]'
";

fn wrong(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    Spec::from_yaml(&GOOD.replacen(from, to, 1))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_good_one_is_read() {
    let spec = Spec::from_yaml(GOOD).unwrap();
    assert_eq!((spec.name.as_str(), spec.kind.as_str()), ("sample", "test"));
    assert_eq!(spec.wordings, ["plain"]);
}

#[test]
fn what_is_wrong_has_a_place() {
    for (from, to, place, message) in [
        ("kind: test", "kind: [test", "line ", ""),
        (
            "kind: test",
            "kind: te st",
            "line 2, column 7",
            "a name has 1 to 60 letters",
        ),
        ("kind: test", "sort: test", "line 2", "sort"),
        (
            "n: { from: 2..4 }",
            "n: { from: 2..m }",
            "line 4, column 17",
            "unknown name \"m\"",
        ),
        (
            "n: { from: 2..4 }",
            "n: { from: len(people)..4 }",
            "line 4, column 18",
            "people stands further down",
        ),
        (
            "n: { from: 2..4 }",
            "n: { from: 3 }",
            "line 4, column 14",
            "a number, but a list is expected",
        ),
        ("n: { from: 2..4 }", "n: { form: 2..4 }", "line 4", "form"),
        (
            "n: { from: 2..4 }",
            "n: { from: 2..4, formula: 3 }",
            "line 4, column 3",
            "either from or formula",
        ),
        (
            "n: { from: 2..4 }",
            "n: { from: 2..4 }\n  n: { from: 1..2 }",
            "",
            "n",
        ),
        (
            "n: { from: 2..4 }",
            "and: { from: 2..4 }",
            "line 4, column 3",
            "is no word of the language",
        ),
        (
            "x: { for: [people], from: 1..n }",
            "x: { for: [people] }",
            "line 7, column 3",
            "either from or bool",
        ),
        (
            "distinct(values(x))",
            "values(x)",
            "line 9, column 12",
            "a list, but a truth value is expected",
        ),
        (
            "holds: x[a] = 1",
            "holds: x[a] = pepole",
            "line 12, column 19",
            "did you mean people?",
        ),
        (
            "holds: x[a] = 1",
            "holds: x[a, a] = 1",
            "line 12, column 12",
            "2 keys, but this table has 1",
        ),
        (
            "'{a} is first.'",
            "'{b} is first.'",
            "line 13, column 13",
            "unknown name \"b\"",
        ),
        (
            "'{a} is first.'",
            "'{a is first.'",
            "line 13, column 15",
            "expected an operator or \"}\"",
        ),
        ("    answer:", "    anwser:", "line 17", "anwser"),
        ("answer: '", "options: '3' #", "", "options need holds"),
    ] {
        let error = wrong(from, to);
        assert!(error.starts_with(place), "{to}: {error}");
        assert!(error.contains(message), "{to}: {error}");
    }
}

#[test]
fn an_excerpt_shows_the_place() {
    let error = wrong("holds: x[a] = 1", "holds: x[a] = pepole");
    assert_eq!(
        error,
        "line 12, column 19: unknown name \"pepole\"; did you mean people?\n      holds: x[a] = pepole\n                    ^"
    );
    // In a literal block the line of the formula is named.
    let error = wrong(
        "text: '{lines(clues)}'",
        "text: |\n  First line.\n  Then {lines(cluse)}",
    );
    assert!(
        error.starts_with("line 16, column 15: unknown name \"cluse\""),
        "{error}"
    );
}

#[test]
fn neither_size_nor_depth_is_unbounded() {
    let large = format!("{GOOD}# {}", "x".repeat(10_000_000));
    let error = Spec::from_yaml(&large).unwrap_err().to_string();
    assert!(error.contains(&format!("at most {LARGEST}")), "{error}");
    let deep = format!("name: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(Spec::from_yaml(&deep).is_err());
    let deep = wrong(
        "holds: x[a] = 1",
        &format!("holds: {}true{}", "(".repeat(9_000), ")".repeat(9_000)),
    );
    assert!(deep.contains("nested more than 100 deep"), "{deep}");
    for text in [
        "",
        "---",
        "3",
        "[]",
        "name: x",
        "\0",
        "a: &a [*a]",
        "\u{feff}",
    ] {
        assert!(Spec::from_yaml(text).is_err(), "{text:?}");
    }
}

#[test]
fn wordings_are_complete() {
    let error = wrong("ask: Who is first?", "ask: { plain: Who?, short: W? }");
    assert!(
        error.contains("the wording \"short\" is missing in text"),
        "{error}"
    );
    let text = GOOD.replacen("text: '{lines(clues)}'", "text: { plain: a, short: b }", 1);
    let spec = Spec::from_yaml(&text).unwrap();
    assert_eq!(spec.wordings, ["plain", "short"]);
    let half = text.replacen("'{a} is first.'", "{ plain: '{a}' }", 1);
    let error = Spec::from_yaml(&half).unwrap_err().to_string();
    assert!(
        error.contains("the wording \"short\" is missing here"),
        "{error}"
    );
}
