//! One run report as bytes: one file for each format, each a function into any `Write`.
//! Nothing here opens a socket or decides anything; the verdict is made before.

mod connections_csv;
mod contracts_csv;
mod histogram_csv;
mod host;
mod judged;
mod numbers;
mod outcome;
mod output;
mod page;
mod run_json;
mod run_report;
mod style;
mod summary_csv;
mod surroundings;
mod tables;
mod text;
mod timeline_csv;

pub use connections_csv::write as connections_csv;
pub use contracts_csv::write as contracts_csv;
pub use histogram_csv::write as histogram_csv;
pub use host::Host;
pub use outcome::write as failures;
pub use output::{OutputError, OutputSet};
pub use run_json::{SCHEMA_VERSION, write as run_json};
pub use run_report::{Options, RunReport};
pub use style::Style;
pub use summary_csv::write as summary_csv;
pub use text::write as text;
pub use timeline_csv::write as timeline_csv;
