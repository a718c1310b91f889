//! Studies: runs, what they leave, and what bad input gets.

use crate::{Ended, SMALL, command, offprint};
use serde_json::Value;
use std::{fs, path::Path};

fn run(folder: &Path, more: &[&str]) -> Ended {
    offprint(folder, &[&["run", "comet"], SMALL, more].concat())
}

/// Everything of a record that does not depend on the clock.
fn numbers(record: &Value) -> Vec<Value> {
    let arms = record["arms"].as_array().unwrap().iter();
    let trials = arms.flat_map(|arm| arm["trials"].as_array().unwrap());
    trials
        .map(|trial| serde_json::json!([trial["metrics"], trial["curves"]]))
        .collect()
}

#[test]
fn a_smoke_run_of_every_arm_leaves_a_record_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let arms = "softmax,hash,hash+,topk,topk+,dselect-k,dselect-k+,comet,comet+";
    let first = run(folder.path(), &["--arms", arms, "--seeds", "1", "--json"]).good();
    let record = first.json();
    for arm in record["arms"].as_array().unwrap() {
        let loss = &arm["trials"][0]["metrics"]["loss"];
        assert!(
            loss.as_f64()
                .is_some_and(|loss| (0.1..10.0).contains(&loss)),
            "{arm}"
        );
    }
    assert!(first.err.contains("comet+ seed 0 done"), "{}", first.err);
    // The same command reuses everything and says the same.
    let again = run(folder.path(), &["--arms", arms, "--seeds", "1", "--json"]).good();
    assert_eq!(numbers(&again.json()), numbers(&record));
    assert!(again.err.contains("9 kept from before"), "{}", again.err);

    let report = offprint(folder.path(), &["report", "comet"]).good().out;
    for line in report.lines() {
        // A command to copy is never broken.
        assert!(
            line.chars().count() <= 80 || line.starts_with(" Repeat it"),
            "{line}"
        );
    }
    assert!(
        offprint(folder.path(), &["report", "comet", "--md"])
            .good()
            .out
            .contains("| comet+ |")
    );
    assert_eq!(
        numbers(
            &offprint(folder.path(), &["report", "comet", "--json"])
                .good()
                .json()
        ),
        numbers(&record)
    );
    offprint(
        folder.path(),
        &["report", "comet", "--html", "a.html", "--out", "all"],
    )
    .good();
    let page = fs::read_to_string(folder.path().join("a.html")).unwrap();
    assert!(
        page.starts_with("<!doctype html>") && page.contains("<svg") && !page.contains("<script")
    );
    for name in [
        "report.html",
        "report.md",
        "report.json",
        "figures/claims.svg",
    ] {
        assert!(folder.path().join("all").join(name).is_file(), "{name}");
    }
    run(
        folder.path(),
        &["--arms", arms, "--seeds", "1", "--tensorboard", "tb"],
    )
    .good();
    assert!(folder.path().join("tb/comet/0").is_dir());

    let runs = offprint(folder.path(), &["runs", "--json"]).good().json();
    assert_eq!(
        (&runs[0]["slug"], &runs[0]["finished"]),
        (&"comet".into(), &9.into())
    );
    offprint(folder.path(), &["runs", "--delete", "comet/quick"]).good();
    assert!(
        offprint(folder.path(), &["runs"])
            .good()
            .out
            .contains("No runs")
    );
    offprint(folder.path(), &["runs", "--delete", "comet"]).bad(&["no runs of comet"]);
    offprint(folder.path(), &["report", "comet"]).bad(&["no full or quick run of comet"]);
}

