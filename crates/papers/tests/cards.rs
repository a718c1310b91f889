//! What every card of a running paper must hold, whatever the paper.

use offprint_lab::{paper::Work, study::Budget, tune::Tuned};
use offprint_papers::{
    build,
    catalogue::{catalogue, further},
};
use std::{collections::BTreeMap, path::Path};

/// The papers that run, and their further studies.
fn running() -> impl Iterator<Item = (&'static str, &'static Work)> {
    catalogue()
        .iter()
        .chain(further())
        .filter_map(|paper| Some((paper.slug, paper.work?)))
}

#[test]
fn parts_claims_and_errata_are_written() {
    for (slug, work) in running() {
        assert!(work.parts.len() >= 3, "{slug}: parts");
        assert!(
            !work.equation.is_empty() && !work.what_it_does.is_empty(),
            "{slug}"
        );
        assert!(!work.headline.is_empty(), "{slug}: headline");
        assert!(
            work.reference.is_none() || !work.errata.is_empty(),
            "{slug}: errata"
        );
        for erratum in work.errata {
            assert!(
                erratum.place.contains('@'),
                "{slug}: {} names no commit",
                erratum.place
            );
        }
    }
}

#[test]
fn claims_name_arms_and_metrics_that_exist() {
    for (slug, work) in running() {
        let arms: Vec<&str> = work.study.arms().iter().map(|arm| arm.name).collect();
        let metrics: Vec<&str> = work
            .study
            .metrics()
            .iter()
            .map(|metric| metric.name)
            .collect();
        let mut ids: Vec<&str> = work.study.claims().iter().map(|claim| claim.id).collect();
        assert!(ids.len() >= 3, "{slug}: claims");
        for claim in work.study.claims() {
            assert!(
                claim.arms().all(|arm| arms.contains(&arm)),
                "{slug}: {claim}"
            );
            assert!(metrics.contains(&claim.metric), "{slug}: {claim}");
            assert!(claim.margin >= 0.0, "{slug}: {claim}");
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(
            ids.len(),
            work.study.claims().len(),
            "{slug}: two claims of one id"
        );
    }
}

#[test]
fn settings_search_spaces_and_chosen_settings_are_valid() {
    for (slug, work) in running() {
        let study = work.study;
        let arms: Vec<&str> = study.arms().iter().map(|arm| arm.name).collect();
        let tuning = study.tuning();
        for budget in [Budget::Quick, Budget::Full] {
            let settings = study.defaults(budget);
            study
                .check(&settings)
                .unwrap_or_else(|error| panic!("{slug}: {error}"));
            assert!(study.seeds(budget) >= 3, "{slug}: seeds");
            tuning
                .space
                .check(&arms, &settings)
                .unwrap_or_else(|error| panic!("{slug}: {error}"));
            for arm in &arms {
                let mut drawn = settings.clone();
                drawn.extend(tuning.space.draw(slug, arm, 3));
                study
                    .check(&drawn)
                    .unwrap_or_else(|error| panic!("{slug}: {arm}: {error}"));
            }
            if let Some(text) = study.chosen(&settings).expect("the settings are valid") {
                let chosen = Tuned::parse(text, &arms, &settings).expect("it was written by us");
                assert_eq!(chosen.trials as usize, tuning.trials, "{slug}");
                assert!(
                    arms.iter().all(|arm| chosen.arms.contains_key(*arm)),
                    "{slug}"
                );
            }
        }
        let metrics: Vec<&str> = study.metrics().iter().map(|metric| metric.name).collect();
        assert!(
            metrics.contains(&tuning.validation) && metrics.contains(&tuning.test),
            "{slug}"
        );
    }
}

#[test]
fn golden_cases_are_three_kinds_of_three_and_all_known() {
    for (slug, work) in catalogue()
        .iter()
        .filter_map(|paper| Some((paper.slug, paper.work?)))
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../golden")
            .join(slug);
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{slug}: {error}")) {
            let name = entry.expect("readable").path();
            let name = name
                .file_stem()
                .expect("a file")
                .to_string_lossy()
                .into_owned();
            let (kind, _) = name.rsplit_once('-').expect("<kind>-<n>");
            *kinds.entry(kind.into()).or_default() += 1;
        }
        assert!(
            kinds.values().filter(|&&count| count >= 3).count() >= 3,
            "{slug}: {kinds:?}"
        );
        for kind in kinds.keys() {
            assert!(
                work.golden.iter().any(|method| method.kind == kind),
                "{slug}: {kind}"
            );
        }
    }
}

/// A study without a fingerprint of its own would reuse the trials of another version.
#[test]
fn every_study_has_a_fingerprint() {
    let versions: Vec<String> = running().map(|(slug, _)| build(slug).version).collect();
    for (index, version) in versions.iter().enumerate() {
        assert_ne!(version, "none");
        assert!(!versions[..index].contains(version));
    }
}

#[test]
fn committed_reports_are_of_full_runs() {
    for (slug, work) in running() {
        let Some(report) = work.report else { continue };
        let report: serde_json::Value = serde_json::from_str(report).expect("it was written by us");
        assert_eq!(report["slug"], slug);
        assert_eq!(report["budget"], "full");
        assert_eq!(
            report["missing"].as_array().map(Vec::len),
            Some(0),
            "{slug}"
        );
        assert!(
            report["seeds"]
                .as_array()
                .is_some_and(|seeds| seeds.len() >= 3),
            "{slug}"
        );
    }
}
