//! `offprint run fast-ibp` and `offprint use fast-ibp`, on the example's digits and on bad files.

use crate::{Ended, kills::ends_with_the_same_numbers, offprint, root};
use std::{fs, path::Path};

/// Settings under which a trial takes a second.
const SMALL: &[&str] = &[
    "--set",
    "width=2",
    "--set",
    "hidden=8",
    "--set",
    "samples=64",
    "--set",
    "held_out=20",
    "--set",
    "steps=10",
    "--set",
    "batch=16",
    "--set",
    "attack_steps=2",
    "--set",
    "test_steps=3",
];

const ARMS: &str = "standard,pgd,vanilla,vanilla-long,crown-ibp,crown-ibp-long,fast,fast-crown-ibp,init-only,\
    norm-only,regularizers-only,no-init,no-norm,no-regularizers";

fn run(folder: &Path, more: &[&str]) -> Ended {
    offprint(folder, &[&["run", "fast-ibp"], SMALL, more].concat())
}

#[test]
fn a_smoke_run_of_every_arm() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let record = run(folder, &["--arms", ARMS, "--seeds", "1", "--json"])
        .good()
        .json();
    let arms = record["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 14);
    for arm in arms {
        let name = arm["arm"]["name"].as_str().unwrap();
        let metrics = &arm["trials"][0]["metrics"];
        let of = |metric: &str| {
            let value = metrics[metric].as_f64();
            value.unwrap_or_else(|| panic!("{name} {metric}: {metrics}"))
        };
        // What is proved at a radius withstands attacks there, and no attack is needed for what is wrong already.
        assert!(
            of("clean") <= of("pgd") && of("pgd") <= of("verified_crown"),
            "{name}: {metrics}"
        );
        assert!(of("verified_crown") <= of("verified"), "{name}: {metrics}");
        assert!(of("verified_third") <= of("verified"), "{name}: {metrics}");
        for metric in [
            "growth",
            "imbalance",
            "width",
            "validation",
            "pgd_released",
            "selected",
        ] {
            of(metric);
        }
    }
    let growth = |name: &str| {
        let mut arms = arms.iter();
        let arm = arms.find(|arm| arm["arm"]["name"] == name).unwrap();
        arm["trials"][0]["metrics"]["growth"].as_f64().unwrap()
    };
    assert!((growth("vanilla") - 1.0).abs() < 1e-9);
    assert!(growth("init-only") < growth("vanilla"));
    for network in ["cnn7", "residual"] {
        let set = format!("network={network}");
        run(
            folder,
            &[
                "--arms",
                "fast-crown-ibp",
                "--seeds",
                "1",
                "--fresh",
                "--set",
                &set,
            ],
        )
        .good();
    }
}

