//! A program that is killed at random moments loses nothing, doubles nothing and ends with the same numbers.

use crate::{SMALL, command, offprint};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

const RUN: &[&str] = &[
    "--arms",
    "topk+,comet+",
    "--seeds",
    "2",
    "--checkpoint-seconds",
    "0",
    "--json",
];

/// Numbers and curves of every trial in a store, as their bytes; the clock's are left out.
fn numbers(store: &Path) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    for arm in ["topk+", "comet+"] {
        for seed in 0..2 {
            let trial = store.join("comet/quick").join(arm).join(seed.to_string());
            let outcome = fs::read_to_string(trial.join("outcome.json")).unwrap();
            let outcome: Value = serde_json::from_str(&outcome).unwrap();
            let curves = fs::read_to_string(trial.join("metrics.jsonl")).unwrap();
            assert!(!trial.join("checkpoint.safetensors").exists());
            found.insert(
                format!("{arm}/{seed}"),
                (outcome["metrics"].to_string(), curves),
            );
        }
    }
    found
}

/// 20 kills; more by the environment variable OFFPRINT_KILLS.
#[test]
fn kills_at_random_moments_change_no_number() {
    let kills: u32 = std::env::var("OFFPRINT_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let run = |store: &'static str| [&["run", "comet", "--runs", store], SMALL, RUN].concat();
    let started = Instant::now();
    offprint(folder.path(), &run("undisturbed")).good();
    let undisturbed = started.elapsed();
    let expected = numbers(&folder.path().join("undisturbed"));
    // A fixed sequence of moments between the start and the usual end of a run.
    let mut state = 0x2306_0282_u64;
    let mut moment = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        undisturbed.mul_f64((state >> 40) as f64 / (1 << 24) as f64)
    };
    let (mut killed, mut finished) = (0, 0);
    while killed < kills {
        let mut child = command(folder.path(), &run("disturbed"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + moment();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() >= end {
                break None;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        match ended {
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            }
            Some(status) => {
                assert!(status.success());
                assert_eq!(numbers(&folder.path().join("disturbed")), expected);
                fs::remove_dir_all(folder.path().join("disturbed")).unwrap();
                finished += 1;
            }
        }
    }
    offprint(folder.path(), &run("disturbed")).good();
    assert_eq!(numbers(&folder.path().join("disturbed")), expected);
    println!("{killed} kills over {} runs, all equal", finished + 1);
}

/// A keyboard interrupt stops the workers, keeps what is done and says how to go on.
#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["run", "comet"], SMALL, &["--seeds", "3", "--jobs", "1"]].concat();
    let child = command(folder.path(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let first = folder.path().join("runs/comet/quick/hash/0/outcome.json");
    while !first.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let interrupt = ["-INT", &child.id().to_string()];
    assert!(
        std::process::Command::new("kill")
            .args(interrupt)
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(
        words.contains("Stopped.") && words.contains("the same command goes on"),
        "{words}"
    );
    assert!(first.exists());
}

/// A program that waits for another one leaves at the first interrupt.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_waiting_for_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("runs/comet/quick");
    fs::create_dir_all(&store).unwrap();
    let lock = fs::File::create(store.join("lock")).unwrap();
    lock.lock().unwrap();
    let child = command(folder.path(), &[&["run", "comet"], SMALL].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let interrupt = ["-INT", &child.id().to_string()];
    assert!(
        std::process::Command::new("kill")
            .args(interrupt)
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(
        words.contains("in use by process") && words.contains("nothing was changed"),
        "{words}"
    );
    drop(lock);
}

/// An arm whose trial is killed three times, each time after a new checkpoint, ends with the numbers of an undisturbed one;
/// those `of_clock` are left out.
#[track_caller]
pub fn ends_with_the_same_numbers(slug: &str, arm: &str, settings: &[&str], of_clock: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let trial = |store: &str| folder.path().join(format!("{store}/{slug}/quick/{arm}/0"));
    let numbers = |store: &str| {
        let outcome = fs::read_to_string(trial(store).join("outcome.json")).unwrap();
        let mut outcome: Value = serde_json::from_str(&outcome).unwrap();
        let metrics = outcome["metrics"].as_object_mut().unwrap();
        metrics.retain(|name, _| !of_clock.contains(&name.as_str()));
        assert!(!metrics.is_empty());
        std::mem::take(metrics)
    };
    let call = |store: &'static str| {
        let only = ["--arms", arm, "--seeds", "1"];
        let kept = ["--checkpoint-seconds", "0", "--runs", store];
        [&["run", slug], settings, &only, &kept].concat()
    };
    offprint(folder.path(), &call("whole")).good();
    let checkpoint = trial("cut").join("checkpoint.safetensors");
    let saved = || {
        fs::metadata(&checkpoint)
            .and_then(|file| file.modified())
            .ok()
    };
    for _ in 0..3 {
        let mut child = command(folder.path(), &call("cut"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (begun, before) = (Instant::now(), saved());
        while saved() == before && begun.elapsed().as_secs() < 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    offprint(folder.path(), &call("cut")).good();
    assert_eq!(numbers("whole"), numbers("cut"));
}
