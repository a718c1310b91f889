//! The catalogue: every paper, whether it runs yet or not.
//!
//! One file a field. A paper that starts to run changes one line here: its `work: None` becomes
//! `work: Some(&crate::<slug>::WORK)`.

mod adapt;
mod certify;
mod circuits;
mod decide;
mod experts;
mod language;
mod layers;
mod operators;
mod quantize;
mod quantum;
mod search;
mod theory;
mod tune;
mod vision;

use offprint_lab::paper::Paper;
use std::sync::LazyLock;

pub use search::{Hit, nearest, search};

static CATALOGUE: LazyLock<Vec<Paper>> = LazyLock::new(|| {
    let mut papers = [
        adapt::PAPERS,
        certify::PAPERS,
        circuits::PAPERS,
        decide::PAPERS,
        experts::PAPERS,
        language::PAPERS,
        layers::PAPERS,
        operators::PAPERS,
        quantize::PAPERS,
        quantum::PAPERS,
        theory::PAPERS,
        tune::PAPERS,
        vision::PAPERS,
    ]
    .concat();
    papers.sort_unstable_by_key(|paper| paper.slug);
    papers
});

/// All papers, sorted by slug.
pub fn catalogue() -> &'static [Paper] {
    &CATALOGUE
}

/// Further studies of the papers that run, which have a slug and a card of their own but are no papers of the catalogue.
pub fn further() -> impl Iterator<Item = &'static Paper> {
    let works = catalogue().iter().filter_map(|paper| paper.work);
    works.flat_map(|work| work.further)
}

/// What a name on the command line may be: the slugs of the papers and of their further studies.
pub fn slugs() -> Vec<&'static str> {
    let papers = catalogue().iter().chain(further());
    papers.map(|paper| paper.slug).collect()
}

