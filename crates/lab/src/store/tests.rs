use super::*;
use serde_json::json;
use std::io::Write as _;

fn spec(seed: u64) -> TrialSpec {
    TrialSpec {
        slug: "comet".into(),
        budget: Budget::Quick,
        arm: "topk+".into(),
        run: Run::Seed(seed),
        settings: json!({ "k": 2 }).as_object().unwrap().clone(),
        data_dir: None,
        version: "v1".into(),
        revision: "abc".into(),
        machine: "here".into(),
    }
}

fn outcome(loss: f64) -> Outcome {
    Outcome {
        metrics: BTreeMap::from([("loss".into(), loss)]),
        seconds: 1.5,
    }
}

#[test]
fn a_trial_is_fresh_begun_finished_and_fresh_again_for_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let wanted = spec(3);
    let trial = store.trial("comet", Budget::Quick, "topk+", Run::Seed(3));
    assert_eq!(trial.state(&wanted), State::Fresh);
    trial.begin(&wanted).unwrap();
    assert_eq!(trial.state(&wanted), State::Begun);
    write_json(&trial.file("outcome.json"), &outcome(0.5)).unwrap();
    assert_eq!(trial.state(&wanted), State::Finished);
    // Where it was computed does not matter, what computed it does.
    let elsewhere = TrialSpec {
        machine: "there".into(),
        revision: "def".into(),
        ..spec(3)
    };
    assert_eq!(trial.state(&elsewhere), State::Finished);
    let newer = TrialSpec {
        version: "v2".into(),
        ..spec(3)
    };
    assert_eq!(trial.state(&newer), State::Fresh);
    let mut other = spec(3);
    other.settings.insert("k".into(), json!(4));
    assert_eq!(trial.state(&other), State::Fresh);
    trial.begin(&other).unwrap();
    assert_eq!(trial.outcome().unwrap(), None);
}

#[test]
fn lists_what_is_there_and_leaves_foreign_folders_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    assert!(store.studies().unwrap().is_empty());
    for run in [Run::Seed(10), Run::Seed(2), Run::Tune(0)] {
        store
            .trial("comet", Budget::Quick, "topk+", run)
            .begin(&spec(2))
            .unwrap();
    }
    fs::create_dir_all(folder.path().join("comet/quick/topk+/notes")).unwrap();
    assert_eq!(
        store.studies().unwrap(),
        [("comet".to_string(), Budget::Quick)]
    );
    let trials = store.trials("comet", Budget::Quick).unwrap();
    let runs: Vec<Run> = trials.iter().map(|(_, run, _)| *run).collect();
    assert_eq!(runs, [Run::Seed(2), Run::Seed(10), Run::Tune(0)]);
}

#[test]
fn a_diverged_number_survives() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1] {
        let text = serde_json::to_string(&outcome(value)).unwrap();
        let back: Outcome = serde_json::from_str(&text).unwrap();
        assert_eq!(back.metrics["loss"].to_bits(), value.to_bits(), "{text}");
    }
}

#[test]
fn a_torn_last_line_is_that_of_a_running_trial() {
    let whole = b"{\"name\":\"loss\",\"step\":1,\"value\":0.5}\n{\"name\":\"loss\",\"step\":2,\"value\":\"NaN\"}\n";
    assert_eq!(parse_metrics(whole).unwrap().len(), 2);
    for cut in 0..whole.len() {
        let lines = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(parse_metrics(&whole[..cut]).unwrap().len(), lines);
    }
    assert!(
        parse_metrics(b"loss 0.5\n")
            .unwrap_err()
            .starts_with("line 1: ")
    );
}

#[test]
fn damaged_files_are_errors_and_the_trial_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let trial = TrialFolder::new(folder.path().join("t"));
    trial.begin(&spec(0)).unwrap();
    fs::write(trial.file("outcome.json"), "{\"metrics\":").unwrap();
    assert!(
        trial
            .outcome()
            .unwrap_err()
            .to_string()
            .contains("is damaged")
    );
    assert_eq!(trial.state(&spec(0)), State::Begun);
    fs::write(trial.file("trial.json"), "{}").unwrap();
    assert_eq!(trial.state(&spec(0)), State::Fresh);
}

#[test]
fn the_second_holder_is_told_and_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    let first = store
        .lock(
            "comet",
            Budget::Quick,
            |_| panic!("nobody has it"),
            || false,
        )
        .unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let second = std::thread::spawn(move || {
        let told = sender.clone();
        let waiting = move |holder: &str| told.send(holder.to_string()).unwrap();
        let lock = store.lock("comet", Budget::Quick, waiting, || false);
        lock.unwrap();
        sender.send("taken".into()).unwrap();
    });
    assert_eq!(receiver.recv().unwrap(), std::process::id().to_string());
    assert!(
        receiver
            .recv_timeout(std::time::Duration::from_millis(100))
            .is_err()
    );
    drop(first);
    assert_eq!(receiver.recv().unwrap(), "taken");
    second.join().unwrap();
}

/// `/dev/full` answers every write as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_what_was_finished_stays() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let error = (&full).write_all(b"x").unwrap_err();
    let error = Error::io("write", Path::new("runs/x"), error);
    assert!(error.to_string().contains("No space left"), "{error}");
    assert!(error.help_text().unwrap().contains("--runs DIR"));
}

#[test]
fn a_failed_write_leaves_the_old_file_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outcome.json");
    write_atomic(&path, b"old").unwrap();
    // A folder of the target's name cannot be replaced by a file.
    let blocked = folder.path().join("blocked");
    fs::create_dir(&blocked).unwrap();
    fs::write(blocked.join("x"), b"").unwrap();
    assert!(write_atomic(&blocked, b"new").is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
