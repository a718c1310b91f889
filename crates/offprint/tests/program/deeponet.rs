//! `offprint run deeponet` and `offprint use deeponet`, on the example's arrays and on bad ones.

use crate::{Ended, kills::ends_with_the_same_numbers, offprint, root};
use std::{fs, path::Path};

/// Settings under which a trial takes a second.
const SMALL: &[&str] = &[
    "--set",
    "systems=antiderivative,diffusion-reaction",
    "--set",
    "functions=12",
    "--set",
    "held_out=4",
    "--set",
    "points=3",
    "--set",
    "sensors=10",
    "--set",
    "width=6",
    "--set",
    "hidden=6",
    "--set",
    "steps=10",
    "--set",
    "sweep_steps=3",
];

const ARMS: &str =
    "deeponet,deeponet-no-bias,stacked,stacked-no-bias,fnn,resnet,seq2seq,sensors,samples";

#[test]
fn a_smoke_run_of_every_arm() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        |more: &[&str]| offprint(folder.path(), &[&["run", "deeponet"], SMALL, more].concat());
    let record = run(&["--arms", ARMS, "--seeds", "1", "--json"])
        .good()
        .json();
    for arm in record["arms"].as_array().unwrap() {
        let name = arm["arm"]["name"].as_str().unwrap();
        let metrics = &arm["trials"][0]["metrics"];
        let wanted: &[&str] = match name {
            "sensors" => &["sensor_drop", "theory_sensors", "theory_chebyshev"],
            "samples" => &["order_small", "order_large", "exponential"],
            "seq2seq" => &["test", "gap", "test_antiderivative"],
            _ => &["test", "gap", "test_diffusion_reaction", "relative"],
        };
        for metric in wanted {
            assert!(
                metrics[metric].as_f64().is_some(),
                "{name} {metric}: {metrics}"
            );
        }
    }
    let mut arms = record["arms"].as_array().unwrap().iter();
    let sensors = arms.find(|arm| arm["arm"]["name"] == "sensors").unwrap();
    let exponent = &sensors["trials"][0]["metrics"]["theory_sensors"];
    assert!((exponent.as_f64().unwrap() + 2.0).abs() < 0.2, "{exponent}");
    for (set, words) in [
        (
            "systems=pendulun",
            &["\"pendulun\"", "did you mean pendulum"][..],
        ),
        ("sensors=1", &["sensors = 1", "2 to 1000"]),
        ("length_scale=0", &["length_scale = 0", "above 0"]),
        ("width=0", &["width = 0"]),
        ("horizon=nan", &["horizon"]),
    ] {
        run(&["--set", set]).bad(words);
    }
    let only = [
        "--arms",
        "seq2seq",
        "--seeds",
        "1",
        "--fresh",
        "--set",
        "systems=diffusion-reaction",
    ];
    let failed = run(&only);
    assert_ne!(failed.code, 0);
    assert!(
        failed.err.contains("none that seq2seq can learn"),
        "{}",
        failed.err
    );
}

/// The second system goes on from the scores of the first.
#[test]
fn an_interrupted_trial_ends_with_the_same_numbers() {
    let settings = [SMALL, &["--set", "steps=60"]].concat();
    ends_with_the_same_numbers("deeponet", "deeponet", &settings, &[]);
}

#[test]
fn shows_the_method_in_one_screen() {
    let show = offprint(Path::new("."), &["show", "deeponet"]).good().out;
    assert!(
        show.lines().all(|line| line.chars().count() <= 80),
        "{show}"
    );
    assert!(show.lines().count() <= 50, "{show}");
    for words in ["G(u)(y)", "operators::DeepONet", "use deeponet plot"] {
        assert!(show.contains(words), "{show}");
    }
}

/// An option that names an array of the example.
fn example(name: &str) -> String {
    let path = root().join("examples/deeponet/pendulum.npz");
    format!("{}:{name}", path.to_str().unwrap())
}

fn deeponet(folder: &Path, arguments: &[&str]) -> Ended {
    offprint(folder, &[&["use", "deeponet"], arguments].concat())
}