#[test]
fn settings_come_from_the_command_line_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("s.toml"),
        "k = 3\nlearning_rate = 0.002\n",
    )
    .unwrap();
    let arguments = [
        "--arms", "topk", "--seeds", "1", "--config", "s.toml", "--set", "k=1", "--json",
    ];
    let record = run(folder.path(), &arguments).good().json();
    assert_eq!(record["settings"]["k"], 1);
    assert_eq!(record["settings"]["learning_rate"], 0.002);
    assert_eq!(record["arms"][0]["trials"][0]["metrics"]["active"], 1.0);
    // What the user fixed, tuning leaves alone; what they left, the committed tuning sets.
    assert!(record["arms"][0]["tuned"]["learning_rate"].is_null());
    let record = run(folder.path(), &["--arms", "topk", "--seeds", "1", "--json"])
        .good()
        .json();
    assert!(
        record["arms"][0]["tuned"]["learning_rate"].is_f64(),
        "{}",
        record["arms"][0]
    );
}

#[test]
fn full_tunes_every_arm_on_validation_data_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--budget",
        "full",
        "--arms",
        "topk,topk+",
        "--seeds",
        "2",
        "--set",
        "pictures=64",
        "--set",
        "epochs=1",
        "--set",
        "restarts=1",
        "--json",
    ];
    let record = run(folder.path(), &arguments).good().json();
    for arm in record["arms"].as_array().unwrap() {
        let tuning = arm["tuning"].as_array().unwrap();
        let best = tuning.iter().min_by(|a, b| {
            let score = |t: &Value| t["validation"].as_f64().unwrap();
            score(a).total_cmp(&score(b))
        });
        assert_eq!(tuning.len(), 16);
        assert_eq!(arm["tuned"], best.unwrap()["settings"]);
        let metrics = &arm["trials"][0]["metrics"];
        assert!(metrics["worst_start"].as_f64() >= metrics["loss"].as_f64());
    }
    // Arms share the draws of the settings that they share.
    let rate = |arm: usize| record["arms"][arm]["tuning"][3]["settings"]["learning_rate"].clone();
    assert_eq!(rate(0), rate(1));
    offprint(folder.path(), &["report", "comet", "--out", "r"]).good();
    let tuned = fs::read_to_string(folder.path().join("r/tuned.toml")).unwrap();
    assert!(
        tuned.contains("[topk]") && tuned.contains("trials = 16"),
        "{tuned}"
    );
}

#[test]
fn bad_input_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let bad = |arguments: &[&str], words: &[&str]| {
        offprint(folder.path(), &[&["run", "comet"], arguments].concat()).bad(words);
        assert!(
            !folder.path().join("runs").exists(),
            "{arguments:?} wrote something"
        );
    };
    bad(
        &["--set", "experts=1"],
        &[
            "experts = 1, but COMET needs 2 to 256",
            "from --set experts=1",
        ],
    );
    bad(&["--set", "k=9"], &["k = 9", "1 to 8"]);
    bad(&["--set", "k=0"], &["k = 0"]);
    bad(&["--set", "gamma=0"], &["gamma = 0", "above 0"]);
    bad(&["--set", "gamma=nan"], &["gamma"]);
    bad(&["--set", "learning_rate=-1"], &["learning_rate = -1"]);
    bad(&["--set", "dropout=1"], &["dropout = 1"]);
    bad(&["--set", "expert=cnm"], &["expert = \"cnm\"", "`cnn`"]);
    bad(
        &["--set", "expert=cnn", "--set", "data=movielens"],
        &["expert = cnn", "pictures"],
    );
    bad(
        &["--set", "learning_rat=1"],
        &[
            "unknown setting \"learning_rat\"",
            "did you mean learning_rate?",
        ],
    );
    bad(&["--set", "k"], &["has no \"=\""]);
    bad(&["--config", "missing.toml"], &["missing.toml"]);
    bad(
        &["--arms", "commet"],
        &["unknown arm \"commet\"", "did you mean comet?"],
    );
    bad(&["--seeds", "0"], &["--seeds 0"]);
    bad(&["--jobs", "0"], &["--jobs 0"]);
    bad(&["--checkpoint-seconds", "-1"], &["-1"]);
    bad(&["--data-dir", "nowhere"], &["nowhere"]);
    fs::write(folder.path().join("s.toml"), "k = 2\nexpert_count = 3\n").unwrap();
    bad(
        &["--config", "s.toml"],
        &["unknown setting \"expert_count\"", "in s.toml"],
    );
    fs::write(folder.path().join("s.toml"), "k = \n").unwrap();
    bad(&["--config", "s.toml"], &["s.toml", "line 1"]);
}