/// The paper of a slug, or the further study of one; the slug must match exactly.
pub fn find(slug: &str) -> Option<&'static Paper> {
    let papers = catalogue();
    match papers.binary_search_by_key(&slug, |paper| paper.slug) {
        Ok(index) => Some(&papers[index]),
        Err(_) => further().find(|study| study.slug == slug),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_lab::paper::Field;

    /// The slugs of the project's plan, in its order.
    const PLANNED: &str = "comet deeponet fast-ibp gla kat puzzleclone advmoe aw-moe evomoe expert-customization \
        jei-dnn optfs pregated-moe temperature-moe topk-gaussian-moe af-kan crate-mae dvpt feature-selection-gates \
        gated-attention gated-class-attention karat liger asq biper colep crrelu evonorm ibp-tightness nupes pflayer \
        proact bayes-unlearnable cbnet clr cot-information digi-q eco-m2f fc-grpo find fl-gfn funreason-mt gedi \
        granite-fc gui-g1 guidance hierarchical-polynomials hlop instinct kind l2dc masked-thought mgno mgvga \
        neural-compilation neural-operator-recipe pbt qaoa-circuits qnlp quantum-transfer relational-box-fields \
        rlvr-three-gates root sso stn stop-regressing tleg wide-deep-optimal";

    #[test]
    fn holds_the_planned_papers_sorted_and_once_each() {
        let mut planned: Vec<_> = PLANNED.split_whitespace().collect();
        planned.sort_unstable();
        let slugs: Vec<_> = catalogue().iter().map(|paper| paper.slug).collect();
        assert_eq!(slugs.len(), 68);
        assert_eq!(slugs, planned);
    }

    #[test]
    fn a_file_holds_one_field() {
        let files = [
            (adapt::PAPERS, Field::Adapt),
            (certify::PAPERS, Field::Certify),
            (circuits::PAPERS, Field::Circuits),
            (decide::PAPERS, Field::Decide),
            (experts::PAPERS, Field::Experts),
            (language::PAPERS, Field::Language),
            (layers::PAPERS, Field::Layers),
            (operators::PAPERS, Field::Operators),
            (quantize::PAPERS, Field::Quantize),
            (quantum::PAPERS, Field::Quantum),
            (theory::PAPERS, Field::Theory),
            (tune::PAPERS, Field::Tune),
            (vision::PAPERS, Field::Vision),
        ];
        for (papers, field) in files {
            for paper in papers {
                assert_eq!(paper.field, field, "{}", paper.slug);
            }
        }
    }

    #[test]
    fn further_studies_are_named_after_their_papers() {
        let slugs = slugs();
        for paper in catalogue() {
            for study in paper.work.map_or(&[][..], |work| work.further) {
                let name = study.slug.strip_prefix(paper.slug).expect(study.slug);
                assert!(name.len() > 1 && name.starts_with('-'), "{}", study.slug);
                let same = |slug: &&&str| **slug == study.slug;
                assert_eq!(slugs.iter().filter(same).count(), 1, "{}", study.slug);
                let further = study.work.expect("a study runs").further;
                assert!(further.is_empty(), "{}", study.slug);
                assert_eq!((study.title, study.arxiv), (paper.title, paper.arxiv));
            }
        }
    }

    #[test]
    fn dates_are_days_of_the_calendar() {
        for paper in catalogue() {
            let parts: Vec<_> = paper.date.split('-').collect();
            let [year, month, day] = parts[..] else {
                panic!("{}: {}", paper.slug, paper.date)
            };
            assert_eq!(
                (year.len(), month.len(), day.len()),
                (4, 2, 2),
                "{}",
                paper.slug
            );
            let number = |text: &str| text.parse::<u16>().expect(paper.slug);
            assert!((1990..=2099).contains(&number(year)), "{}", paper.slug);
            let days = match number(month) {
                2 => 29,
                4 | 6 | 9 | 11 => 30,
                1..=12 => 31,
                _ => panic!("{}: {}", paper.slug, paper.date),
            };
            assert!((1..=days).contains(&number(day)), "{}", paper.slug);
        }
    }

    #[test]
    fn arxiv_ids_are_well_formed_unique_and_near_the_date() {
        let mut seen = std::collections::HashSet::new();
        for paper in catalogue() {
            let Some(id) = paper.arxiv else { continue };
            let (month, serial) = id.split_once('.').expect(paper.slug);
            assert!(seen.insert(id), "{id} twice");
            assert_eq!(serial.len(), 5, "{}", paper.slug);
            assert!(serial.bytes().all(|b| b.is_ascii_digit()), "{}", paper.slug);
            // arXiv numbers by the month of announcement, which follows a submission of the last days of a month.
            let months = |year: &str, month: &str| {
                2000 * 12 + year.parse::<u16>().unwrap() * 12 + month.parse::<u16>().unwrap()
            };
            let announced = months(&month[..2], &month[2..]);
            let submitted = months(&paper.date[2..4], &paper.date[5..7]);
            assert!(
                announced == submitted || announced == submitted + 1,
                "{}",
                paper.slug
            );
        }
    }

    #[test]
    fn summaries_are_short_and_whole() {
        for paper in catalogue() {
            let length = paper.summary.chars().count();
            assert!((80..=600).contains(&length), "{}: {length}", paper.slug);
            assert!(paper.summary.ends_with('.'), "{}", paper.slug);
            assert!(!paper.summary.contains("  "), "{}", paper.slug);
            assert!(paper.authors > 0, "{}", paper.slug);
        }
    }

    #[test]
    fn finds_exact_slugs_only() {
        for paper in catalogue() {
            assert_eq!(find(paper.slug).map(|found| found.title), Some(paper.title));
        }
        for study in further() {
            assert_eq!(find(study.slug).map(|found| found.slug), Some(study.slug));
        }
        for unknown in ["", "come", "COMET", "comett"] {
            assert!(find(unknown).is_none(), "{unknown}");
        }
    }
}