/// Attacks draw their starts, and batch norms keep running statistics: both come back.
#[test]
fn an_interrupted_trial_ends_with_the_same_numbers() {
    for arm in ["pgd", "fast"] {
        let settings = [SMALL, &["--set", "steps=60"]].concat();
        ends_with_the_same_numbers("fast-ibp", arm, &settings, &[]);
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (set, words) in [
        ("eps=0", &["eps = 0", "above 0"][..]),
        ("eps=nan", &["eps"]),
        ("width=0", &["width = 0", "1 to 512"]),
        ("warmup=1.5", &["warmup = 1.5", "0 to 1"]),
        ("lambda=-1", &["lambda = -1"]),
        ("learning_rate=0", &["learning_rate = 0"]),
        ("samples=9000", &["samples = 9000", "8000 such pictures"]),
        ("network=cnn8", &["cnn8", "cnn7"]),
        ("data=cifar10", &["needs a folder", "--data-dir"]),
        ("batches=3", &["\"batches\"", "did you mean batch?"]),
    ] {
        run(folder.path(), &["--set", set]).bad(words);
    }
}

#[test]
fn shows_the_method_in_one_screen() {
    let show = offprint(Path::new("."), &["show", "fast-ibp"]).good().out;
    assert!(
        show.lines().all(|line| line.chars().count() <= 80),
        "{show}"
    );
    assert!(show.lines().count() <= 56, "{show}");
    for words in [
        "r' = r|W|",
        "certify::training::ibp_init",
        "use fast-ibp certify",
    ] {
        assert!(show.contains(words), "{show}");
    }
}

fn example(name: &str) -> String {
    let path = root().join("examples/fast-ibp").join(name);
    path.to_str().unwrap().to_string()
}

fn fast(folder: &Path, arguments: &[&str]) -> Ended {
    offprint(folder, &[&["use", "fast-ibp"], arguments].concat())
}

const RANGE: [&str; 4] = ["--clip", "0,16", "--eps", "1"];

#[test]
fn trains_and_certifies() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (digits, held_out) = (example("digits.csv"), example("held-out.csv"));
    let train = [
        &[
            "train",
            &digits,
            "--shape",
            "1,8,8",
            "--out",
            "m.safetensors",
            "--steps",
            "300",
        ][..],
        &RANGE,
    ]
    .concat();
    let trained = fast(folder, &[&train[..], &["--json"]].concat())
        .good()
        .json();
    assert!(
        trained["held_out"]["certified_accuracy"].as_f64().unwrap() > 0.5,
        "{trained}"
    );
    fast(folder, &train).bad(&["m.safetensors is there already", "--overwrite"]);
    let certify = |model: &str, more: &[&str]| {
        fast(
            folder,
            &[&["certify", model, &held_out], &RANGE[..], more].concat(),
        )
    };
    let text = certify("m.safetensors", &[]).good().out;
    assert!(text.contains("certified accuracy") && text.contains("wrote bounds.csv"));
    let lines = fs::read_to_string(folder.join("bounds.csv")).unwrap();
    assert_eq!(lines.lines().count(), 201);
    assert!(lines.starts_with("sample,label,predicted,certified,broken,margin,lower_0,upper_0"));
    certify("m.safetensors", &[]).bad(&["bounds.csv is there already"]);

    // The usual network from PyTorch: CROWN-IBP certifies no fewer, and nothing certified is ever broken.
    let usual = example("usual.onnx");
    let by = |method: &str, out: &str| {
        let more = ["--method", method, "--attack", "20", "--out", out, "--json"];
        certify(&usual, &more).good().json()
    };
    let (ibp, crown) = (by("ibp", "i.json"), by("crown-ibp", "c.json"));
    let share = |document: &serde_json::Value, name: &str| document[name].as_f64().unwrap();
    assert_eq!(share(&ibp, "accuracy"), 0.96);
    assert!(share(&ibp, "certified_accuracy") <= share(&crown, "certified_accuracy"));
    assert!(share(&crown, "certified_accuracy") <= share(&crown, "attacked_accuracy"));
    let rows: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.join("c.json")).unwrap()).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 200);
    for row in rows.as_array().unwrap() {
        let certified = row["certified"].as_bool().unwrap();
        assert!(!certified || row["predicted"] == row["label"]);
        assert!(!(certified && row["broken"].as_bool().unwrap()));
        let (low, high) = (&row["lower"][0], &row["upper"][0]);
        assert!(low.as_f64().unwrap() <= high.as_f64().unwrap());
    }
    // A damaged network, and one that was not trained here.
    let bytes = fs::read(folder.join("m.safetensors")).unwrap();
    fs::write(folder.join("cut.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    let free = ["--out", "free.csv"];
    certify("cut.safetensors", &free).bad(&["cut.safetensors"]);
    fs::write(folder.join("empty.onnx"), "").unwrap();
    certify("empty.onnx", &free).bad(&["empty.onnx: the file is no ONNX model"]);
    certify("nowhere.onnx", &free).bad(&["cannot read nowhere.onnx"]);
    certify("m.txt", &free).bad(&["m.txt", ".safetensors or .onnx"]);
    assert!(!folder.join("free.csv").exists());
}

#[test]
fn networks_that_are_not_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("x.csv"), "0.1,0.2,0\n0.3,0.4,2\n").unwrap();
    for (name, words) in [
        (
            "bad-sigmoid",
            &["Sigmoid \"squash\" is not read", "AveragePool"][..],
        ),
        (
            "good-relu-end",
            &["ends with ReLU \"last\"", "margins need a linear layer"],
        ),
        ("bad-variance", &["batch norm \"norm\" has variance -1"]),
        ("bad-nan", &["\"fc.weight\" holds NaN"]),
        ("bad-shape", &["linear layer \"fc\" reads [5]"]),
    ] {
        let model = root().join(format!("fuzz/corpus/onnx/{name}.onnx"));
        let call = ["certify", model.to_str().unwrap(), "x.csv", "--eps", "0.1"];
        fast(folder, &call).bad(words);
    }
    assert!(!folder.join("bounds.csv").exists());
}

