//! Every form of a report, as a person sees it and at its edges.

use super::{fixture::record, *};
use crate::{
    claim::judge,
    record::ArmRecord,
    study::{Arm, Better, Budget, Role},
    table::{Cell, Table},
};
use insta::assert_snapshot;

const PLAIN: Style = Style {
    color: false,
    width: 80,
};

#[test]
fn terminal_in_80_columns() {
    assert_snapshot!(terminal(&record(), &PLAIN));
}

#[test]
fn outcome_of_an_interrupted_run() {
    assert_snapshot!(outcome(&interrupted(), &PLAIN));
}

#[test]
fn markdown_alone_and_with_pictures() {
    assert_snapshot!(markdown(&record()));
    let with = markdown_with_figures(&record(), "figures");
    for figure in figures(&record()) {
        assert!(
            with.contains(&format!("](figures/{})", figure.file)),
            "{}",
            figure.file
        );
    }
}

#[test]
fn forest_plot() {
    let svg = forest::figure(&record()).unwrap().element("claims");
    assert_snapshot!(svg.replace("><", ">\n<"));
}

#[test]
fn colors_say_nothing_that_words_do_not() {
    let style = Style {
        color: true,
        width: 80,
    };
    for (colored, plain) in [
        (terminal(&record(), &style), terminal(&record(), &PLAIN)),
        (outcome(&record(), &style), outcome(&record(), &PLAIN)),
    ] {
        let mut text = String::new();
        for (index, piece) in colored.split('\x1b').enumerate() {
            text.push_str(if index == 0 {
                piece
            } else {
                piece.split_once('m').unwrap().1
            });
        }
        assert_eq!(text, plain);
        assert_ne!(colored, plain);
    }
}

/// Records at the edges of what a store may hold.
fn edges() -> Vec<(&'static str, Record)> {
    let mut one_seed = record();
    one_seed.seeds.truncate(1);
    one_seed
        .arms
        .iter_mut()
        .for_each(|arm| arm.trials.truncate(1));

    let mut nothing = record();
    for arm in &mut nothing.arms {
        arm.trials.clear();
        arm.tuning.clear();
        for seed in &nothing.seeds {
            nothing.missing.push(format!("{}/{seed}", arm.arm.name));
        }
    }

    let mut diverged = record();
    for trial in &mut diverged.arms[5].trials {
        trial.metrics.insert("loss".into(), f64::NAN);
        trial.metrics.insert("left".into(), f64::INFINITY);
        trial.curves.clear();
    }
    for trial in &mut diverged.arms[1].tuning {
        (trial.validation, trial.test) = (f64::NAN, f64::INFINITY);
    }

    let mut single = record();
    single.arms.drain(..5);

    let mut crowd = record();
    for index in 0..6 {
        let mut arm = crowd.arms[index].clone();
        arm.arm = Arm {
            name: [
                "a",
                "b",
                "c",
                "d",
                "e",
                "an-arm-with-a-name-longer-than-any-person-would-type-twice",
            ][index],
            about: "a-description-that-is-one-word-so-long-that-it-cannot-be-broken-anywhere-within-a-line",
            ..arm.arm
        };
        crowd.arms.push(arm);
    }
    crowd.arms[11].trials.truncate(2);

    let mut no_claims = record();
    no_claims.findings.clear();

    let mut level = record();
    for trial in level.arms.iter_mut().flat_map(|arm| &mut arm.trials) {
        trial.metrics.insert("loss".into(), 0.5);
        trial
            .curves
            .values_mut()
            .flatten()
            .for_each(|(_, value)| *value = 0.5);
    }

    let mut wide = record();
    let mut table = Table::new(
        "Many columns, many rows",
        (0..40).map(|column| format!("column {column}")),
    );
    (0..60).for_each(|row| table.row((0..40).map(|column| Cell::from(f64::from(row * column)))));
    wide.arms[4].trials[0].tables.insert("wide".into(), table);

    let mut all = vec![
        ("one seed", one_seed),
        ("nothing finished", nothing),
        ("diverged", diverged),
        ("single arm", single),
        ("twelve arms", crowd),
        ("interrupted", interrupted()),
        ("level", level),
        ("wide table", wide),
    ];
    for (_, record) in &mut all {
        let claims: Vec<_> = record
            .findings
            .iter()
            .map(|finding| finding.claim)
            .collect();
        record.findings = judge(&claims, record.arms.as_slice(), Better::Lower);
    }
    all.push(("no claims", no_claims));
    all
}

/// A quick run that was stopped.
fn interrupted() -> Record {
    let mut record = record();
    record.budget = Budget::Quick;
    record.command = "offprint run comet".into();
    record.tuning = "Settings that an earlier full run chose; see reports/comet/report.md.".into();
    record.seeds.truncate(3);
    for arm in &mut record.arms {
        arm.trials.truncate(3);
        arm.tuning.clear();
    }
    record.arms[4].trials.pop();
    record.arms[5].trials.clear();
    record.missing = ["comet/2", "comet+/0", "comet+/1", "comet+/2"]
        .map(String::from)
        .into();
    let claims: Vec<_> = record
        .findings
        .iter()
        .map(|finding| finding.claim)
        .collect();
    record.findings = judge(&claims, record.arms.as_slice(), Better::Lower);
    record
}

