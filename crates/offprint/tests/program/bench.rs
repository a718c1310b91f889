//! Timed work, alone and beside a peer that is a few lines of shell.

use crate::{Ended, command, offprint, root};
use serde_json::Value;
use std::path::Path;

fn here(arguments: &[&str]) -> Ended {
    offprint(&root(), arguments)
}

fn names(timings: &Value) -> Vec<&str> {
    let timings = timings.as_array().unwrap().iter();
    timings.map(|t| t["name"].as_str().unwrap()).collect()
}

#[test]
fn times_a_paper_without_a_peer() {
    let times = here(&["bench", "comet", "--repeats", "1", "--json"])
        .good()
        .json();
    assert_eq!(names(&times), ["gate", "sinkhorn", "step-mlp", "step-cnn"]);
    for timing in times.as_array().unwrap() {
        assert!(timing["ours_ms"].as_f64().unwrap() > 0.0);
        assert_eq!(timing["ours_mib"].is_f64(), cfg!(target_os = "linux"));
        for name in ["peer_ms", "peer_mib", "ratio"] {
            assert!(timing[name].is_null(), "{name} in {timing}");
        }
    }
}

#[test]
fn times_the_start_of_the_program() {
    let table = here(&["bench", "backbones", "--only", "startup", "--repeats", "1"]).good();
    assert!(table.out.contains("100 ms"), "{}", table.out);
    assert!(table.err.contains("\nbackbones startup: "), "{}", table.err);
}

#[test]
fn names_the_nearest_bench() {
    here(&["bench", "comett"]).bad(&["unknown bench \"comett\"", "did you mean comet?"]);
    here(&["bench", "kernel"]).bad(&["did you mean kernels?", "all: kernels, backbones, comet"]);
    here(&["bench", "kernels", "--only", "linaer/cached"]).bad(&[
        "unknown bench \"linaer/cached\"",
        "did you mean linear/cached?",
    ]);
    here(&["bench", "comet", "--repeats", "0"]).bad(&["--repeats 0"]);
}

#[test]
fn instructions_want_valgrind_and_say_how_to_get_it() {
    let mut bench = command(&root(), &["bench", "comet", "--instructions"]);
    let output = bench.env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("no valgrind here"), "{words}");
    assert!(words.contains("apt install valgrind"), "{words}");
}

/// A peer that answers every time with the same number of seconds and every memory with 64 MiB, in a folder like the
/// repository; the path of its interpreter.
#[cfg(unix)]
fn shell_peer(folder: &Path, seconds: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(folder.join("bench/peers")).unwrap();
    std::fs::write(folder.join("bench/peers/kernels.py"), "").unwrap();
    let interpreter = folder.join("python");
    let script = format!(
        r#"#!/bin/sh
while read -r request; do
  case $request in
    *'"bench":"rms-norm-backward"'*) echo '{{"error": "out of coffee"}}' ;;
    *'"memory":true'*'"rows":128'*) echo '{{"mib": 64.0}}' ;;
    *'"reps":'*'"rows":128'*) echo '{{"seconds": {seconds}}}' ;;
    *) exit 1 ;;
  esac
done
"#
    );
    std::fs::write(&interpreter, script).unwrap();
    std::fs::set_permissions(&interpreter, std::fs::Permissions::from_mode(0o755)).unwrap();
    interpreter.to_str().unwrap().into()
}

#[cfg(unix)]
#[test]
fn times_beside_a_peer() {
    let folder = tempfile::tempdir().unwrap();
    let bench = |seconds: &str, only: &str, more: &[&str]| {
        let python = shell_peer(folder.path(), seconds);
        let only = ["bench", "kernels", "--only", only, "--repeats", "3"];
        offprint(
            folder.path(),
            &[&only[..], &["--peer", &python], more].concat(),
        )
    };
    let times = bench("100", "rms-norm/cached", &["--json", "--check"])
        .good()
        .json();
    let [timing] = &times.as_array().unwrap()[..] else {
        panic!("one bench in {times}");
    };
    assert_eq!(timing["name"], "rms-norm/cached");
    assert_eq!(timing["peer_ms"], 1e5);
    assert_eq!(timing["peer_range_ms"], serde_json::json!([1e5, 1e5]));
    let ratio = timing["ours_ms"].as_f64().unwrap() / 1e5;
    assert!((timing["ratio"].as_f64().unwrap() - ratio).abs() < 1e-12);
    assert!(timing["share_of_peak"].as_f64().unwrap() > 0.0);
    assert_eq!(timing["peer_mib"], 64.0);

    // A peer that nothing can be as fast as.
    let slow = bench("1e-12", "rms-norm/cached", &[]).good();
    assert!(slow.out.contains('✗'), "{}", slow.out);
    for line in slow.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let checked = bench("1e-12", "rms-norm/cached", &["--check"]);
    assert_eq!(checked.code, 1);
    assert!(checked.out.contains('✗') && checked.err.contains("bars missed: 1"));

    let refused = bench("1", "rms-norm-backward/cached", &[]);
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .err
            .contains("no memory for rms-norm-backward/cached: out of coffee"),
        "{}",
        refused.err
    );
    let gone = bench("1", "rms-norm/typical", &[]);
    assert_eq!(gone.code, 1);
    assert!(gone.err.contains("the peer has ended"), "{}", gone.err);
}

#[cfg(unix)]
#[test]
fn writes_its_table_between_the_marks_that_name_it() {
    let folder = tempfile::tempdir().unwrap();
    let python = shell_peer(folder.path(), "0.5");
    let write = [
        "bench",
        "kernels",
        "--only",
        "rms-norm/cached",
        "--peer",
        &python,
        "--write",
    ];
    let page = folder.path().join("PERFORMANCE.md");
    std::fs::write(&page, "before\n").unwrap();
    offprint(folder.path(), &write).bad(&["has no marks <!-- bench kernels -->"]);
    std::fs::write(
        &page,
        "before\n<!-- bench kernels -->\nold\n<!-- /bench kernels -->\nafter\n",
    )
    .unwrap();
    offprint(folder.path(), &write).good();
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(
        text.starts_with("before\n<!-- bench kernels -->\n| work |"),
        "{text}"
    );
    assert!(
        text.contains("\n| rms-norm/cached (rows 128, width 128) | "),
        "{text}"
    );
    assert!(text.contains("Peak of the machine: "), "{text}");
    assert!(
        text.ends_with("\n<!-- /bench kernels -->\nafter\n") && !text.contains("old"),
        "{text}"
    );
}

#[test]
fn a_peer_must_be_there() {
    here(&["bench", "comet", "--peer", "no-such-python"]).bad(&["no-such-python"]);
    let folder = tempfile::tempdir().unwrap();
    offprint(folder.path(), &["bench", "comet", "--peer", "python"]).bad(&[
        "there is no peer script bench/peers/comet.py",
        "in the repository",
    ]);
    assert_eq!(here(&["bench", "comet", "--check"]).code, 2);
}
