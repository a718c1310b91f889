//! `offprint use comet` on a real table, and on bad ones.

use crate::{offprint, root};
use std::fs;

#[test]
fn names_that_are_no_papers_are_told_with_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    offprint(folder.path(), &["use", "gal", "train"]).bad(&["unknown paper \"gal\"", "mean gla?"]);
    offprint(folder.path(), &["use", "advmoe"]).bad(&["advmoe is planned"]);
}

#[test]
fn comet_trains_predicts_and_shows_experts() {
    let folder = tempfile::tempdir().unwrap();
    let table = root().join("examples/comet/wine.csv");
    let table = table.to_str().unwrap();
    let comet =
        |arguments: &[&str]| offprint(folder.path(), &[&["use", "comet"], arguments].concat());
    let train = [
        "train",
        table,
        "--targets",
        "cultivar,color_intensity",
        "--out",
        "model",
    ];
    let trained = comet(&[&train[..], &["--json"]].concat()).good().json();
    let [cultivar, color] = [&trained["targets"][0], &trained["targets"][1]];
    assert!(cultivar["value"].as_f64().unwrap() > 0.85, "{trained}");
    assert!(
        color["value"].as_f64().unwrap() < 0.8 * color["baseline"].as_f64().unwrap(),
        "{trained}"
    );
    for name in ["model.safetensors", "config.json"] {
        assert!(folder.path().join("model").join(name).is_file());
    }
    comet(&train).bad(&["model is there already", "--overwrite"]);
    let text = comet(&[&train[..], &["--overwrite", "--epochs", "2"]].concat())
        .good()
        .out;
    assert!(text.contains("wrote model") && text.lines().all(|line| line.chars().count() <= 80));

    comet(&["predict", "model", table, "--out", "p.csv"]).good();
    let predictions = fs::read_to_string(folder.path().join("p.csv")).unwrap();
    assert_eq!(predictions.lines().count(), 179);
    assert!(
        predictions.starts_with("row,cultivar,P(cultivar=A),"),
        "{predictions}"
    );
    let shown = comet(&["experts", "model", table, "--out", "e.csv"])
        .good()
        .out;
    assert!(shown.contains("experts are active a row"), "{shown}");
    let weights = fs::read_to_string(folder.path().join("e.csv")).unwrap();
    assert_eq!(weights.lines().count(), 1 + 2 * 178);
    for line in weights.lines().skip(1) {
        let sum: f64 = line
            .split(',')
            .skip(3)
            .map(|weight| weight.parse::<f64>().unwrap())
            .sum();
        assert!((sum - 1.0).abs() < 1e-4, "{line}");
    }

    // A model folder that was tampered with, and tables that do not fit it.
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("other.csv", "a,b\n1,2\n");
    comet(&["predict", "model", "other.csv", "--out", "q.csv"]).bad(&["no column", "other.csv"]);
    comet(&["predict", "nowhere", table, "--out", "q.csv"]).bad(&["nowhere/config.json"]);
    let config = fs::read_to_string(folder.path().join("model/config.json")).unwrap();
    write(
        "model/config.json",
        &config.replace("\"experts\": 8", "\"experts\": 99999999"),
    );
    comet(&["predict", "model", table, "--out", "q.csv"]).bad(&["config.json is damaged"]);
    write(
        "model/config.json",
        &config.replace("\"experts\": 8", "\"experts\": 4"),
    );
    comet(&["predict", "model", table, "--out", "q.csv"]).bad(&["model.safetensors is damaged"]);
    write("model/config.json", &config[..100]);
    comet(&["predict", "model", table, "--out", "q.csv"]).bad(&["config.json is damaged"]);
    write("model/config.json", &config);
    write("model/model.safetensors", "nothing");
    comet(&["predict", "model", table, "--out", "q.csv"]).bad(&["model.safetensors is damaged"]);
    assert!(!folder.path().join("q.csv").exists());
}

#[test]
fn bad_tables_and_options_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let mut good = String::from("a,b,y\n");
    for i in 0..40 {
        good += &format!("{i},{},{}\n", i % 7, i % 3);
    }
    write("good.csv", &good);
    let bad = |table: &str, more: &[&str], words: &[&str]| {
        let train = ["use", "comet", "train", table, "--out", "model"];
        let targets: &[&str] = if more.contains(&"--targets") {
            &[]
        } else {
            &["--targets", "y"]
        };
        offprint(folder.path(), &[&train[..], targets, more].concat()).bad(words);
        assert!(!folder.path().join("model").exists());
        assert!(!folder.path().join("model.tmp").exists());
    };
    bad("missing.csv", &[], &["missing.csv"]);
    write("empty.csv", "");
    bad("empty.csv", &[], &["empty.csv"]);
    write("short.csv", "a,b,y\n1,2\n");
    bad("short.csv", &[], &["short.csv line 2"]);
    write("words.csv", &good.replace("\n5,5,", "\n5,n/a,"));
    bad(
        "words.csv",
        &[],
        &["words.csv line 7", "\"b\" holds \"n/a\"", "--missing"],
    );
    write("nan.csv", &good.replace("\n5,5,", "\nNaN,5,"));
    bad("nan.csv", &[], &["nan.csv line 7", "NaN"]);
    bad("good.csv", &["--targets", "z"], &["z", "a, b, y"]);
    bad(
        "good.csv",
        &["--experts", "1"],
        &["--experts 1", "2 to 256"],
    );
    bad("good.csv", &["--k", "9"], &["--k 9"]);
    bad("good.csv", &["--k", "0"], &["--k 0"]);
    bad("good.csv", &["--gamma", "0"], &["--gamma 0"]);
    bad("good.csv", &["--search-share", "2"], &["--search-share 2"]);
    bad(
        "good.csv",
        &["--learning-rate", "nan"],
        &["--learning-rate NaN"],
    );
    bad("good.csv", &["--ignore", "c"], &["\"c\""]);
}