#[test]
fn lines_keep_the_width() {
    for (name, record) in edges() {
        for width in [60, 80, 132] {
            let style = Style {
                color: false,
                width,
            };
            for line in terminal(&record, &style)
                .lines()
                .chain(outcome(&record, &style).lines())
            {
                // A command, or a word that cannot be broken, is worth more whole than in its line.
                let whole = ["offprint ", "one-word-so-long", "longer-than-any"]
                    .iter()
                    .any(|part| line.contains(part));
                assert!(
                    line.chars().count() <= width || whole,
                    "{name}, {width}: {line}"
                );
            }
        }
    }
}

#[test]
fn edges_say_what_they_are() {
    for (name, record) in edges() {
        let text = terminal(&record, &PLAIN);
        let says = |words: &str| assert!(text.contains(words), "{name} lacks \"{words}\":\n{text}");
        match name {
            "one seed" => says("? undecided"),
            "nothing finished" => {
                says("30 trials missing: hash/0, hash/1");
                says("and 22 more.");
                says("(0 of 5 seeds)");
            }
            "diverged" => {
                says("not finite");
                says("not a finite number");
            }
            "twelve arms" => says("an-arm-with-a-name-longer…"),
            "wide table" => says("… and 48 rows, 33 columns more"),
            "no claims" => assert!(!text.contains("Claims"), "{text}"),
            _ => {}
        }
    }
}

#[test]
fn pages_are_well_formed_and_load_nothing() {
    let mut all = edges();
    all.push(("whole", record()));
    for (name, record) in all {
        let page = html(&record);
        assert_balanced(name, &page);
        for outside in [
            "http:", "https:", "src=\"/", "url(", "@import", "<script", "<link",
        ] {
            assert!(!page.contains(outside), "{name} has {outside}");
        }
        for number in [
            "=\"NaN", "=\"inf", "=\"-inf", "MNaN", "LNaN", "Minf", "Linf",
        ] {
            assert!(!page.contains(number), "{name} has {number}");
        }
        for figure in figures(&record) {
            assert_balanced(name, &figure.content);
        }
    }
}

#[test]
fn texts_are_escaped() {
    let bad = "<script>alert('&\"')</script>|`*_";
    let mut record = record();
    record.title = bad.into();
    record.question = bad.into();
    record.tuning = bad.into();
    record.command = bad.into();
    record.machine = bad.into();
    record.revision = bad.into();
    record.tuned_by.validation = bad.into();
    record.missing.push(bad.into());
    record.differences.push(bad.into());
    record.settings.insert(bad.into(), bad.into());
    let arm: &mut ArmRecord = &mut record.arms[5];
    arm.arm = Arm::new(bad_name(), Role::Method, bad_name());
    arm.tuned.insert(bad.into(), bad.into());
    let trial = &mut arm.trials[0];
    let curve = trial.curves["training loss"].clone();
    trial.curves.insert(bad.into(), curve);
    let mut table = Table::new(bad, [bad]);
    table.row([bad]);
    trial.tables.insert(bad.into(), table);
    let image = trial.images["pairs"].clone();
    trial.images.insert(bad.into(), image);

    let page = html(&record);
    assert!(!page.contains("<script"));
    assert_balanced("bad names", &page);
    for figure in figures(&record) {
        assert!(!figure.content.contains("<script"));
        assert!(
            figure
                .file
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        );
        assert_balanced("bad names", &figure.content);
    }
    let text = markdown_with_figures(&record, "figures");
    let outside_code = text.split("```").step_by(2).collect::<String>();
    assert!(!outside_code.contains("<script"));
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut before: Option<&str> = None;
    for line in text.lines() {
        let before = before
            .replace(line)
            .filter(|before| before.starts_with('|'));
        if let Some(before) = before.filter(|_| line.starts_with('|')) {
            assert_eq!(bars(before), bars(line), "{before}\n{line}");
        }
    }
}

const fn bad_name() -> &'static str {
    "<script>|`&\"'"
}

#[test]
fn json_is_one_document() {
    for (name, record) in edges() {
        let value: serde_json::Value = serde_json::from_str(&json(&record).unwrap()).unwrap();
        assert_eq!(value["slug"], "comet", "{name}");
        assert_eq!(
            value["arms"].as_array().map(Vec::len),
            Some(record.arms.len()),
            "{name}"
        );
    }
}

/// Every element that is opened is closed, in order.
fn assert_balanced(name: &str, markup: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in markup.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("every < begins a tag");
        let element = tag
            .split([' ', '/'])
            .find(|word| !word.is_empty())
            .unwrap_or("");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(element), "{name}: </{element}>");
        } else if !tag.starts_with('!')
            && !tag.ends_with('/')
            && !["meta", "img"].contains(&element)
        {
            open.push(element);
        }
    }
    assert!(open.is_empty(), "{name}: {open:?} stay open");
}
