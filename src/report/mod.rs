//! Keeps one finished run as data ([`Run`]), and writes its report: one file for each format, each as a function of
//! the run that writes to any `Write`. Opens no socket and decides nothing: the verdict is passed in.

mod connections_csv;
mod contracts_csv;
mod histogram_csv;
mod host;
mod json;
mod numbers;
mod output;
pub mod picture;
mod run;
mod summary_csv;
mod terminal;
mod timeline_csv;

pub use connections_csv::write as connections_csv;
pub use contracts_csv::write as contracts_csv;
pub use histogram_csv::write as histogram_csv;
pub use host::Host;
pub use json::json;
pub use output::{OutputError, OutputSet, io_error};
pub use run::{
    CohortRecord, DoubtNote, Judgement, Note, Options, Parts, ReadError, Run, SCHEMA_VERSION,
    ScenarioRecord, StageRecord, Tool, write as run_json,
};
pub use summary_csv::write as summary_csv;
pub use terminal::{Live, Style, failures, text};
pub use timeline_csv::write as timeline_csv;
