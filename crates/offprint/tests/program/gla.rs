//! GLA as a user runs it: the study in small, and `offprint use gla` on a real text and on bad input.

use crate::{Ended, command, kills::ends_with_the_same_numbers, offprint, root};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Output, Stdio},
};

/// Settings under which a trial takes a second.
const SMALL: &[&str] = &[
    "--set",
    "layers=1",
    "--set",
    "width=32",
    "--set",
    "heads=2",
    "--set",
    "context=16",
    "--set",
    "batch=4",
    "--set",
    "steps=4",
    "--set",
    "windows=2",
    "--set",
    "pairs=2",
    "--set",
    "symbols=4",
    "--set",
    "recall_length=8",
    "--set",
    "recall_batch=4",
    "--set",
    "recall_steps=4",
    "--set",
    "timed_width=8",
];

#[test]
fn every_arm_runs_and_reports() {
    let folder = tempfile::tempdir().unwrap();
    let run = [&["run", "gla"], SMALL, &["--seeds", "1", "--json"]].concat();
    let document = offprint(folder.path(), &run).good().json();
    let text = document.to_string();
    for arm in [
        "transformer",
        "linear-attention",
        "retnet",
        "mamba",
        "gla",
        "gla-wide",
    ] {
        assert!(text.contains(&format!("\"{arm}\"")), "{arm}");
        let trial = folder.path().join("runs/gla/quick").join(arm).join("0");
        let outcome = fs::read_to_string(trial.join("outcome.json")).unwrap();
        for metric in [
            "loss",
            "perplexity",
            "extrapolation",
            "recall",
            "milliseconds",
            "slope",
        ] {
            assert!(outcome.contains(metric), "{arm} has no {metric}: {outcome}");
        }
        assert!(trial.join("table-lengths.json").exists());
    }
}

#[test]
fn an_interrupted_trial_ends_with_the_same_numbers() {
    let settings = [SMALL, &["--set", "steps=40", "--set", "recall_steps=40"]].concat();
    ends_with_the_same_numbers("gla", "gla", &settings, &["milliseconds", "slope"]);
}

#[test]
fn settings_of_the_study_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, words) in [
        ("width=60", ["width = 60", "2 · heads = 8"]),
        ("pairs=40", ["pairs = 40", "number of symbols"]),
        ("recall_length=9", ["length = 9", "three a pair"]),
        ("learning_rate=0", ["learning_rate = 0", "above 0"]),
        ("timed_length=5000", ["timed_length = 5000", "power of two"]),
        ("text=bible", ["bible", "king-james"]),
        ("contxt=8", ["contxt", "context"]),
    ] {
        offprint(folder.path(), &["run", "gla", "--set", setting]).bad(&words);
    }
    assert!(!folder.path().join("runs/gla").exists());
}

/// Runs the program with a text on standard input.
fn fed(folder: &Path, arguments: &[&str], text: &[u8]) -> Output {
    let mut child = command(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait_with_output().unwrap()
}

/// The same draws give the same bytes.
const SAMPLE: [&str; 6] = ["--tokens", "40", "--temperature", "0.5", "--seed", "3"];

fn generate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["generate", "model"], more, &SAMPLE[..]].concat()
}

