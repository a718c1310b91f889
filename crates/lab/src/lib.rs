//! What a paper, a study, an arm, a trial, a claim, a golden case and a benchmark *are*; the run store; statistics; reports.
//!
//! The way of a run: [`study::AnyStudy`] says which trials there are, [`run`] starts one worker process a trial,
//! each [`trial::Trial`] reports metrics into the [`store`], [`record::Record`] gathers what the store holds,
//! [`claim::judge`] tests the claims, and [`report`] draws the record for a terminal, a page or a program.

pub mod bench;
pub mod checkpoint;
pub mod claim;
pub mod command;
pub mod draw;
pub mod error;
pub mod golden;
pub mod nearest;
pub mod paper;
pub mod record;
pub mod report;
pub mod run;
pub mod scores;
pub mod settings;
pub mod stage;
pub mod stats;
pub mod store;
pub mod study;
pub mod table;
pub mod tensorboard;
pub mod trial;
pub mod tune;

pub use error::{Error, Result};
