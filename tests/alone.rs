//! Tests that need a process of their own: entering a network namespace, which requires that there is one thread, and
//! what happens to the target when wsbench is killed. Each test starts this program again, as the process under test.

#[cfg(target_os = "linux")]
#[path = "alone/linux.rs"]
mod linux;

fn main() {
    #[cfg(target_os = "linux")]
    linux::main();
}