#[test]
fn trains_generates_and_keeps_states() {
    let folder = tempfile::tempdir().unwrap();
    let text = root().join("examples/gla/dream.txt");
    let text = text.to_str().unwrap();
    let gla = |arguments: &[&str]| offprint(folder.path(), &[&["use", "gla"], arguments].concat());
    let small = [
        "--layers",
        "1",
        "--width",
        "32",
        "--context",
        "32",
        "--steps",
        "150",
    ];
    let train = [&["train", text, "--out", "model"], &small[..]].concat();
    let trained = gla(&[&train[..], &["--json"]].concat()).good().json();
    let [bits, baseline] =
        ["held_out_bits", "baseline_bits"].map(|key| trained[key].as_f64().unwrap());
    assert!(bits < 0.9 * baseline, "{trained}");
    gla(&train).bad(&["model is there already", "--overwrite"]);

    // Whether a text is read at once, from a stream, or in pieces, the bytes that follow are the same.
    let prompt = "Now, fair Hippolyta, our nuptial hour";
    let whole = gla(&generate(&["--prompt", prompt])).good().out;
    assert_eq!(whole.len(), 40);
    let call = [&["use", "gla"][..], &generate(&["--stream"])].concat();
    let streamed = fed(folder.path(), &call, prompt.as_bytes());
    assert_eq!(String::from_utf8(streamed.stdout).unwrap(), whole);
    let (first, second) = prompt.split_at(11);
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("first.txt", first);
    write("second.txt", second);
    gla(&[
        "state",
        "save",
        "model",
        "first.txt",
        "--out",
        "a.safetensors",
    ])
    .good();
    let saved = [
        "state",
        "save",
        "model",
        "second.txt",
        "--from",
        "a.safetensors",
    ];
    let saved = gla(&[&saved[..], &["--out", "b.safetensors", "--json"]].concat()).good();
    assert_eq!(saved.json()["read"], prompt.len());
    let load = [&["state", "load", "model", "b.safetensors"], &SAMPLE[..]].concat();
    assert_eq!(gla(&load).good().out, whole);
    let more = generate(&["--from", "a.safetensors", "--prompt", second]);
    assert_eq!(gla(&more).good().out, whole);
    // The state of a whole play is no larger than that of a line.
    gla(&["state", "save", "model", text, "--out", "c.safetensors"]).good();
    let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size("c.safetensors") < size("a.safetensors") + 64);

    bad_input(folder.path(), &gla);
}

/// Models and states that were tampered with or do not fit together.
fn bad_input(folder: &Path, gla: &dyn Fn(&[&str]) -> Ended) {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    gla(&["generate", "model"]).bad(&["no text to continue", "--prompt"]);
    gla(&["generate", "model", "--prompt", ""]).bad(&["no text to continue"]);
    gla(&["generate", "nowhere", "--prompt", "a"]).bad(&["nowhere/config.json"]);
    for (option, value, word) in [
        ("--temperature", "-1", "at least 0"),
        ("--temperature", "nan", "a finite number"),
        ("--temperature", "inf", "a finite number"),
        ("--top-k", "0", "at least 1"),
        ("--top-k", "-1", "a whole number"),
        ("--top-p", "1.5", "at most 1"),
        ("--tokens", "999999999", "100000000"),
    ] {
        gla(&["generate", "model", "--prompt", "a", option, value]).bad(&[option, word]);
    }
    write("empty.txt", b"");
    gla(&[
        "state",
        "save",
        "model",
        "empty.txt",
        "--out",
        "d.safetensors",
    ])
    .bad(&["the text is empty"]);
    gla(&[
        "state",
        "save",
        "model",
        "none.txt",
        "--out",
        "d.safetensors",
    ])
    .bad(&["none.txt"]);
    gla(&[
        "state",
        "save",
        "model",
        "first.txt",
        "--out",
        "a.safetensors",
    ])
    .bad(&["a.safetensors is there already"]);
    assert!(!folder.join("d.safetensors").exists());
    gla(&[
        "state",
        "save",
        "model",
        "first.txt",
        "--out",
        "no/d.safetensors",
    ])
    .bad(&["no/d.safetensors", "there is no folder no"]);
    // A state of another model, another shape, or none at all.
    let text = root().join("examples/gla/dream.txt");
    let other = [
        "train",
        text.to_str().unwrap(),
        "--out",
        "other",
        "--layers",
        "1",
        "--width",
        "16",
    ];
    gla(&[
        &other[..],
        &["--heads", "2", "--context", "16", "--steps", "2"],
    ]
    .concat())
    .good();
    gla(&["state", "load", "other", "a.safetensors"]).bad(&["the state of another model"]);
    write("e.safetensors", b"nothing");
    gla(&["state", "load", "model", "e.safetensors"]).bad(&["e.safetensors is damaged"]);
    gla(&["state", "load", "model", "f.safetensors"]).bad(&["cannot read f.safetensors"]);
    let state = fs::read(folder.join("a.safetensors")).unwrap();
    let shape = state
        .windows(9)
        .position(|bytes| bytes == b"[1,4,4,8]")
        .expect("four heads of 4 keys and 8 values");
    let mut turned = state.clone();
    turned[shape..shape + 9].copy_from_slice(b"[1,4,8,4]");
    write("g.safetensors", &turned);
    gla(&["state", "load", "model", "g.safetensors"])
        .bad(&["[1, 4, 8, 4], expected F32 [1, 4, 4, 8]"]);
    let mut nan = state.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    write("h.safetensors", &nan);
    gla(&["state", "load", "model", "h.safetensors"]).bad(&["holds NaN"]);
    write("i.safetensors", &state[..state.len() - 9]);
    gla(&["state", "load", "model", "i.safetensors"]).bad(&["i.safetensors is damaged"]);
    // A model that was tampered with.
    let config = fs::read_to_string(folder.join("model/config.json")).unwrap();
    for (from, to, words) in [
        ("\"heads\": 4", "\"heads\": 5", "multiple of heads = 5"),
        ("\"width\": 32", "\"width\": 999999", "1 to 2048"),
        ("\"width\": 32", "\"width\": 2048", "does not fit into"),
        ("16.0", "-16.0", "normalizer = -16"),
        ("\"layers\": 1", "\"layers\": 2", "is damaged"),
    ] {
        assert!(config.contains(from), "{config}");
        write("model/config.json", config.replace(from, to).as_bytes());
        gla(&["generate", "model", "--prompt", "a"]).bad(&["is damaged", words]);
    }
    write("model/config.json", config.as_bytes());
    write("model/model.safetensors", &[b'x'; 100_000]);
    gla(&["generate", "model", "--prompt", "a"]).bad(&["model.safetensors is damaged"]);
}

