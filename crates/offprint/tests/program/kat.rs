//! KAT as a user runs it: the study in small, and `offprint use kat` on a real model and on bad input.

use crate::{Ended, kills::ends_with_the_same_numbers, offprint, root};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Settings under which a trial takes a second.
const SMALL: &[&str] = &[
    "--set",
    "pictures=500",
    "--set",
    "patch=14",
    "--set",
    "layers=1",
    "--set",
    "width=16",
    "--set",
    "heads=2",
    "--set",
    "batch=8",
    "--set",
    "steps=4",
    "--set",
    "finetune_steps=3",
];

const ARMS: [&str; 11] = [
    "mlp",
    "b-spline-kan",
    "rational-one",
    "rational-each",
    "kat",
    "kat-released-init",
    "kat-relu",
    "kat-swish",
    "finetune-mlp",
    "finetune-kat",
    "finetune-kat-wide",
];

#[test]
fn every_arm_runs_and_reports() {
    let folder = tempfile::tempdir().unwrap();
    let arms = ARMS.join(",");
    let more = ["--arms", &arms, "--seeds", "1", "--json"];
    let document = offprint(folder.path(), &[&["run", "kat"], SMALL, &more].concat()).good();
    for arm in ARMS {
        assert!(document.out.contains(&format!("\"{arm}\"")), "{arm}");
        let trial = folder.path().join("runs/kat/quick").join(arm).join("0");
        let outcome = fs::read_to_string(trial.join("outcome.json")).unwrap();
        let mut metrics = vec!["accuracy", "loss", "drift", "mixer_log_ms", "parameters"];
        if arm.starts_with("finetune") {
            metrics.push("swap");
        }
        for metric in metrics {
            assert!(outcome.contains(metric), "{arm} has no {metric}: {outcome}");
        }
        assert!(trial.join("table-depths.json").exists());
        assert!(trial.join("table-sizes.json").exists());
    }
}

#[test]
fn letters_are_a_set_too() {
    let folder = tempfile::tempdir().unwrap();
    let more = [
        "--set",
        "data=letters",
        "--set",
        "patch=2",
        "--set",
        "pictures=1000",
    ];
    let run = ["--arms", "kat", "--seeds", "1"];
    offprint(
        folder.path(),
        &[&["run", "kat"], SMALL, &more, &run].concat(),
    )
    .good();
}

#[test]
fn an_interrupted_trial_ends_with_the_same_numbers() {
    let settings = [SMALL, &["--set", "steps=40", "--set", "finetune_steps=40"]].concat();
    let of_clock = ["mixer_log_ms", "mixer_mb", "train_loss_seconds"];
    ends_with_the_same_numbers("kat", "finetune-kat", &settings, &of_clock);
}

#[test]
fn settings_of_the_study_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, words) in [
        ("groups=0", ["groups = 0", "1 to 4096"]),
        ("groups=7", ["width = 48", "multiple of groups = 7"]),
        ("heads=5", ["width = 48", "multiple of heads = 5"]),
        ("patch=5", ["patch = 5", "divisor of 28"]),
        ("pictures=100", ["pictures = 100", "at least 500"]),
        ("learning_rate=0", ["learning_rate = 0", "above 0"]),
        ("weight_decay=-1", ["weight_decay = -1", "0 or more"]),
        ("seconds=0", ["seconds = 0", "above 0"]),
        ("data=mnits", ["mnits", "mnist"]),
        ("widht=8", ["widht", "width"]),
    ] {
        offprint(folder.path(), &["run", "kat", "--set", setting]).bad(&words);
    }
    let cifar = ["run", "kat", "--set", "data=cifar10", "--set", "patch=8"];
    offprint(folder.path(), &cifar).bad(&["cifar10", "--data-dir"]);
    assert!(!folder.path().join("runs/kat").exists());
}

