//! COMET's language study, a further study of a paper.

use crate::{Ended, command, offprint};
use std::{fs, path::Path};

/// Settings under which a trial takes a second.
const SMALL: &[&str] = &[
    "run",
    "comet-language",
    "--seeds",
    "1",
    "--set",
    "texts=96",
    "--set",
    "held_out=24",
    "--set",
    "words=100",
    "--set",
    "length=8",
    "--set",
    "layers=1",
    "--set",
    "width=8",
    "--set",
    "hidden=24",
    "--set",
    "share=2",
    "--set",
    "expert_width=6",
    "--set",
    "batch=16",
    "--set",
    "teacher_steps=6",
    "--set",
    "steps=6",
    "--set",
    "samples=4",
];

fn run(folder: &Path, more: &[&str]) -> Ended {
    offprint(folder, &[SMALL, more].concat())
}

#[test]
fn a_smoke_run_of_every_arm() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(folder.path(), &["--json"]).good();
    let record = ended.json();
    assert_eq!(record["slug"], "comet-language");
    let arms = record["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 5);
    for arm in arms {
        let metrics = &arm["trials"][0]["metrics"];
        for name in ["accuracy", "validation", "agreement"] {
            let value = metrics[name].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&value), "{name} of {arm}");
        }
        let active = metrics["active"].as_f64();
        match arm["arm"]["name"].as_str().unwrap() {
            "teacher" => assert_eq!(metrics["kept"], 0.0),
            "dense-student" => assert_eq!(active, None),
            "hash" => assert_eq!(active, Some(1.0)),
            _ => assert!(active.is_some_and(|active| (1.0..=4.0).contains(&active))),
        }
    }
    let report = offprint(folder.path(), &["report", "comet-language"]);
    let report = report.good().out;
    assert!(report.contains("accuracy(comet+)"), "{report}");
    for line in report.lines() {
        // A command to be copied stands on one line.
        let fits = line.chars().count() <= 80 || line.contains("  offprint ");
        assert!(fits, "{line}");
    }
    let runs = offprint(folder.path(), &["runs"]).good().out;
    assert!(runs.contains("comet-language"), "{runs}");
    // The paper's own study has not run.
    offprint(folder.path(), &["report", "comet"]).bad(&["no full or quick run of comet"]);
    offprint(folder.path(), &["runs", "--delete", "comet-language"]).good();
}

/// Stopped after the teacher and while the student learns, a trial ends with the numbers of an undisturbed one.
#[test]
fn an_interrupted_trial_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let arms = ["--arms", "comet+", "--json", "--set", "steps=60"];
    let undisturbed = [&arms[..], &["--runs", "a"]].concat();
    let numbers = |ended: Ended| ended.json()["arms"][0]["trials"][0]["metrics"].clone();
    let started = std::time::Instant::now();
    let expected = numbers(run(folder.path(), &undisturbed).good());
    let usual = started.elapsed();
    let disturbed = [&arms[..], &["--runs", "b", "--checkpoint-seconds", "0"]].concat();
    for part in [0.4, 0.6, 0.8] {
        let mut child = command(folder.path(), &[SMALL, &disturbed[..]].concat())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(usual.mul_f64(part));
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert_eq!(numbers(run(folder.path(), &disturbed).good()), expected);
}

#[test]
fn stands_on_the_card_of_its_paper() {
    let here = |arguments: &[&str]| offprint(Path::new("."), arguments);
    assert!(
        here(&["show", "comet"])
            .good()
            .out
            .contains("offprint run comet-language")
    );
    let card = here(&["show", "comet-language"]).good().out;
    for word in ["experts::NeuronSplit", "COMET-BERT@a6f0cf6", "kept(comet+)"] {
        assert!(card.contains(word), "no {word} in {card}");
    }
    for line in card.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // Errata of both repositories under the paper, of its own under the study.
    let both = here(&["errata", "comet"]).good().out;
    assert!(both.contains("COMET@cf27276") && both.contains("COMET-BERT@a6f0cf6"));
    let own = here(&["errata", "comet-language"]).good().out;
    assert!(!own.contains("COMET@cf27276") && own.contains("hash routing is a plain tensor"));
    assert!(!here(&["list"]).good().out.contains("comet-language"));
    here(&["run", "comet-langage"]).bad(&["unknown paper", "did you mean comet-language?"]);
}

