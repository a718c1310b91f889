//! `offprint train`: every kind of backbone, and runs that go on where they stopped.

use crate::{Ended, command, offprint};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

/// Writes a configuration and trains it.
pub fn train(folder: &Path, text: &str, more: &[&str]) -> Ended {
    fs::write(folder.join("run.toml"), text).unwrap();
    offprint(folder, &[&["train", "--config", "run.toml"], more].concat())
}

pub const DIGITS: &str = r#"
name = "digits"
[backbone]
kind = "mlp"
hidden = [32]
dropout = 0.1
norm = "batch"
[data]
set = "sklearn-digits"
[training]
epochs = 4
batch = 32
learning_rate = 5e-3
"#;

/// The test numbers of the first trial of the first arm.
fn metrics(record: &Value) -> &Value {
    &record["arms"][0]["trials"][0]["metrics"]
}

#[test]
fn a_run_is_stored_and_reported_like_a_study() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{DIGITS}seeds = 2\n[[arm]]\nname = \"relu\"\n[[arm]]\nname = \"wide-silu\"\n\
        backbone.activation = \"silu\"\nbackbone.hidden = [48, 48]\n"
    );
    let record = train(folder.path(), &text, &["--json"]).good().json();
    assert_eq!(
        (&record["slug"], &record["budget"]),
        (&"digits".into(), &"train".into())
    );
    assert_eq!(record["arms"][1]["arm"]["name"], "wide-silu");
    assert_eq!(record["arms"][1]["tuned"]["backbone.activation"], "silu");
    assert_eq!(record["settings"]["training.batch"], 32);
    for arm in record["arms"].as_array().unwrap() {
        assert_eq!(arm["trials"].as_array().unwrap().len(), 2);
        let metrics = &arm["trials"][0]["metrics"];
        assert!(metrics["accuracy"].as_f64() > Some(0.85), "{metrics}");
        assert!(metrics["step_ms"].as_f64() > Some(0.0), "{metrics}");
        let curves = &arm["trials"][0]["curves"];
        assert!(
            curves["validation loss"]
                .as_array()
                .is_some_and(|curve| curve.len() > 3)
        );
    }
    // 64·32 + 32, batch norm's 64, 32·10 + 10.
    assert_eq!(metrics(&record)["parameters"], 2080.0 + 64.0 + 330.0);
    let trial = folder.path().join("runs/digits/train/relu/1");
    let names = fs::read_dir(&trial)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "lock",
            "metrics.jsonl",
            "model.safetensors",
            "outcome.json",
            "trial.json",
            "worker.log"
        ]
    );
    // The same command uses all of it again.
    let again = train(folder.path(), &text, &["--json"]).good();
    assert!(again.err.contains("4 kept from before"), "{}", again.err);
    assert_eq!(again.json()["arms"], record["arms"]);

    let report = offprint(folder.path(), &["report", "digits"]).good().out;
    assert!(
        report.contains("wide-silu") && report.contains("mlp on sklearn-digits"),
        "{report}"
    );
    assert!(
        report.contains("Settings as configured; nothing was tuned."),
        "{report}"
    );
    assert!(!report.contains("budget"), "{report}");
    offprint(folder.path(), &["report", "digits", "--html", "page.html"]).good();
    assert!(
        fs::read_to_string(folder.path().join("page.html"))
            .unwrap()
            .contains("<svg")
    );
    let runs = offprint(folder.path(), &["runs", "--json"]).good().json();
    assert_eq!(
        (&runs[0]["slug"], &runs[0]["finished"]),
        (&"digits".into(), &4.into())
    );
    offprint(folder.path(), &["report", "digit"])
        .bad(&["unknown paper or run \"digit\"", "did you mean digits?"]);
    offprint(folder.path(), &["runs", "--delete", "digits"]).good();
    offprint(folder.path(), &["runs", "--delete", "digits"]).bad(&["digits"]);
}

#[test]
fn settings_of_the_command_line_win_and_arms_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        format!("{DIGITS}[[arm]]\nname = \"a\"\ntraining.batch = 16\n[[arm]]\nname = \"b\"\n");
    let more = [
        "--set",
        "training.batch=64",
        "--set",
        "training.epochs=1",
        "--arms",
        "a",
        "--seeds",
        "2",
        "--json",
    ];
    let record = train(folder.path(), &text, &more).good().json();
    assert_eq!(record["settings"]["training.batch"], 64);
    assert_eq!(
        (record["arms"].as_array().unwrap().len(), &record["seeds"]),
        (1, &serde_json::json!([0, 1]))
    );
}