/// The slots in a configuration of `offprint train`.
#[test]
fn slots_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let config = root().join("examples/kat/vit.toml");
    let mixer = "backbone.blocks.channel_mixer";
    for (value, words) in [
        (
            "{ b-spline-kan = { grid_size = 0 } }",
            ["grid_size = 0", "at least 1"],
        ),
        (
            "{ b-spline-kan = { range = [1, -1] } }",
            ["range = [1, -1]", "the first below"],
        ),
        ("{ gr-kan = { groups = 0 } }", ["groups = 0", "at least 1"]),
        (
            "{ gr-kan = { groups = 5 } }",
            ["width = 48", "multiple of groups = 5"],
        ),
        (
            "{ gr-kan = { numerator_degree = 0 } }",
            ["numerator_degree = 0", "1 to 12"],
        ),
        (
            "{ gr-kan = { range = [3, 3] } }",
            ["range = [3, 3]", "the first below"],
        ),
        ("\"gr-kam\"", ["gr-kam", "gr-kan"]),
    ] {
        let set = format!("{mixer}={value}");
        let config = config.to_str().unwrap();
        offprint(folder.path(), &["train", "--config", config, "--set", &set]).bad(&words);
    }
    assert!(!folder.path().join("runs").exists());
}

/// A ViT of width 16 that `offprint train` trained for some steps; its folder.
fn trained(folder: &Path, more: &[&str]) -> String {
    let config = root().join("examples/kat/vit.toml");
    let small = [
        "train",
        "--config",
        config.to_str().unwrap(),
        "--set",
        "backbone.patch=14",
        "--set",
        "backbone.blocks.layers=1",
        "--set",
        "backbone.blocks.width=16",
        "--set",
        "backbone.blocks.heads=2",
        "--set",
        "training.epochs=1",
        "--set",
        "data.rows=640",
    ];
    offprint(folder, &[&small[..], more].concat()).good();
    "runs/vit-for-kat/train/vit/0".to_string()
}

#[test]
fn converts_finetunes_and_plots() {
    let folder = tempfile::tempdir().unwrap();
    let kat = |arguments: &[&str]| offprint(folder.path(), &[&["use", "kat"], arguments].concat());
    let vit = trained(folder.path(), &[]);
    let convert = ["convert", &vit, "-o", "kat.safetensors"];
    let converted = kat(&[&convert[..], &["--json"]].concat()).good().json();
    assert_eq!(converted["pictures"], 256);
    assert!(
        converted["logit_change"].as_f64().unwrap() < 1e-3,
        "{converted}"
    );
    assert_eq!(converted["same_class"], 256, "{converted}");
    kat(&convert).bad(&["kat.safetensors is there already", "--overwrite"]);
    // A KAT is a model that can be read again: nothing changes but what a few steps learn.
    let tune = [
        "finetune",
        "kat.safetensors",
        "--set",
        "mnist",
        "-o",
        "tuned.safetensors",
    ];
    let tuned = kat(&[&tune[..], &["--steps", "60", "--json"]].concat())
        .good()
        .json();
    let [before, after] = ["accuracy_before", "accuracy"].map(|key| tuned[key].as_f64().unwrap());
    assert!(after > before + 0.05, "{tuned}");
    let plot = ["plot", "tuned.safetensors", "-o", "functions.svg"];
    let plotted = kat(&[&plot[..], &["--json"]].concat()).good().json();
    assert_eq!(plotted["groups"], 8);
    let svg = fs::read_to_string(folder.path().join("functions.svg")).unwrap();
    // Two functions of one block, a curve a group.
    assert_eq!(svg.matches("<title>group").count(), 16);
    bad_models(folder.path(), &vit, &kat);
}