#[test]
fn bad_texts_and_options_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("good.txt", "To be, or not to be. ".repeat(100).as_bytes());
    write("short.txt", b"To be");
    write("empty.txt", b"");
    write("latin1.txt", b"caf\xe9");
    write("binary.txt", b"a\0b");
    let bad = |text: &str, more: &[&str], words: &[&str]| {
        let train = ["use", "gla", "train", text, "--out", "model"];
        offprint(folder.path(), &[&train[..], more].concat()).bad(words);
        assert!(!folder.path().join("model").exists());
        assert!(!folder.path().join("model.tmp").exists());
    };
    bad("missing.txt", &[], &["missing.txt"]);
    bad("empty.txt", &[], &["empty.txt", "empty"]);
    bad("latin1.txt", &[], &["latin1.txt", "0xe9", "UTF-8"]);
    bad("binary.txt", &[], &["binary.txt", "binary"]);
    bad("short.txt", &[], &["5 bytes", "1300"]);
    for (option, value, words) in [
        ("--heads", "5", "divisor of half the --width 64"),
        ("--heads", "0", "1 to 256"),
        ("--layers", "0", "1 to 64"),
        ("--width", "9999", "1 to 2048"),
        ("--context", "0", "1 to 8192"),
        ("--batch", "0", "1 to 4096"),
        ("--steps", "0", "1 to"),
        ("--normalizer", "0", "above 0"),
        ("--normalizer", "-1", "above 0"),
        ("--learning-rate", "nan", "above 0"),
    ] {
        bad("good.txt", &[option, value], &[option, words]);
    }
    bad("good.txt", &["--lerning-rate", "1"], &["--learning-rate"]);
    bad(
        "good.txt",
        &["--steps", "-1"],
        &["'-1' for '--steps", "a whole number of at least 0"],
    );
    bad(
        "good.txt",
        &["--normalizer", "inf"],
        &["--normalizer inf", "finite"],
    );
    bad(
        "good.txt",
        &["--normalizer", "x"],
        &["'x' for '--normalizer", "it must be a number"],
    );
    // Said before the minutes of training, not after.
    let long = [
        "use", "gla", "train", "good.txt", "--steps", "1000000", "--out",
    ];
    for (out, words) in [
        ("no/model", ["cannot write no/model", "no folder no"]),
        (
            "good.txt/model",
            ["cannot write good.txt/model", "no folder good.txt"],
        ),
    ] {
        offprint(folder.path(), &[&long[..], &[out]].concat()).bad(&words);
    }
}
