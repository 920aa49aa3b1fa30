//! The command line: composes the layers below. The only folder that prints, reads the environment and
//! chooses an exit code.

pub mod serve;