/// Models that were tampered with or are of another kind.
fn bad_models(folder: &Path, vit: &str, kat: &dyn Fn(&[&str]) -> Ended) {
    let convert = |path: &str, more: &[&str]| {
        kat(&[&["convert", path, "-o", "new.safetensors"], more].concat())
    };
    convert("kat.safetensors", &[]).bad(&["channel_mixer = gr-kan", "mlp"]);
    kat(&["plot", vit, "-o", "new.svg"]).bad(&["channel_mixer = mlp", "gr-kan"]);
    kat(&["plot", "kat.safetensors", "-o", "new.png"]).bad(&["--out new.png", ".svg"]);
    for (option, value, words) in [
        ("--groups", "0", "1 to"),
        (
            "--groups",
            "7",
            "width = 16, but it must be a multiple of groups = 7",
        ),
        ("--numerator-degree", "0", "1 to"),
        ("--numerator-degree", "13", "1 to 12"),
        ("--denominator-degree", "0", "1 to"),
        ("--range", "5,-5", "the first below the second"),
        ("--range", "2,2", "the first below the second"),
        ("--range", "-inf,5", "two finite numbers"),
        ("--range", "5", "LOW,HIGH"),
        ("--most", "0", "above 0"),
        ("--most", "nan", "above 0"),
        ("--most", "inf", "a finite number above 0"),
        ("--heads", "-2", "a whole number of at least 0"),
        ("--set", "mnits", "mnist"),
        ("--set", "sklearn-digits", "[1, 8, 8]"),
        ("--set", "cifar10", "--data-dir"),
        ("--images", "pictures.idx", "--labels"),
        ("--activation", "gelo", "gelu"),
        ("--heads", "0", "at least 1"),
        ("--size", "28", "HEIGHT,WIDTH"),
    ] {
        convert(vit, &[option, value]).bad(&[words]);
    }
    kat(&["convert", vit, "-o", "no/new.safetensors"])
        .bad(&["cannot write no/new.safetensors", "there is no folder no"]);
    // A range on which the activation is not what the model needs.
    let far = convert(vit, &["--range", "40,50", "--most", "1e-6"]);
    assert_eq!(far.code, 1, "{}{}", far.out, far.err);
    assert!(far.err.contains("nothing is written"), "{}", far.err);
    for (option, value, words) in [
        ("--steps", "0", "1 to"),
        ("--batch", "0", "1 to"),
        ("--batch", "9999", "at most 7001"),
        ("--learning-rate", "nan", "above 0"),
        ("--learning-rate", "-1", "a finite number above 0"),
        ("--weight-decay", "-1", "at least 0"),
        ("--steps", "-1", "a whole number of at least 0"),
    ] {
        let tune = [
            "finetune",
            "kat.safetensors",
            "--set",
            "mnist",
            "-o",
            "new.safetensors",
        ];
        kat(&[&tune[..], &[option, value]].concat()).bad(&[option, words]);
    }
    kat(&["finetune", "kat.safetensors", "-o", "new.safetensors"])
        .bad(&["no pictures to train on", "--set"]);
    convert("nowhere", &[]).bad(&["nowhere", "not there"]);
    convert("runs", &[]).bad(&["neither trial.json nor config.json"]);
    let whole = fs::read(folder.join("kat.safetensors")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("empty.safetensors", b"");
    write("text.safetensors", b"not a model at all");
    write("cut.safetensors", &whole[..whole.len() - 7]);
    let mut nan = whole.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    write("nan.safetensors", &nan);
    for (name, word) in [
        ("empty.safetensors", "empty.safetensors"),
        ("text.safetensors", "text.safetensors"),
        ("cut.safetensors", "cut.safetensors"),
        ("nan.safetensors", "holds NaN, but it must be finite"),
    ] {
        convert(name, &[]).bad(&[word]);
        kat(&["plot", name, "-o", "new.svg"]).bad(&[word]);
    }
    // Another mixer, another kind of backbone.
    trained(
        folder,
        &[
            "--set",
            "name=gated",
            "--set",
            "backbone.blocks.channel_mixer=gated",
        ],
    );
    convert("runs/gated/train/vit/0", &[]).bad(&["channel_mixer = gated", "mlp"]);
    let config = root().join("examples/train/mlp.toml");
    let mlp = [
        "train",
        "--config",
        config.to_str().unwrap(),
        "--set",
        "name=mlp",
        "--seeds",
        "1",
    ];
    offprint(
        folder,
        &[&mlp[..], &["--set", "training.epochs=1"]].concat(),
    )
    .good();
    let trial = fs::read_dir(folder.join("runs/mlp/train")).unwrap();
    let arms = trial
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    let trial = arms.map(|arm| arm.join("0")).next().unwrap();
    convert(trial.to_str().unwrap(), &[]).bad(&["backbone.kind = mlp", "vit"]);
    for name in ["new.safetensors", "new.svg"] {
        assert!(!folder.join(name).exists());
    }
}

/// A safetensors file by hand.
fn write_tensors(path: &Path, tensors: &[(&str, Vec<u64>, Vec<u8>)]) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::<u8>::new());
    for (name, shape, bytes) in tensors {
        let begin = data.len();
        data.extend(bytes);
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()] });
        header.insert(name.to_string(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(data);
    fs::write(path, bytes).unwrap();
}

/// The same where every number is `value`.
fn safetensors(path: &Path, tensors: &[(&str, &[usize])], value: f32) {
    let filled = tensors.iter().map(|(name, shape)| {
        let bytes = value.to_le_bytes().repeat(shape.iter().product());
        let shape = shape.iter().map(|n| *n as u64).collect();
        (*name, shape, bytes)
    });
    write_tensors(path, &filled.collect::<Vec<_>>());
}

/// A ViT as Hugging Face's library saves it: the settings and parameters of a golden case that it computed.
#[test]
fn a_folder_of_hugging_face() {
    let folder = tempfile::tempdir().unwrap();
    let kat = |arguments: &[&str]| offprint(folder.path(), &[&["use", "kat"], arguments].concat());
    let golden = fs::read(root().join("golden/backbones/vit-0.safetensors")).unwrap();
    let (length, rest) = golden.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let (header, data) = rest.split_at(length);
    let header: Value = serde_json::from_slice(header).unwrap();
    let whole = |value: &Value| value.as_u64().unwrap();
    let tensors: Vec<(&str, Vec<u64>, Vec<u8>)> = header
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(name, entry)| {
            let name = name.strip_prefix("param.")?;
            let [begin, end] = [0, 1].map(|i| whole(&entry["data_offsets"][i]) as usize);
            let shape = entry["shape"].as_array().unwrap().iter().map(whole);
            Some((name, shape.collect(), data[begin..end].to_vec()))
        })
        .collect();
    let config = header["__metadata__"]["config"].as_str().unwrap();
    let (vit, path) = (folder.path().join("vit"), "vit/model.safetensors");
    fs::create_dir(&vit).unwrap();
    fs::write(vit.join("config.json"), config).unwrap();
    write_tensors(&folder.path().join(path), &tensors);
    let convert = ["convert", "vit", "--groups", "2", "-o"];
    let converted = kat(&[&convert[..], &["kat.safetensors", "--json"]].concat())
        .good()
        .json();
    assert_eq!(converted["blocks"], 2);
    assert_eq!(
        converted["pictures"], converted["same_class"],
        "{converted}"
    );
    let change = converted["logit_change"].as_f64().unwrap();
    assert!(change < 0.02, "{converted}");
    kat(&["plot", "kat.safetensors", "-o", "functions.svg"]).good();

    let bad = |words: &[&str]| {
        kat(&[&convert[..], &["new.safetensors"]].concat()).bad(words);
        assert!(!folder.path().join("new.safetensors").exists());
    };
    for (from, to, words) in [
        (
            "\"vit\"",
            "\"bert\"",
            &["model_type = bert", "gpt2, llama or vit"][..],
        ),
        (
            "\"intermediate_size\"",
            "\"size\"",
            &["no intermediate_size"],
        ),
        ("\"gelu\"", "\"gelo\"", &["hidden_act = gelo", "gelu"]),
        (
            "\"patch_size\": 4",
            "\"patch_size\": 0",
            &["patch = 0", "at least 1"],
        ),
        (
            "\"hidden_size\": 12",
            "\"hidden_size\": 15",
            &["cls_token has shape [1, 1, 12], but [1, 1, 15] is expected"],
        ),
        (
            "\"num_attention_heads\": 3",
            "\"num_attention_heads\": 5",
            &["width = 12", "multiple of heads = 5"],
        ),
    ] {
        assert!(config.contains(from), "{config}");
        fs::write(vit.join("config.json"), config.replace(from, to)).unwrap();
        bad(words);
    }
    fs::write(vit.join("config.json"), config).unwrap();
    let mut nan = tensors.clone();
    nan[0].2[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    write_tensors(&folder.path().join(path), &nan);
    bad(&["classifier.bias holds NaN, but it must be finite"]);
    write_tensors(&folder.path().join(path), &tensors[1..]);
    bad(&["missing: classifier.bias"]);
    fs::remove_file(folder.path().join(path)).unwrap();
    bad(&["cannot read vit/model.safetensors"]);
}

#[test]
fn a_file_with_the_names_of_timm() {
    let folder = tempfile::tempdir().unwrap();
    let kat = |arguments: &[&str]| offprint(folder.path(), &[&["use", "kat"], arguments].concat());
    let tensors: &[(&str, &[usize])] = &[
        ("cls_token", &[1, 1, 64]),
        ("pos_embed", &[1, 5, 64]),
        ("patch_embed.proj.weight", &[64, 3, 8, 8]),
        ("patch_embed.proj.bias", &[64]),
        ("blocks.0.norm1.weight", &[64]),
        ("blocks.0.norm1.bias", &[64]),
        ("blocks.0.attn.qkv.weight", &[192, 64]),
        ("blocks.0.attn.qkv.bias", &[192]),
        ("blocks.0.attn.proj.weight", &[64, 64]),
        ("blocks.0.attn.proj.bias", &[64]),
        ("blocks.0.norm2.weight", &[64]),
        ("blocks.0.norm2.bias", &[64]),
        ("blocks.0.mlp.fc1.weight", &[256, 64]),
        ("blocks.0.mlp.fc1.bias", &[256]),
        ("blocks.0.mlp.fc2.weight", &[64, 256]),
        ("blocks.0.mlp.fc2.bias", &[64]),
        ("norm.weight", &[64]),
        ("norm.bias", &[64]),
        ("head.weight", &[10, 64]),
        ("head.bias", &[10]),
    ];
    let path = folder.path().join("vit.safetensors");
    safetensors(&path, tensors, 0.01);
    let convert = ["convert", "vit.safetensors", "-o", "kat.safetensors"];
    let converted = kat(&[&convert[..], &["--json"]].concat()).good().json();
    assert_eq!(converted["activation"], "gelu");
    let header = fs::read(folder.path().join("kat.safetensors")).unwrap();
    let header = String::from_utf8_lossy(&header[..6000]).into_owned();
    for name in [
        "blocks.0.mlp.act1.weight_numerator",
        "blocks.0.mlp.act2.weight_denominator",
    ] {
        assert!(header.contains(name), "{header}");
    }
    kat(&["plot", "kat.safetensors", "-o", "functions.svg"]).good();
    let bad = |tensors: &[(&str, &[usize])], value, words: &[&str]| {
        safetensors(&path, tensors, value);
        kat(&["convert", "vit.safetensors", "-o", "new.safetensors"]).bad(words);
        assert!(!folder.path().join("new.safetensors").exists());
    };
    let without = |part: &str| -> Vec<(&str, &[usize])> {
        tensors
            .iter()
            .copied()
            .filter(|(name, _)| !name.contains(part))
            .collect()
    };
    let resnet: &[(&str, &[usize])] = &[("conv1.weight", &[8, 3, 3, 3]), ("fc.bias", &[10])];
    bad(
        resnet,
        0.0,
        &["no block with an MLP", "conv1.weight, fc.bias"],
    );
    bad(
        &without(".mlp."),
        0.0,
        &["no block with an MLP", "blocks.0.attn.proj.bias", "more"],
    );
    bad(&without("pos_embed"), 0.0, &["no pos_embed"]);
    bad(
        &without("norm2.bias"),
        0.0,
        &["missing: blocks.0.norm2.bias"],
    );
    bad(
        tensors,
        f32::INFINITY,
        &["holds inf, but it must be finite"],
    );
    let mut changed = tensors.to_vec();
    changed[14] = ("blocks.0.mlp.fc2.weight", &[256, 64]);
    bad(
        &changed,
        0.0,
        &["fc2.weight has shape [256, 64], but [64, 256] is expected"],
    );
    changed[14] = tensors[14];
    changed[1] = ("pos_embed", &[1, 7, 64]);
    bad(
        &changed,
        0.0,
        &["size = not said", "6 patches are no square", "--size"],
    );
    changed[1] = ("pos_embed", &[5, 64]);
    bad(
        &changed,
        0.0,
        &["pos_embed has shape [5, 64], but 3 axes are expected"],
    );
    let narrow: Vec<(&str, Vec<usize>)> = tensors
        .iter()
        .map(|(name, shape)| {
            (
                *name,
                shape.iter().map(|n| if *n % 64 == 0 { n / 2 } else { *n }),
            )
        })
        .map(|(name, shape)| (name, shape.collect()))
        .collect();
    let narrow: Vec<(&str, &[usize])> = narrow
        .iter()
        .map(|(name, shape)| (*name, &shape[..]))
        .collect();
    bad(
        &narrow,
        0.0,
        &[
            "heads = not said",
            "32 channels are no heads of 64",
            "--heads",
        ],
    );
}