#[test]
fn trains_predicts_and_plots() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [torque, time, angle, sensors] = ["torque", "time", "angle", "sensors"].map(example);
    let train = [
        "train",
        "--functions",
        &torque,
        "--points",
        &time,
        "--values",
        &angle,
        "--sensors",
        &sensors,
        "--out",
        "model",
        "--steps",
        "800",
    ];
    let trained = deeponet(folder, &[&train[..], &["--json"]].concat())
        .good()
        .json();
    let held_out = &trained["held_out"];
    assert_eq!(
        (
            trained["functions"].as_u64(),
            held_out["functions"].as_u64()
        ),
        (Some(240), Some(24))
    );
    assert!(
        held_out["relative_l2"].as_f64().unwrap() < 0.35,
        "{trained}"
    );
    for name in ["model.safetensors", "config.json"] {
        assert!(folder.join("model").join(name).is_file());
    }
    deeponet(folder, &train).bad(&["model is there already", "--overwrite"]);
    let more = [
        "--overwrite",
        "--steps",
        "20",
        "--stacked",
        "--no-bias",
        "--activation",
        "tanh",
    ];
    let few: Vec<&str> = train[..train.len() - 2]
        .iter()
        .chain(&more)
        .copied()
        .collect();
    let text = deeponet(folder, &few).good().out;
    assert!(
        text.contains("wrote model") && text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );

    let ask = ["model", "--functions", &torque, "--points", &time];
    deeponet(
        folder,
        &[&["predict"], &ask[..], &["--out", "s.csv"]].concat(),
    )
    .good();
    let lines = fs::read_to_string(folder.join("s.csv")).unwrap();
    assert_eq!(lines.lines().count(), 240);
    assert!(lines.lines().all(|line| line.split(',').count() == 31));
    // What was predicted as .npy is read again, and new points need not be those of the training.
    fs::write(folder.join("times.csv"), "time\n0.05\n2.95\n4\n").unwrap();
    let new = [
        "predict",
        "model",
        "--functions",
        &torque,
        "--points",
        "times.csv",
        "--out",
        "s.npy",
    ];
    let text = deeponet(folder, &new).good().out;
    assert!(text.contains("1 points are outside the range"), "{text}");
    let plot = [
        &["plot"],
        &ask[..],
        &["--values", "s.csv", "--function", "3", "--out", "s.svg"],
    ]
    .concat();
    let drawn = deeponet(folder, &[&plot[..], &["--json"]].concat())
        .good()
        .json();
    assert!(drawn["relative_l2"].as_f64().unwrap() < 1e-5, "{drawn}");
    let svg = fs::read_to_string(folder.join("s.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("known values"));

    // A model folder that was tampered with, and arrays that do not fit it.
    let predict = |functions: &str, points: &str| {
        let call = [
            "predict",
            "model",
            "--functions",
            functions,
            "--points",
            points,
            "--out",
            "q.npy",
        ];
        deeponet(folder, &call)
    };
    predict(&angle, &time).bad(&["31 values a function", "40 sensors"]);
    predict(&torque, &angle).bad(&["31 coordinates a point", "reads 1"]);
    let huge = ["0.5"; 39].join(",") + ",-1e300\n";
    fs::write(folder.join("huge.csv"), huge).unwrap();
    predict("huge.csv", &time).bad(&["huge.csv", "element [0, 39] is -1e300", "proportion"]);
    fs::write(folder.join("late.csv"), "0.5\n1e300\n").unwrap();
    predict(&torque, "late.csv").bad(&["late.csv", "element [1, 0] is 1e300"]);
    let late = [
        "plot",
        "model",
        "--functions",
        &torque,
        "--points",
        "late.csv",
        "--out",
        "q.svg",
    ];
    deeponet(folder, &late).bad(&["late.csv", "element [1, 0] is 1e300"]);
    assert!(!folder.join("q.svg").exists());
    let config = fs::read_to_string(folder.join("model/config.json")).unwrap();
    let tamper = |from: &str, to: &str| {
        assert!(config.contains(from), "{config}");
        fs::write(folder.join("model/config.json"), config.replace(from, to)).unwrap();
    };
    tamper("\"width\": 40", "\"width\": 900000");
    predict(&torque, &time).bad(&["damaged"]);
    tamper("\"width\": 40", "\"width\": 20");
    predict(&torque, &time).bad(&["model.safetensors is damaged"]);
    fs::write(folder.join("model/config.json"), &config[..100]).unwrap();
    predict(&torque, &time).bad(&["config.json is damaged"]);
    fs::write(folder.join("model/config.json"), &config).unwrap();
    fs::write(folder.join("model/model.safetensors"), "nothing").unwrap();
    predict(&torque, &time).bad(&["model.safetensors is damaged"]);
    deeponet(
        folder,
        &[
            "predict",
            "nowhere",
            "--functions",
            &torque,
            "--points",
            &time,
            "--out",
            "q.npy",
        ],
    )
    .bad(&["nowhere/config.json"]);
    assert!(!folder.join("q.npy").exists());
}

#[test]
fn pairs_and_points_of_the_plane() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // u is a line a x, s(u)(y) = a (y_1 + y_2): one value a row, two rows a function.
    let (mut u, mut y, mut s) = (String::new(), String::new(), String::new());
    for i in 0..60 {
        let a = f64::from(i / 2) / 30.0;
        let point = [f64::from(i % 7) / 7.0, f64::from(i % 5) / 5.0];
        u += &format!("{},{},{}\n", 0.0, 0.5 * a, a);
        y += &format!("{},{}\n", point[0], point[1]);
        s += &format!("{}\n", a * (point[0] + point[1]));
    }
    for (name, text) in [("u.csv", &u), ("y.csv", &y), ("s.csv", &s)] {
        fs::write(folder.join(name), text).unwrap();
    }
    let train = [
        "train",
        "--functions",
        "u.csv",
        "--points",
        "y.csv",
        "--values",
        "s.csv",
        "--out",
        "model",
        "--steps",
        "400",
        "--json",
    ];
    let trained = deeponet(folder, &train).good().json();
    assert_eq!(
        (trained["layout"].as_str(), trained["functions"].as_u64()),
        (Some("pairs"), Some(30))
    );
    let ask = ["model", "--functions", "u.csv", "--points", "y.csv"];
    deeponet(
        folder,
        &[&["predict"], &ask[..], &["--pairs", "--out", "p.csv"]].concat(),
    )
    .good();
    assert_eq!(
        fs::read_to_string(folder.join("p.csv"))
            .unwrap()
            .lines()
            .count(),
        60
    );
    deeponet(folder, &[&["plot"], &ask[..], &["--out", "p.png"]].concat())
        .bad(&["--out p.png", "ends with .svg"]);
    deeponet(folder, &[&["plot"], &ask[..], &["--out", "p.svg"]].concat()).good();
    assert!(
        fs::read_to_string(folder.join("p.svg"))
            .unwrap()
            .contains("first coordinate")
    );
}