/// Every kind of backbone on data it takes, with slots that are not the usual ones.
#[test]
fn every_kind_trains() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = "[backbone.blocks]\nlayers = 1\nwidth = 16\nheads = 2\nnorm = \"rms\"\nactivation = \"silu\"\n";
    let digits = "[data]\nset = \"sklearn-digits\"\nrows = 96\nheld_out = 48\n";
    let text = "[data]\ntext = \"words.txt\"\nlength = 16\nheld_out = 8\n";
    fs::write(
        folder.path().join("words.txt"),
        "It was the best of times, it was the worst of times. ".repeat(60),
    )
    .unwrap();
    for (kind, backbone, data, scores) in [
        (
            "mlp",
            "activation = \"gelu\"\nnorm = \"layer\"\n".to_string(),
            digits,
            &["accuracy"][..],
        ),
        (
            "mlp",
            "hidden = []\n".into(),
            "[data]\nset = \"diabetes\"\n",
            &["rmse"],
        ),
        (
            "lenet",
            "activation = \"tanh\"\npool = \"average\"\n".into(),
            "[data]\nset = \"opencv-digits\"\nrows = 96\nheld_out = 48\n",
            &["accuracy"],
        ),
        (
            "convnet",
            "widths = [4, 8]\nnorm = \"batch\"\n".into(),
            digits,
            &["accuracy"],
        ),
        (
            "resnet",
            "depth = 8\nwidth = 4\nquantizer = { uniform = { bits = 8 } }\n".into(),
            digits,
            &["accuracy"],
        ),
        (
            "unet",
            "levels = 1\nwidth = 4\n".into(),
            digits,
            &["accuracy", "iou"],
        ),
        ("vit", format!("patch = 4\n{blocks}"), digits, &["accuracy"]),
        (
            "gnn",
            "hidden = [8]\naggregation = \"gin\"\n".into(),
            digits,
            &["accuracy"],
        ),
        (
            "gnn",
            "hidden = [8]\naggregation = \"sage\"\n".into(),
            "[data]\nset = \"wine\"\nneighbors = 4\n",
            &["accuracy"],
        ),
        (
            "gpt",
            format!(
                "positions = {{ rotary = {{ base = 10000.0 }} }}\n{blocks}channel_mixer = \"gated\"\n"
            ),
            text,
            &["bits_per_byte", "perplexity", "accuracy"],
        ),
        ("encoder", blocks.into(), text, &["perplexity"]),
        ("encoder_decoder", blocks.into(), text, &["bits_per_byte"]),
    ] {
        let config = format!(
            "name = \"smoke\"\n[backbone]\nkind = \"{kind}\"\n{backbone}{data}[training]\nsteps = 3\nbatch = 32\n"
        );
        let record = train(folder.path(), &config, &["--json"]).good().json();
        let metrics = metrics(&record);
        for name in ["loss", "validation", "parameters", "step_ms"]
            .iter()
            .chain(scores)
        {
            assert!(
                metrics[*name].as_f64().is_some_and(f64::is_finite),
                "{kind}: {name} in {metrics}"
            );
        }
    }
}

/// Numbers and curves of a store's trials, as their bytes; the clock's are left out.
fn numbers(store: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for seed in ["0", "1"] {
        let trial = store.join("digits/train/mlp").join(seed);
        let outcome = fs::read_to_string(trial.join("outcome.json")).unwrap();
        let mut outcome: Value = serde_json::from_str(&outcome).unwrap();
        outcome["metrics"]
            .as_object_mut()
            .unwrap()
            .remove("step_ms");
        found.push(outcome["metrics"].to_string());
        found.push(fs::read_to_string(trial.join("metrics.jsonl")).unwrap());
        found.push(format!(
            "{:?}",
            fs::read(trial.join("model.safetensors")).unwrap()
        ));
        assert!(!trial.join("checkpoint.safetensors").exists());
    }
    found
}

