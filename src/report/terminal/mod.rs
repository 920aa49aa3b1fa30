//! Terminal output of a run: progress while it runs, and its summary afterwards.

mod block;
mod judged;
mod lines;
mod live;
mod outcome;
mod page;
mod style;
mod text;
mod times;
mod watch;
mod whole;

pub use live::Live;
pub use outcome::write as failures;
pub use style::Style;
pub use text::write as text;
pub use watch::Watched;
pub use whole::in_all;