#[test]
fn bad_arrays_and_options_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [torque, time, angle, sensors] = ["torque", "time", "angle", "sensors"].map(example);
    let bad = |change: &[(&str, &str)], words: &[&str]| {
        let mut options = vec![
            ("--functions", &torque[..]),
            ("--points", &time),
            ("--values", &angle),
        ];
        for &(name, value) in change {
            options.retain(|(known, _)| *known != name);
            options.push((name, value));
        }
        let flat = options.into_iter().flat_map(|(name, value)| [name, value]);
        let arguments: Vec<&str> = ["train", "--out", "model"]
            .into_iter()
            .chain(flat)
            .collect();
        deeponet(folder, &arguments).bad(words);
        assert!(!folder.join("model").exists() && !folder.join("model.tmp").exists());
    };
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    bad(
        &[("--functions", "missing.npy")],
        &["missing.npy", "cannot be read"],
    );
    write("empty.csv", "");
    bad(
        &[("--functions", "empty.csv")],
        &["empty.csv", "no line of numbers"],
    );
    write("nan.csv", "1,2\n3,nan\n");
    bad(
        &[("--functions", "nan.csv")],
        &["nan.csv line 2", "field 2", "finite"],
    );
    write("ragged.csv", "1,2\n3\n");
    bad(
        &[("--points", "ragged.csv")],
        &["ragged.csv line 2", "1 fields, expected 2"],
    );
    write("huge.csv", &format!("1e200\n{}", "0\n".repeat(30)));
    bad(&[("--points", "huge.csv")], &["huge.csv: 1e200", "squared"]);
    write("broken.npy", "\u{93}NUMPY");
    bad(&[("--points", "broken.npy")], &["broken.npy"]);
    write("broken.npz", "PK and more");
    bad(
        &[("--points", "broken.npz")],
        &["broken.npz", "archive is damaged"],
    );
    let complex = "{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }\n";
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((complex.len() as u16).to_le_bytes());
    npy.extend(complex.bytes().chain([0; 16]));
    fs::write(folder.join("complex.npy"), &npy).unwrap();
    bad(
        &[("--points", "complex.npy")],
        &["complex.npy", "dtype is <c16", "real number"],
    );
    bad(
        &[("--values", &example("angles"))],
        &["\"angles\"", "angle"],
    );
    bad(&[("--values", &time)], &["[31, 1]", "[240, 31]"]);
    bad(
        &[("--points", &example("sensors"))],
        &["[240, 31]", "[240, 40]"],
    );
    bad(&[("--sensors", &time)], &["31 places", "40 values"]);
    let falling: String = (0..40).rev().map(|i| format!("{i}\n")).collect();
    write("falling.csv", &falling);
    bad(
        &[("--sensors", "falling.csv")],
        &["sensor[1] = 38 follows 39", "ascend"],
    );
    let twice: String = (0..40).map(|i| format!("{}\n", i / 2)).collect();
    write("twice.csv", &twice);
    bad(&[("--sensors", "twice.csv")], &["sensor[1] = 0 follows 0"]);
    bad(
        &[("--sensors", &sensors), ("--width", "0")],
        &["--width 0", "1 to 4096"],
    );
    bad(&[("--depth", "0")], &["--depth 0"]);
    bad(
        &[("--activation", "rellu")],
        &["\"rellu\"", "did you mean relu"],
    );
    bad(&[("--learning-rate", "nan")], &["--learning-rate NaN"]);
    bad(
        &[("--steps", "-2")],
        &["'-2' for '--steps", "a whole number of at least 0"],
    );
    bad(&[("--held-out", "1")], &["--held-out 1", "below 1"]);
    let nowhere = [
        "train",
        "--functions",
        &torque,
        "--points",
        &time,
        "--values",
        &angle,
    ];
    deeponet(folder, &[&nowhere[..], &["--out", "no/model"]].concat())
        .bad(&["cannot write no/model", "no folder no"]);
    write("one.csv", "1,2\n");
    write("point.csv", "0.5\n");
    let one = [
        ("--functions", "one.csv"),
        ("--points", "point.csv"),
        ("--values", "point.csv"),
    ];
    bad(&one, &["one.csv", "1 different functions"]);
}
