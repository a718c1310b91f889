//! A made-up record for tests of everything that is drawn from one.

use crate::{
    claim::{Claim, Relation, Term, TuningTrial, judge},
    paper::Erratum,
    record::{ArmRecord, Record, TrialRecord, TunedBy},
    settings::SettingsMap,
    study::{Arm, Better, Budget, Metric, Role},
    table::{Cell, Table},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const METRICS: [Metric; 4] = [
    Metric::new(
        "loss",
        "test loss",
        Better::Lower,
        "Mean cross-entropy of both digits on the test pairs, in nats.",
    ),
    Metric::new(
        "left",
        "left",
        Better::Higher,
        "Share of test pairs whose left digit is read right.",
    ),
    Metric::new(
        "right",
        "right",
        Better::Higher,
        "Share of test pairs whose right digit is read right.",
    ),
    Metric::new(
        "active",
        "active",
        Better::Neither,
        "Mean number of experts with a weight above 1e-5.",
    ),
];

const CLAIMS: [Claim; 6] = [
    Claim::new(
        "best",
        "Trees with local search beat Top-k routing.",
        "loss",
        (Term::Arm("comet+"), Relation::Below, Term::Arm("topk")),
    ),
    Claim::new(
        "hash",
        "… and hash routing.",
        "loss",
        (Term::Arm("comet+"), Relation::Below, Term::Arm("hash")),
    ),
    Claim::new(
        "dselect",
        "Trees are not worse than DSelect-k.",
        "loss",
        (Term::Arm("comet"), Relation::AtMost, Term::Arm("dselect-k")),
    ),
    Claim::new(
        "search",
        "Local search helps Top-k.",
        "loss",
        (Term::Arm("topk+"), Relation::Below, Term::Arm("topk")),
    ),
    Claim::new(
        "budget",
        "One trial with local search is worth four without.",
        "loss",
        (
            Term::BestOf {
                arm: "topk+",
                of: 1,
            },
            Relation::AtMost,
            Term::BestOf { arm: "topk", of: 4 },
        ),
    ),
    Claim::new(
        "sparse",
        "At most k = 2 experts are used.",
        "active",
        (Term::Arm("comet+"), Relation::AtMost, Term::Number(2.0)),
    )
    .with_margin(0.05),
];

const ARMS: [(&str, Role, &str, f64); 6] = [
    (
        "hash",
        Role::Baseline,
        "one expert a class, drawn once",
        0.41,
    ),
    (
        "topk",
        Role::Baseline,
        "noisy softmax over the k largest logits",
        0.355,
    ),
    ("topk+", Role::Ablation, "topk with local search", 0.352),
    (
        "dselect-k",
        Role::Baseline,
        "smooth binary codes of experts",
        0.322,
    ),
    (
        "comet",
        Role::Method,
        "k soft trees over the experts",
        0.345,
    ),
    ("comet+", Role::Method, "comet with local search", 0.312),
];

/// Six arms, five seeds, everything there is.
pub fn record() -> Record {
    let arms: Vec<ArmRecord> = ARMS
        .iter()
        .enumerate()
        .map(|(index, arm)| arm_record(index, arm))
        .collect();
    Record {
        slug: "comet".into(),
        title: "COMET: Learning Cardinality Constrained Mixture of Experts with Trees and Local Search".into(),
        question: "COMET against three gates, with and without local search, on Multi-MNIST".into(),
        budget: Budget::Full,
        date: "2026-12-01".into(),
        command: "offprint run comet --budget full --seeds 5".into(),
        version: "6c1f0a9b".into(),
        revision: "1f2e3d4c5b6a".into(),
        machine: "2 × AMD EPYC 7763, 8 GiB, Linux 6.1".into(),
        settings: map(json!({"experts": 8, "k": 2, "epochs": 3, "pairs": 4000, "batch": 256, "local_search": "sinkhorn"})),
        seeds: (0..5).collect(),
        tuning: "Each arm had 24 random trials from the same space; the best on validation loss was chosen.".into(),
        tuned_by: TunedBy { validation: "validation loss".into(), test: "loss".into(), better: Better::Lower },
        metrics: METRICS.to_vec(),
        findings: judge(&CLAIMS, arms.as_slice(), Better::Lower),
        arms,
        errata: vec![Erratum {
            what: "The leaf regularizer reads an attribute that is never set, so the code stops with an exception.",
            place: "mazumder-lab/COMET@cf27276 gates/comet.py, CometGate.call <line 212>",
            ours: "The term is 0, as in the paper's experiments.",
        }],
        differences: vec![
            "8 experts of two dense layers instead of 16 convolutional ones.".into(),
            "4000 pairs & 3 epochs instead of 100 000 pairs.".into(),
        ],
        missing: Vec::new(),
        seconds: 1043.0,
    }
}

fn arm_record(
    index: usize,
    &(name, role, about, level): &(&'static str, Role, &'static str, f64),
) -> ArmRecord {
    let tuning = (0..24).map(|trial| {
        let test =
            level + 0.12 * noise(trial, index as u64 + 70).abs() * (1.0 - 0.3 * (index % 2) as f64);
        TuningTrial {
            index: trial,
            seed: 1_000_000 + trial,
            settings: SettingsMap::new(),
            validation: test + 0.01 * noise(trial, 99),
            test,
        }
    });
    let gamma = [0.01, 0.1, 1.0][index % 3];
    ArmRecord {
        arm: Arm::new(name, role, about),
        tuned: map(json!({"rate": 0.001 + index as f64 * 0.0005, "gamma": gamma})),
        trials: (0..5).map(|seed| trial(index, seed, level)).collect(),
        tuning: tuning.collect(),
    }
}

fn trial(index: usize, seed: u64, level: f64) -> TrialRecord {
    let loss = level + 0.008 * noise(seed, 7) + 0.006 * noise(seed, index as u64);
    let active = [1.0, 2.0, 2.0, 3.1, 2.2, 1.9][index] + 0.02 * noise(seed, index as u64 + 40);
    let metrics = [
        ("loss", loss),
        ("left", 1.0 - loss / 3.1),
        ("right", 1.0 - loss / 3.0),
        ("active", active),
    ];
    let curve = |floor: f64, wobble: f64| -> Vec<(u64, f64)> {
        (0..=48)
            .map(|point| {
                let fall = (2.3 - floor)
                    / (1.0 + (1.4 + 0.3 * (index % 4) as f64) * point as f64).powf(1.3);
                (
                    point * 20,
                    floor + fall + wobble * noise(point, seed * 9 + index as u64),
                )
            })
            .collect()
    };
    let mut experts = Table::new(
        "Share of each digit's pairs by expert",
        ["digit", "e0", "e1", "e2", "e3"],
    );
    for digit in 0..10 {
        let shares = (0..4).map(|expert| 0.5 + 0.5 * noise(digit, expert + 10 * index as u64));
        let cells = [Cell::from(digit.to_string())]
            .into_iter()
            .chain(shares.map(Cell::from));
        experts.row(cells);
    }
    TrialRecord {
        seed,
        metrics: metrics
            .map(|(name, value)| (name.to_string(), value))
            .into(),
        curves: BTreeMap::from([
            ("validation loss".to_string(), curve(loss + 0.01, 0.004)),
            ("training loss".to_string(), curve(loss - 0.04, 0.03)),
        ]),
        tables: BTreeMap::from([("experts".to_string(), experts)]),
        images: if index == 5 {
            BTreeMap::from([("pairs".to_string(), picture())])
        } else {
            BTreeMap::new()
        },
        seconds: 6.0 + index as f64 + 0.3 * noise(seed, 3),
    }
}

/// Between −1 and 1, without a pattern one could see (the finalizer of SplitMix64).
fn noise(a: u64, b: u64) -> f64 {
    let mut mixed = (a * 7919 + b * 104_729 + 12_345).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ mixed >> 31) >> 40) as f64 / (1u64 << 23) as f64 - 1.0
}

fn picture() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 24, 12);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let pixels: Vec<u8> = (0..24 * 12)
        .map(|pixel| (pixel % 24 * 10 + pixel / 24) as u8)
        .collect();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

fn map(value: Value) -> SettingsMap {
    value.as_object().unwrap().clone()
}