#[test]
fn movielens_says_what_it_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let arguments = ["--set", "data=movielens", "--arms", "topk", "--seeds", "1"];
    let with_folder = [&arguments[..], &["--data-dir", "empty"]].concat();
    run(folder.path(), &with_folder).bad(&["u.data", "ratings.csv"]);
    run(folder.path(), &arguments).bad(&["data = movielens needs a folder", "--data-dir"]);
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn recommendations_train_from_movielens_files() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("ml");
    fs::create_dir(&data).unwrap();
    let mut ratings = String::from("userId,movieId,rating,timestamp\n");
    for user in 0..30 {
        for item in (user % 3..60).step_by(3) {
            ratings += &format!("{user},{item},{}.0,0\n", 1 + (user + item) % 5);
        }
    }
    fs::write(data.join("ratings.csv"), ratings).unwrap();
    let arguments = [
        "--set",
        "data=movielens",
        "--arms",
        "hash,comet+",
        "--seeds",
        "1",
        "--data-dir",
        "ml",
        "--set",
        "embedding=8",
        "--json",
    ];
    let record = run(folder.path(), &arguments).good().json();
    for arm in record["arms"].as_array().unwrap() {
        let metrics = &arm["trials"][0]["metrics"];
        assert!(
            metrics["auc"]
                .as_f64()
                .is_some_and(|auc| (0.0..=1.0).contains(&auc)),
            "{metrics}"
        );
        assert!(metrics["rmse"].as_f64().is_some() && metrics["accuracy_left"].is_null());
    }
}

#[test]
fn pictures_come_from_mnist_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mnist");
    fs::create_dir(&data).unwrap();
    let count = 300_u32;
    for part in ["train", "t10k"] {
        let mut images = [&[0, 0, 8, 3], &count.to_be_bytes()[..]].concat();
        images.extend([28_u32.to_be_bytes(), 28_u32.to_be_bytes()].concat());
        let mut labels = [&[0, 0, 8, 1], &count.to_be_bytes()[..]].concat();
        for digit in 0..count {
            // A bar whose height tells the class.
            let class = (digit % 10) as usize;
            labels.push(class as u8);
            images.extend((0..28 * 28).map(|at| if at / 28 < 2 * class + 4 { 255 } else { 0 }));
        }
        fs::write(data.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        fs::write(data.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
    let arguments = [
        "--arms",
        "topk",
        "--seeds",
        "1",
        "--data-dir",
        "mnist",
        "--json",
    ];
    let record = run(folder.path(), &arguments).good().json();
    let metrics = &record["arms"][0]["trials"][0]["metrics"];
    assert!(metrics["accuracy_left"].as_f64().is_some(), "{metrics}");
    fs::remove_file(data.join("t10k-labels-idx1-ubyte")).unwrap();
    run(folder.path(), &["--data-dir", "mnist"]).bad(&["t10k-labels-idx1-ubyte"]);
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("runs"), "not a folder").unwrap();
    let failed = run(folder.path(), &["--arms", "topk", "--seeds", "1"]);
    assert_eq!(failed.code, 1);
    assert!(failed.err.contains("runs/comet/quick"), "{}", failed.err);
}

#[test]
fn a_second_program_waits_for_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        &["run", "comet"],
        SMALL,
        &["--arms", "comet", "--seeds", "2"],
    ]
    .concat();
    let mut first = command(folder.path(), &arguments);
    first
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut first = first.spawn().unwrap();
    let lock = folder.path().join("runs/comet/quick/lock");
    while fs::read_to_string(&lock).map_or(true, |holder| holder.is_empty()) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let second = offprint(folder.path(), &arguments).good();
    assert!(first.wait().unwrap().success());
    assert!(second.err.contains("in use by process"), "{}", second.err);
    assert!(second.err.contains("2 kept from before"), "{}", second.err);
}
