//! `offprint run puzzleclone`.

use crate::offprint;

#[test]
fn a_smoke_run_of_every_arm() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = vec!["run", "puzzleclone", "--seeds", "1", "--json"];
    for setting in [
        "puzzles=60",
        "measured=2",
        "layers=1",
        "width=16",
        "sft_steps=4",
        "batch=16",
        "rl_steps=2",
        "prompts=4",
        "group=3",
        "kl=0.1",
    ] {
        run.extend(["--set", setting]);
    }
    let record = offprint(folder.path(), &run).good().json();
    let metric = |arm: &str, name: &str| {
        let arms = record["arms"].as_array().unwrap();
        let arm = arms
            .iter()
            .find(|a| a["arm"]["name"] == arm)
            .unwrap_or_else(|| panic!("no {arm}"));
        arm["trials"][0]["metrics"][name]
            .as_f64()
            .unwrap_or_else(|| panic!("no {name}: {arm}"))
    };
    for arm in ["untrained", "sft", "sft+rl", "shuffled"] {
        for name in ["accuracy", "held_out", "arithmetic", "validation"] {
            assert!((0.0..=1.0).contains(&metric(arm, name)), "{arm} {name}");
        }
    }
    assert_eq!(metric("generator", "reproduced"), 1.0);
    assert_eq!(metric("generator", "confirmed"), 1.0);
    let show = offprint(folder.path(), &["show", "puzzleclone"]).good().out;
    assert!(
        show.lines().all(|line| line.chars().count() <= 80),
        "{show}"
    );
    assert!(show.lines().count() <= 50, "{} lines", show.lines().count());
    offprint(folder.path(), &["run", "puzzleclone", "--set", "group=1"])
        .bad(&["group = 1", "2 to 1000"]);
    offprint(folder.path(), &["run", "puzzleclone", "--set", "width=50"])
        .bad(&["width = 50", "multiple of heads"]);
}
