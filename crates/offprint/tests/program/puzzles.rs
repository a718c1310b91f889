//! `offprint run puzzleclone`, `offprint use puzzleclone` on specifications and puzzles, and on bad ones.

use crate::{kills::ends_with_the_same_numbers, offprint, root};
use std::fs;

/// Settings under which a trial takes a second.
const SMALL: &[&str] = &[
    "--set",
    "puzzles=60",
    "--set",
    "measured=2",
    "--set",
    "layers=1",
    "--set",
    "width=16",
    "--set",
    "sft_steps=4",
    "--set",
    "batch=16",
    "--set",
    "rl_steps=2",
    "--set",
    "prompts=4",
    "--set",
    "group=3",
    "--set",
    "kl=0.1",
];

fn lines(path: &std::path::Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_specification_becomes_puzzles_that_are_checked_explained_and_split() {
    let folder = tempfile::tempdir().unwrap();
    let spec = root().join("examples/puzzleclone/tea-shop.yaml");
    let spec = spec.to_str().unwrap();
    let puzzleclone = |arguments: &[&str]| {
        offprint(
            folder.path(),
            &[&["use", "puzzleclone"], arguments].concat(),
        )
    };
    let lint = puzzleclone(&["lint", spec]).good().out;
    assert!(
        lint.contains("solved as written") && lint.contains("all reproduced"),
        "{lint}"
    );
    let generate = [
        "generate",
        spec,
        "-n",
        "60",
        "--seed",
        "7",
        "-o",
        "tea.jsonl",
    ];
    let made = puzzleclone(&[&generate[..], &["--json"]].concat())
        .good()
        .json();
    assert_eq!(made["puzzles"], 60);
    let first = fs::read(folder.path().join("tea.jsonl")).unwrap();
    puzzleclone(&generate).good();
    assert_eq!(fs::read(folder.path().join("tea.jsonl")).unwrap(), first);
    let puzzles = lines(&folder.path().join("tea.jsonl"));
    assert_eq!(puzzles.len(), 60);

    let again = puzzleclone(&["reproduce", "tea.jsonl", "--spec", spec])
        .good()
        .out;
    assert!(again.starts_with("60 of 60 puzzles reproduced"), "{again}");
    let other = [
        "reproduce",
        "tea.jsonl",
        "--spec",
        spec,
        "--redraw",
        "guests",
        "--seed",
        "2",
        "-o",
        "other.jsonl",
    ];
    puzzleclone(&other).good();
    let others = lines(&folder.path().join("other.jsonl"));
    assert_eq!(others.len(), 60);
    assert_ne!(others[0]["text"], puzzles[0]["text"]);
    puzzleclone(&["dedupe", "other.jsonl", "-o", "distinct.jsonl"]).good();
    let explained = puzzleclone(&["explain", "tea.jsonl", "--spec", spec, "--line", "3"])
        .good()
        .out;
    assert!(explained.contains("rests on"), "{explained}");
    assert!(
        explained.lines().all(|line| line.chars().count() <= 80),
        "{explained}"
    );

    // Right answers but one.
    let answers: Vec<String> = puzzles
        .iter()
        .enumerate()
        .map(|(place, puzzle)| match place {
            0 => "\"soup\"".into(),
            1 => puzzle["questions"][0]["answer"].to_string(),
            _ => format!("{{\"answers\": [{}]}}", puzzle["questions"][0]["answer"]),
        })
        .collect();
    fs::write(folder.path().join("answers.jsonl"), answers.join("\n")).unwrap();
    let check = [
        "check",
        "tea.jsonl",
        "--answers",
        "answers.jsonl",
        "-o",
        "verdicts.jsonl",
        "--json",
    ];
    let score = puzzleclone(&check).good().json();
    assert_eq!(
        (&score["right"], &score["wrong"]),
        (&59.into(), &1.into()),
        "{score}"
    );
    assert_eq!(
        lines(&folder.path().join("verdicts.jsonl"))[0]["verdicts"][0],
        "wrong"
    );

    puzzleclone(&["generate", "--all", "-n", "140", "-o", "all.jsonl"]).good();
    let split = [
        "split",
        "all.jsonl",
        "--hold-out",
        "clock,stamps",
        "-o",
        "parts",
        "--json",
    ];
    let parts = puzzleclone(&split).good().json();
    let counts = parts["files"].as_object().unwrap();
    let total: u64 = counts.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(total, 140);
    assert!(counts.keys().any(|name| name.starts_with("held-out")));
    puzzleclone(&split).bad(&["parts is there already"]);
    let seeds = puzzleclone(&["seeds", "clock"]).good().out;
    assert!(seeds.starts_with("name: clock"), "{seeds}");
    assert!(
        puzzleclone(&["seeds", "--json"])
            .good()
            .json()
            .as_array()
            .unwrap()
            .len()
            >= 30
    );
}

#[test]
fn bad_specifications_and_puzzles_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let puzzleclone = |arguments: &[&str]| {
        offprint(
            folder.path(),
            &[&["use", "puzzleclone"], arguments].concat(),
        )
    };
    let spec = |symbols: &str, conditions: &str| {
        format!(
            "name: a\nkind: b\nvariables:\n  n: {{ from: 3..4 }}\nsymbols:\n  x: {{ {symbols} }}\n{conditions}text: t\nquestions:\n  - {{ ask: q, answer: x }}\n"
        )
    };
    let good = spec("from: 1..n", "conditions:\n  - holds: x = n\n");
    let bad = |text: &str, words: &[&str]| {
        write("spec.yaml", text);
        puzzleclone(&["generate", "spec.yaml", "-n", "3", "-o", "out.jsonl"]).bad(words);
        puzzleclone(&["lint", "spec.yaml"]).bad(words);
        assert!(!folder.path().join("out.jsonl").exists());
    };
    bad("", &["spec.yaml"]);
    bad("name: [a", &["spec.yaml", "line"]);
    bad(&good.replace("kind:", "sort:"), &["sort"]);
    bad(
        &good.replace("x = n", "x = m"),
        &["line 8, column 16", "unknown name \"m\""],
    );
    bad(
        &good.replace("x = n", "x + n"),
        &["a number, but a truth value is expected"],
    );
    bad(
        &good.replace("3..4", "4..3"),
        &["the list to draw from is empty"],
    );
    bad(
        &good.replace("symbols:", "  m: { from: 1..n, amount: 5 }\nsymbols:"),
        &["m: 5 different items of a list of"],
    );
    bad(&spec("from: 1..n - n", ""), &["the domain is empty"]);
    bad(
        &good.replace("{ from: 3..4 }", "{ from: 3..4, amount: 2 }"),
        &["line 6", "a list, but a number is expected"],
    );
    bad(
        &good.replace("{ from: 3..4 }", "{ from: 3..4, where: n > 9 }"),
        &["gave up after 1000 draws", "n > 9"],
    );
    bad(
        &good.replace("x = n", "x > n"),
        &["2000 draws", "no solution"],
    );
    bad(
        &spec("from: 1..n", "max_solutions: 2\n"),
        &["too many solutions"],
    );
    bad(&spec("from: 1..n", ""), &["ambiguous answer"]);
    bad(
        &good.replace("x = n", "1 div (n - n) = x"),
        &["division by 0"],
    );
    bad(
        &good.replace("x = n", "read(\"/etc/passwd\") = x"),
        &["unknown function \"read\""],
    );
    bad(
        &good.replace("text: t", "text: '{include(\"../x\")}'"),
        &["unknown function \"include\""],
    );
    bad(&format!("{good}# {}", "y".repeat(10_000_000)), &["1000000"]);
    bad(
        &good.replace(
            "x = n",
            &format!("{}true{}", "(".repeat(5000), ")".repeat(5000)),
        ),
        &["100 deep"],
    );
    bad(
        &format!("name: {}{}", "[".repeat(10_000), "]".repeat(10_000)),
        &["spec.yaml"],
    );
    fs::write(folder.path().join("spec.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    puzzleclone(&["lint", "spec.yaml"]).bad(&["spec.yaml is not UTF-8 text"]);
    puzzleclone(&["lint", "missing.yaml"]).bad(&["missing.yaml"]);
    puzzleclone(&["lint", "clok"]).bad(&["unknown seed puzzle \"clok\"", "did you mean clock?"]);
    puzzleclone(&["generate", "clock", "-n", "0", "-o", "out.jsonl"]).bad(&["-n 0"]);
    puzzleclone(&["generate", "clock", "-n", "-5", "-o", "out.jsonl"])
        .bad(&["'-5'", "a whole number of at least 0"]);
    puzzleclone(&["generate", "clock", "-o", "no/out.jsonl"])
        .bad(&["cannot write no/out.jsonl", "there is no folder no"]);
    puzzleclone(&["generate", "clock", "-n", "1", "-o", "."]).bad(&["cannot write ."]);
    puzzleclone(&["lint", "clock", "--solver", "zz3"])
        .bad(&["unknown solver \"zz3\"", "did you mean z3?"]);
    if cfg!(not(feature = "z3")) {
        puzzleclone(&["generate", "clock", "--solver", "z3", "-o", "out.jsonl"])
            .bad(&["without the solver z3", "--features z3"]);
    }
    puzzleclone(&["generate", "clock", "--wording", "long", "-o", "out.jsonl"])
        .bad(&["\"long\"", "plain, short"]);
    assert!(!folder.path().join("out.jsonl").exists());

    puzzleclone(&["generate", "clock", "-n", "4", "-o", "clock.jsonl"]).good();
    let text = fs::read_to_string(folder.path().join("clock.jsonl")).unwrap();
    write("cut.jsonl", &text[..text.len() - 40]);
    puzzleclone(&["dedupe", "cut.jsonl", "-o", "d.jsonl"]).bad(&["cut.jsonl line 4"]);
    write("empty.jsonl", "\n");
    puzzleclone(&["split", "empty.jsonl", "-o", "parts"]).bad(&["empty.jsonl holds no puzzle"]);
    puzzleclone(&["split", "clock.jsonl", "--hold-out", "clok", "-o", "parts"])
        .bad(&["\"clok\"", "clock"]);
    puzzleclone(&["explain", "clock.jsonl", "--line", "9"]).bad(&["--line 9", "4 puzzles"]);
    puzzleclone(&[
        "reproduce",
        "clock.jsonl",
        "--wording",
        "short",
        "-o",
        "no/o.jsonl",
    ])
    .bad(&["cannot write no/o.jsonl"]);
    write("answers.jsonl", "\"1\"\n\"2\"\n");
    puzzleclone(&["check", "clock.jsonl", "--answers", "answers.jsonl"])
        .bad(&["2 puzzles", "there are 4"]);
    write("answers.jsonl", "\"1\"\n[\"2\", \"3\"]\n\"2\"\n\"2\"\n");
    puzzleclone(&["check", "clock.jsonl", "--answers", "answers.jsonl"])
        .bad(&["line 2", "2 answers"]);
    write("answers.jsonl", "\"1\"\n{}\nnull\n\"2\"\n");
    puzzleclone(&["check", "clock.jsonl", "--answers", "answers.jsonl"])
        .bad(&["line 2", "is expected"]);
    puzzleclone(&[
        "reproduce",
        "clock.jsonl",
        "--redraw",
        "nwo",
        "-o",
        "o.jsonl",
    ])
    .bad(&["unknown variable \"nwo\""]);
    // A record that was tampered with is told, and is a failed check rather than bad input.
    write("other.jsonl", &text.replace("\"now\":", "\"now\":1"));
    let ended = puzzleclone(&["reproduce", "other.jsonl"]);
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    for name in ["d.jsonl", "parts", "o.jsonl"] {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

/// In the supervised steps, or in those of reinforcement learning with a copy of the model beside it.
#[test]
fn an_interrupted_trial_ends_with_the_same_numbers() {
    let longer = ["--set", "sft_steps=20", "--set", "rl_steps=10"];
    let settings = [SMALL, &longer].concat();
    ends_with_the_same_numbers("puzzleclone", "sft+rl", &settings, &[]);
}

#[test]
fn a_smoke_run_of_every_arm() {
    let folder = tempfile::tempdir().unwrap();
    let run = [&["run", "puzzleclone"], SMALL, &["--seeds", "1", "--json"]].concat();
    let record = offprint(folder.path(), &run).good().json();
    let metric = |arm: &str, name: &str| {
        let arms = record["arms"].as_array().unwrap();
        let arm = arms
            .iter()
            .find(|a| a["arm"]["name"] == arm)
            .unwrap_or_else(|| panic!("no {arm}"));
        arm["trials"][0]["metrics"][name]
            .as_f64()
            .unwrap_or_else(|| panic!("no {name}: {arm}"))
    };
    for arm in ["untrained", "sft", "sft+rl", "shuffled"] {
        for name in ["accuracy", "held_out", "arithmetic", "validation"] {
            assert!((0.0..=1.0).contains(&metric(arm, name)), "{arm} {name}");
        }
    }
    assert_eq!(metric("generator", "reproduced"), 1.0);
    assert_eq!(metric("generator", "confirmed"), 1.0);
    let show = offprint(folder.path(), &["show", "puzzleclone"]).good().out;
    assert!(
        show.lines().all(|line| line.chars().count() <= 80),
        "{show}"
    );
    assert!(show.lines().count() <= 50, "{} lines", show.lines().count());
    offprint(folder.path(), &["run", "puzzleclone", "--set", "group=1"])
        .bad(&["group = 1", "2 to 1000"]);
    offprint(folder.path(), &["run", "puzzleclone", "--set", "width=50"])
        .bad(&["width = 50", "multiple of heads"]);
}
