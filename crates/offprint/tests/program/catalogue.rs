//! Verbs that read the catalogue.

use crate::{Ended, offprint, root};
use std::path::Path;

fn here(arguments: &[&str]) -> Ended {
    offprint(Path::new("."), arguments)
}

#[test]
fn lists_all_papers_in_80_columns() {
    let list = here(&["list"]).good();
    assert!(list.out.contains("68 of 68 papers"));
    for line in list.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let all = here(&["list", "--sort", "date", "--json"]).good().json();
    let dates: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["date"].as_str().unwrap())
        .collect();
    assert_eq!(dates.len(), 68);
    assert!(dates.is_sorted());
    let running = here(&["list", "--status", "runs", "--json"]).good().json();
    assert!(
        running
            .as_array()
            .unwrap()
            .iter()
            .any(|paper| paper["slug"] == "comet")
    );
    here(&["list", "--field", "expert"])
        .bad(&["unknown field \"expert\"", "did you mean experts?"]);
}

#[test]
fn searches_titles_summaries_and_parts() {
    let found = here(&["search", "tree", "gate"]).good();
    assert!(
        found.out.lines().nth(1).unwrap().contains("comet"),
        "{}",
        found.out
    );
    let found = here(&["search", "linear", "attention", "--json"])
        .good()
        .json();
    assert_eq!(found[0]["slug"], "gla");
    assert!(
        here(&["search", "xyzzy"])
            .good()
            .out
            .contains("No paper has xyzzy")
    );
}

#[test]
fn shows_a_method_in_one_screen_of_80_columns() {
    let show = here(&["show", "comet"]).good();
    for line in show.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(
        show.out.lines().count() <= 50,
        "{} lines",
        show.out.lines().count()
    );
    for word in [
        "softmax over all trees",
        "experts::CometGate",
        "loss(comet+)",
        "offprint use comet",
    ] {
        assert!(show.out.contains(word), "no {word} in {}", show.out);
    }
    assert!(here(&["show", "qnlp"]).good().out.contains("planned"));
    assert!(
        here(&["show", "comet", "--json"]).good().json()["parts"]
            .as_array()
            .unwrap()
            .len()
            > 10
    );
}

#[test]
fn names_the_nearest_paper_and_refuses_planned_ones() {
    for verb in ["show", "run", "report", "errata", "verify"] {
        let out = here(&[verb, "comett"]);
        out.bad(&["unknown paper", "\"comett\"", "did you mean comet?"]);
    }
    for verb in ["run", "report", "bench"] {
        here(&[verb, "qnlp"]).bad(&["qnlp is planned and does not run yet"]);
    }
}

#[test]
fn lists_errata_data_sets_and_completions() {
    let errata = here(&["errata", "comet"]).good();
    assert!(errata.out.contains("mazumder-lab/COMET@cf27276"));
    assert!(errata.out.contains("ours  "));
    assert!(
        here(&["errata", "--json"]).good().json()[0]["errata"]
            .as_array()
            .unwrap()
            .len()
            > 5
    );
    let data = here(&["data"]).good();
    for line in data.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for set in ["mnist", "letters", "king-james"] {
        assert!(data.out.contains(set));
    }
    let json = here(&["data", "--json"]).good().json();
    assert!(
        json.as_array()
            .unwrap()
            .iter()
            .all(|set| set["license"].is_string())
    );
    assert!(
        here(&["completions", "bash"])
            .good()
            .out
            .contains("offprint")
    );
}

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in [
        "list",
        "search",
        "show",
        "run",
        "runs",
        "report",
        "verify",
        "bench",
        "errata",
        "use",
        "data",
        "completions",
    ] {
        let help = here(&[verb, "--help"]).good().out;
        assert!(help.contains("Example"), "no example in the help of {verb}");
        assert!(help.contains(&format!("offprint {verb}")), "{help}");
    }
    assert_eq!(here(&["lisst"]).code, 2);
    assert_eq!(here(&["list", "--jsn"]).code, 2);
}

#[test]
fn verifies_golden_cases_and_fails_on_unknown_ones() {
    let root = root();
    let all = offprint(&root, &["verify", "--json"]).good().json();
    let cases = all.as_array().unwrap();
    assert!(cases.len() >= 53);
    let folder = tempfile::tempdir().unwrap();
    let cases = root.join("golden/comet");
    let copy =
        |from: &str, to: &str| std::fs::copy(cases.join(from), folder.path().join(to)).unwrap();
    copy("schedule-0.safetensors", "schedule-0.safetensors");
    let verify = ["verify", "--golden", "."];
    offprint(folder.path(), &verify).good();
    let bytes = std::fs::read(cases.join("smooth-step-0.safetensors")).unwrap();
    std::fs::write(
        folder.path().join("cut.safetensors"),
        &bytes[..bytes.len() - 1],
    )
    .unwrap();
    let failed = offprint(folder.path(), &verify);
    assert_eq!(failed.code, 1);
    assert!(failed.out.contains("✗ ./cut.safetensors"), "{}", failed.out);
    assert!(failed.out.contains("1 of 2 cases pass"));
    let unknown =
        r#"{"method":"comet","kind":"smoothstep","config":{},"source":"","in":1,"out":1}"#;
    std::fs::write(folder.path().join("cut.safetensors"), b"").unwrap();
    std::fs::write(folder.path().join("unknown.json"), unknown).unwrap();
    let failed = offprint(folder.path(), &verify);
    assert!(
        failed.out.contains("unknown kind \"smoothstep\""),
        "{}",
        failed.out
    );
    offprint(folder.path(), &["verify", "--golden", "nowhere"]).bad(&["no folder nowhere"]);
}

#[test]
fn verifies_the_backbones_and_says_what_is_left_out() {
    let left_out = "left out: gguf-0 needs SmolLM2-135M-Instruct.Q4_1.gguf (--data-dir DIR)";
    let verified = offprint(&root(), &["verify", "backbones"]).good();
    assert!(verified.out.contains(left_out), "{}", verified.out);
    assert!(!verified.out.contains("comet"), "{}", verified.out);
    for line in verified.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_string_lossy().into_owned();
    let without = offprint(&root(), &["verify", "backbones", "--data-dir", &data]).good();
    assert!(without.out.contains(left_out));
    // A file of that name that is none.
    let name = "SmolLM2-135M-Instruct.Q4_1.gguf";
    std::fs::write(folder.path().join(name), b"GGML").unwrap();
    let failed = offprint(&root(), &["verify", "backbones", "--data-dir", &data]);
    assert_eq!(failed.code, 1);
    assert!(
        failed.out.contains("a GGUF file begins with"),
        "{}",
        failed.out
    );
    let nowhere = ["verify", "backbones", "--data-dir", "nowhere"];
    offprint(&root(), &nowhere).bad(&["no folder nowhere"]);
}