#[test]
fn bad_samples_and_options_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let usual = example("usual.onnx");
    let held_out = example("held-out.csv");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("empty.csv", "");
    write("nan.csv", "0.1,nan,0\n");
    write("small.csv", "0.1,0.2,0\n");
    write("half.csv", "0.1,0.5\n");
    write("one.csv", "3\n4\n");
    write("few.csv", "0\n1\n");
    let eleven = format!("{}11\n", "0,".repeat(64));
    write("eleven.csv", &eleven);
    let certify = |change: &[&str], words: &[&str]| {
        let mut call = vec!["certify", &usual];
        call.extend(change);
        if !change.contains(&"--eps") {
            call.extend(["--eps", "1"]);
        }
        fast(folder, &call).bad(words);
        assert!(!folder.join("bounds.csv").exists());
    };
    certify(&[&held_out, "--eps", "-0.1"], &["--eps -0.1", "at least 0"]);
    certify(&[&held_out, "--eps", "nan"], &["--eps NaN"]);
    certify(
        &[&held_out, "--clip", "1,0"],
        &["--clip 1,0", "the smaller first"],
    );
    certify(&[&held_out, "--clip", "1"], &["--clip 1"]);
    certify(
        &[&held_out],
        &["feature", "--clip says 0 to 1", "--clip none"],
    );
    certify(&["missing.csv"], &["missing.csv"]);
    certify(&["empty.csv"], &["empty.csv"]);
    certify(&["nan.csv"], &["nan.csv", "finite"]);
    certify(&["one.csv", "--clip", "none"], &["one.csv has one column"]);
    certify(&["small.csv"], &["small.csv has shape [2]", "reads [64]"]);
    certify(&["half.csv"], &["label 0.5 of sample 0"]);
    certify(
        &["eleven.csv"],
        &["label 11 of sample 0", "10 classes: 0 to 9"],
    );
    certify(
        &["small.csv", "--labels", "few.csv"],
        &["few.csv has 2 labels", "1 samples"],
    );
    certify(
        &[&held_out, "--method", "crown"],
        &["\"crown\"", "did you mean crown-ibp?"],
    );
    certify(&[&held_out, "--attack", "100001"], &["--attack 100001"]);
    certify(
        &[&held_out, "--attack", "-5"],
        &["'-5' for '--attack", "at least 0"],
    );
    certify(
        &[&held_out, "--out", "no/b.csv"],
        &["cannot write no/b.csv", "no folder no"],
    );
    certify(
        &[&held_out, "--out", "b.txt"],
        &["--out b.txt", ".csv or .json"],
    );

    let digits = example("digits.csv");
    let train = |data: &str, change: &[&str], words: &[&str]| {
        let mut call = vec!["train", data, "--eps", "1"];
        if !change.contains(&"--out") {
            call.extend(["--out", "m.safetensors"]);
        }
        if !change.contains(&"--clip") {
            call.extend(["--clip", "0,16"]);
        }
        call.extend(change);
        fast(folder, &call).bad(words);
        assert!(!folder.join("m.safetensors").exists());
    };
    train(&digits, &["--shape", "1,8"], &["--shape 1,8", "1,28,28"]);
    train(
        &digits,
        &["--shape", "1,8,9"],
        &["--shape 1,8,9", "64 features"],
    );
    train(&digits, &["--steps", "0"], &["--steps 0", "at least 1"]);
    train(
        &digits,
        &["--steps", "-1"],
        &["'-1' for '--steps", "a whole number"],
    );
    train(
        &digits,
        &["--out", "no/m.safetensors"],
        &["cannot write no/m.safetensors"],
    );
    train(
        &digits,
        &["--width", "9999"],
        &["--width 9999", "at most 512"],
    );
    train(&digits, &["--learning-rate", "0"], &["--learning-rate 0"]);
    train(&digits, &["--warmup", "1.5"], &["--warmup 1.5", "0 to 1"]);
    train(&digits, &["--held-out", "1"], &["--held-out 1", "below 1"]);
    train(
        &digits,
        &["--method", "crwn-ibp"],
        &["did you mean crown-ibp?"],
    );
    train(
        &digits,
        &["--out", "m.onnx"],
        &["--out m.onnx", ".safetensors"],
    );
    train("small.csv", &[], &["label 0", "two classes"]);
    write("two.csv", "1,0\n2,1\n");
    train("two.csv", &[], &["two.csv"]);
}
