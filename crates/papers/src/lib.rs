//! The papers: a card, a study and golden cases each. No method lives here, only what is about *the paper*.

mod arguments;
pub mod catalogue;
pub mod comet;
pub mod deeponet;
mod explain;
pub mod fast_ibp;
pub mod gla;
pub mod kat;
mod model_folder;
pub mod puzzleclone;

use offprint_lab::run::Build;

mod built {
    include!(concat!(env!("OUT_DIR"), "/build.rs"));
}

/// What would compute the trials of the library alone now: those of `offprint train`.
pub fn library() -> Build {
    Build::here(built::LIBRARY, built::REVISION)
}

/// What would compute a paper's trials now.
///
/// The version is a fingerprint of the library, the locked dependencies and the paper's `study`: equal fingerprints
/// compute equal numbers on one machine.
pub fn build(slug: &str) -> Build {
    let version = built::VERSIONS.iter().find(|(known, _)| *known == slug);
    Build::here(
        version.map_or("none", |(_, version)| version),
        built::REVISION,
    )
}
