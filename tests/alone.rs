//! What only a process of its own can show: a network of its own, which is entered while there is one thread, and
//! what becomes of the target when wsbench is killed. Each test runs this program again, as the process it is about.

#[cfg(target_os = "linux")]
#[path = "alone/linux.rs"]
mod linux;

fn main() {
    #[cfg(target_os = "linux")]
    linux::main();
}
