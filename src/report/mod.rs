//! Writes the report of one run: one file for each format, each as a function that writes to any `Write`.
//! Opens no socket and decides nothing: the verdict is passed in.

mod connections_csv;
mod contracts_csv;
mod histogram_csv;
mod host;
mod json;
mod numbers;
mod output;
mod run_json;
mod run_report;
mod summary_csv;
mod surroundings;
mod terminal;
mod timeline_csv;

pub use connections_csv::write as connections_csv;
pub use contracts_csv::write as contracts_csv;
pub use histogram_csv::write as histogram_csv;
pub use host::Host;
pub use json::json;
pub use output::{OutputError, OutputSet, io_error};
pub use run_json::{SCHEMA_VERSION, write as run_json};
pub use run_report::{Options, RunReport};
pub use summary_csv::write as summary_csv;
pub use terminal::{Live, Style, failures, text};
pub use timeline_csv::write as timeline_csv;
