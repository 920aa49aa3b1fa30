//! The program. Everything it does is in the library, so that tests can do it too.

use std::process::ExitCode;

/// Thousands of small buffers that come and go: what mimalloc is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wsbench::cli::main()
}