/// Batch norm's running statistics, dropout, AdamW and the schedule all go on as if nothing had happened.
#[test]
fn kills_at_random_moments_change_no_number() {
    let kills: u32 = std::env::var("OFFPRINT_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{DIGITS}schedule = \"cosine\"\nwarmup = 10\nclip_norm = 1.0\nseeds = 2\n");
    let run = |store: &'static str| ["--runs", store, "--checkpoint-seconds", "0", "--json"];
    let started = Instant::now();
    train(folder.path(), &text, &run("undisturbed")).good();
    let undisturbed = started.elapsed();
    let expected = numbers(&folder.path().join("undisturbed"));
    let disturbed = [&["train", "--config", "run.toml"], &run("disturbed")[..]].concat();
    let mut state = 0x1512_0338_u64;
    let mut killed = 0;
    while killed < kills {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let moment = undisturbed.mul_f64((state >> 40) as f64 / (1 << 24) as f64);
        let mut child = command(folder.path(), &disturbed)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + moment;
        while child.try_wait().unwrap().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        match child.try_wait().unwrap() {
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            }
            Some(status) => {
                assert!(status.success());
                assert_eq!(numbers(&folder.path().join("disturbed")), expected);
                fs::remove_dir_all(folder.path().join("disturbed")).unwrap();
            }
        }
    }
    offprint(folder.path(), &disturbed).good();
    assert_eq!(numbers(&folder.path().join("disturbed")), expected);
}

#[test]
fn own_files_train_and_new_contents_are_new_trials() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |shift: usize| {
        let rows = (0..60).map(|row| {
            format!(
                "{},{}\n",
                row + shift,
                if row % 3 == 0 { "low" } else { "high" }
            )
        });
        format!("x,level\n{}", rows.collect::<String>())
    };
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/t.csv"), rows(0)).unwrap();
    let text = "name = \"own\"\n[backbone]\nkind = \"mlp\"\n[data]\ntable = \"t.csv\"\ntarget = \"level\"\n[training]\nsteps = 2\n";
    let more = ["--data-dir", "data", "--json"];
    let first = train(folder.path(), text, &more).good();
    assert!(metrics(&first.json())["accuracy"].as_f64().is_some());
    let again = train(folder.path(), text, &more).good();
    assert!(again.err.contains("1 kept from before"), "{}", again.err);
    fs::write(folder.path().join("data/t.csv"), rows(7)).unwrap();
    let other = train(folder.path(), text, &more).good();
    assert!(!other.err.contains("kept from before"), "{}", other.err);
}

#[test]
fn cifar_and_idx_files_train() {
    let folder = tempfile::tempdir().unwrap();
    let record = |class: u8| {
        [
            vec![class],
            (0..3072).map(|i| (i % 251) as u8 ^ (class * 20)).collect(),
        ]
        .concat()
    };
    for name in [
        "data_batch_1",
        "data_batch_2",
        "data_batch_3",
        "data_batch_4",
        "data_batch_5",
        "test_batch",
    ] {
        let records: Vec<u8> = (0..20).flat_map(|row| record(row % 10)).collect();
        fs::write(folder.path().join(format!("{name}.bin")), records).unwrap();
    }
    let training = "[training]\nsteps = 2\nbatch = 16\n";
    let text = format!(
        "name = \"cifar\"\n[backbone]\nkind = \"resnet\"\ndepth = 8\nwidth = 2\n[data]\nset = \"cifar10\"\naugment = \"crop-flip\"\n{training}"
    );
    train(folder.path(), &text, &["--data-dir", "."]).good();
    train(folder.path(), &text, &[]).bad(&["data.set = cifar10 needs a folder", "--data-dir"]);
    fs::remove_file(folder.path().join("test_batch.bin")).unwrap();
    train(folder.path(), &text, &["--data-dir", "."]).bad(&["test_batch.bin"]);

    let mut images = [
        &[0, 0, 8, 3],
        &40_u32.to_be_bytes()[..],
        &12_u32.to_be_bytes(),
        &12_u32.to_be_bytes(),
    ]
    .concat();
    images.extend((0..40 * 144).map(|i| (i * 7 % 256) as u8));
    fs::write(folder.path().join("images"), images).unwrap();
    let labels = [
        &[0, 0, 8, 1],
        &40_u32.to_be_bytes()[..],
        &(0..40).map(|i| i % 2).collect::<Vec<u8>>(),
    ]
    .concat();
    fs::write(folder.path().join("labels"), labels).unwrap();
    let text = format!(
        "name = \"idx\"\n[backbone]\nkind = \"lenet\"\n[data]\nimages = \"images\"\nlabels = \"labels\"\n{training}"
    );
    train(folder.path(), &text, &[]).good();
}

/// A loss that is no number ends a trial: that is a result, not a failure.
#[test]
fn a_diverging_run_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "--set",
        "training.optimizer=sgd",
        "--set",
        "training.learning_rate=1e30",
        "--set",
        "backbone.norm=none",
        "--json",
    ];
    let record = train(folder.path(), DIGITS, &more).good().json();
    assert!(
        metrics(&record)["loss"].is_null() || metrics(&record)["loss"] == "NaN",
        "{record}"
    );
}