#[test]
fn bad_input_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let bad = |arguments: &[&str], words: &[&str]| {
        offprint(
            folder.path(),
            &[&["run", "comet-language"], arguments].concat(),
        )
        .bad(words);
        let wrote = folder.path().join("runs").exists();
        assert!(!wrote, "{arguments:?} wrote something");
    };
    bad(
        &["--set", "experts=1"],
        &["experts = 1, but it must be 2 to 192"],
    );
    bad(&["--set", "k=5"], &["k = 5, but it must be 1 to 4"]);
    bad(
        &["--set", "expert_width=193"],
        &["expert_width = 193, but it must be 1 to 192"],
    );
    bad(
        &["--set", "share=49"],
        &["share = 49, but it must be 0 to 48"],
    );
    bad(
        &["--set", "heads=5"],
        &["heads = 5, but it must be a divisor of width = 48"],
    );
    bad(&["--set", "words=2"], &["words = 2", "3 to 100000"]);
    bad(&["--set", "gamma=0"], &["gamma = 0", "above 0"]);
    bad(&["--set", "distill=-1"], &["distill = -1", "0 or more"]);
    bad(&["--set", "learning_rate=nan"], &["learning_rate"]);
    bad(
        &["--set", "search_share=2"],
        &["search_share = 2", "0 to 1"],
    );
    bad(&["--set", "data=bibel"], &["data = \"bibel\"", "`bible`"]);
    bad(
        &["--arms", "hsah"],
        &["unknown arm \"hsah\"", "did you mean hash?"],
    );
    bad(
        &["--set", "data=rt-polarity"],
        &["data = rt-polarity needs a folder", "--data-dir"],
    );
    fs::create_dir(folder.path().join("texts")).unwrap();
    let from = |data: &'static str| ["--data-dir", "texts", "--set", data];
    bad(
        &from("data=rt-polarity"),
        &["texts", "rt-polarity.neg[.gz]", "rt-polarity.pos[.gz]"],
    );
    bad(&from("data=ag-news"), &["texts", "test.csv[.gz]"]);
    fs::write(folder.path().join("texts/test.csv"), "1,a,b\n7,a,b\n").unwrap();
    bad(
        &from("data=ag-news"),
        &["test.csv", "line 2: class is \"7\", expected 1, 2, 3 or 4"],
    );
    fs::write(folder.path().join("texts/test.csv"), "1,a,b\n").unwrap();
    bad(&from("data=ag-news"), &["rows = 1"]);
}

#[test]
fn trains_on_reviews_and_news_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let lines = |word: &str| -> String { (0..40).map(|n| format!("{word} film {n}\n")).collect() };
    fs::create_dir(path("data")).unwrap();
    fs::write(path("data/rt-polarity.neg"), lines("dull")).unwrap();
    fs::write(path("data/rt-polarity.pos"), lines("fine")).unwrap();
    let news = |class: usize| format!("\"{class}\",\"topic {class}\",\"words\"\n");
    let news: String = (0..80).map(|n| news(1 + n % 4)).collect();
    fs::write(path("data/test.csv"), news).unwrap();
    for data in ["data=rt-polarity", "data=ag-news"] {
        let arguments = [
            "--arms",
            "hash",
            "--data-dir",
            "data",
            "--set",
            data,
            "--json",
        ];
        let record = run(folder.path(), &arguments).good().json();
        let accuracy = &record["arms"][0]["trials"][0]["metrics"]["accuracy"];
        assert!(accuracy.as_f64().is_some(), "{record}");
    }
}
