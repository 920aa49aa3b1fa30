//! Connections that have ended and hold their port for a while, from `/proc/net/sockstat`.

use std::fs;

/// The number of this machine's TCP connections in TIME_WAIT; `None` where the system does not say.
pub fn time_waits() -> Option<u64> {
    count(&fs::read_to_string("/proc/net/sockstat").ok()?)
}

fn count(sockstat: &str) -> Option<u64> {
    let line = (sockstat.lines()).find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "tw");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let text =
            "sockets: used 149\nTCP: inuse 5 orphan 0 tw 12 alloc 9 mem 1\nUDP: inuse 1 mem 0\n";
        assert_eq!(count(text), Some(12));
        assert_eq!(count("UDP: tw 3"), None);
        assert!(time_waits().is_some());
    }
}
