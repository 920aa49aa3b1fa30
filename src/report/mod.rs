//! Keeps one finished run as data ([`Run`]), and writes its report: one file for each format, each as a function of
//! the run that writes to any `Write`. Opens no socket and decides nothing: the verdict is passed in.

mod bench_json;
mod connections_csv;
mod contracts_csv;
mod exposition;
mod github;
mod headline;
mod histogram_csv;
mod hlog;
mod host;
mod html;
mod intervals_jsonl;
mod json;
mod judged_csv;
mod junit;
mod markdown;
mod numbers;
mod openmetrics;
mod output;
pub mod picture;
mod processes;
mod run;
mod search;
mod sparkline;
mod summary_csv;
mod tables;
mod terminal;
mod timeline_csv;
mod times;
mod words;

pub use bench_json::write as bench_json;
pub use connections_csv::write as connections_csv;
pub use contracts_csv::write as contracts_csv;
pub(crate) use exposition::{Families, Point};
pub use github::write as github;
pub use histogram_csv::write as histogram_csv;
pub use hlog::write as hlog;
pub use host::Host;
pub(crate) use html::{Frame, Piece, pieces};
pub use html::{LivePage, live as live_page, policy as html_policy, write as html};
pub use intervals_jsonl::{
    head as intervals_head, lines as interval_lines, write as intervals_jsonl,
};
pub use json::json;
pub use judged_csv::write as judged_csv;
pub use junit::write as junit;
pub use markdown::write as markdown;
pub use openmetrics::write as openmetrics;
pub use output::{OutputError, OutputSet, io_error};
pub use run::{
    BaselineRecord, BaselineTimes, CohortRecord, DoubtNote, Judgement, Label, LabelError, Labels,
    LabelsError, Note, Options, OutputRecord, PartRecord, Parts, ReadError, Run, SCHEMA_VERSION,
    ScenarioRecord, StageRecord, Tool, utc, write as run_json,
};
pub use search::{ProbeRecord, Search, Varied, search_csv, search_html, search_json};
pub use summary_csv::write as summary_csv;
pub use terminal::{Live, Style, Watched, failures, in_all, text};
pub use timeline_csv::write as timeline_csv;
pub use words::in_short;
