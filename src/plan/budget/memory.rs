//! The memory that a run needs.

use std::collections::HashSet;

use super::connections::at_once;
use super::{open, planned};
use crate::plan::often::Said;
use crate::scenario::{
    Cohort, Data, HttpVersion, Payload, ProxyKind, Scenario, SendsPacked, Servers, Step,
};

/// The memory of an open connection without its buffers, in bytes.
const CONNECTION_MEMORY: u64 = 3 * 1024;
/// The memory of TLS for its keys and the chain of the server, in bytes; it has no buffer at rest.
const TLS_MEMORY: u64 = 10 * 1024;
/// The memory of a connection to restore compressed messages, where the server may refer to those before; and to compress
/// them in the same way.
const INFLATE_MEMORY: u64 = 49 * 1024;
const KEEP_MEMORY: u64 = 320 * 1024;
/// The memory of a stream of HTTP/2, and of a TCP connection that streams share, in bytes.
const HTTP2_STREAM_MEMORY: u64 = 3 * 1024;
const CARRIER_MEMORY: u64 = 37 * 1024;
/// The memory of a connection for each message that it sends, in bytes.
const STREAM_MEMORY: u64 = 256;
/// The memory of a connection for its place in its steps, and for a name that a `save` keeps, in bytes.
const SCRIPT_MEMORY: u64 = 512;
const SAVED_MEMORY: u64 = 256;
/// The memory of a connection for each topic that it is in, in bytes: what it heard of its speakers.
const MEMBERSHIP_MEMORY: u64 = 512;
/// The same for each worker that publishes to the topic, and for each second of the patience.
const LANE_MEMORY: u64 = 192;
const PATIENCE_MEMORY: u64 = 8;
/// The memory of a thread, its runtime and its read buffer, in bytes.
const WORKER_MEMORY: u64 = 512 * 1024;
/// The memory of the program itself, in bytes.
const PROCESS_MEMORY: u64 = 10 * 1024 * 1024;
/// The memory of one histogram with many times of up to about 60 ms, in bytes; see `measure`.
const HISTOGRAM_MEMORY: u64 = 100 * 1024;
/// A histogram of so many times or fewer is a list of them.
const LISTED: f64 = 64.0;
/// The memory of a time in such a list, in bytes.
const LISTED_MEMORY: f64 = 16.0;

/// Estimates the memory of a run, in bytes.
pub(super) fn memory(scenario: &Scenario, open_at_once: u64, workers: u64) -> u64 {
    let is_secure = (scenario.target.url.servers()).is_some_and(Servers::is_secure);
    let patience = scenario.patience().map(|patience| patience.as_secs());
    let membership = patience.map_or(0, |seconds| {
        MEMBERSHIP_MEMORY + workers * LANE_MEMORY + seconds * PATIENCE_MEMORY
    });
    let connections = (scenario.cohorts.iter()).map(|cohort| {
        let longest = cohort
            .payloads()
            .map(|(_, payload)| payload.longest())
            .max();
        let steps = match cohort.each_step().next() {
            Some(_) => STREAM_MEMORY + SCRIPT_MEMORY,
            None => 0,
        };
        let own = cohort.servers.as_ref().map(Servers::is_secure);
        let is_secure = own.unwrap_or(is_secure);
        // Under TLS to the proxy there may be TLS to the server.
        let proxy = cohort.access.proxy.as_ref();
        let by_https = proxy.is_some_and(|proxy| proxy.kind == ProxyKind::Https);
        let tls = (u64::from(is_secure) + u64::from(by_https)) * TLS_MEMORY;
        let compression = cohort.packs().map_or(0, |compression| {
            let inflates = !compression.offer.parameters.server_no_context;
            let keeps = compression.send == SendsPacked::Keep;
            u64::from(inflates) * INFLATE_MEMORY + u64::from(keeps) * KEEP_MEMORY
        });
        // With arrivals there is one cohort, and only some of its connections are open at a time.
        let count = u64::from(cohort.connections).min(open_at_once);
        let (below, carriers) = match cohort.access.http {
            HttpVersion::One => (tls, 0),
            HttpVersion::Two(sharing) => {
                let carriers = sharing.carriers(count, workers);
                (HTTP2_STREAM_MEMORY, carriers * (CARRIER_MEMORY + tls))
            }
        };
        let one = CONNECTION_MEMORY
            + longest.unwrap_or(0)
            + below
            + compression
            + steps
            + SAVED_MEMORY * cohort.saved.len() as u64
            + STREAM_MEMORY * cohort.messages.len() as u64
            + membership * cohort.joined().len() as u64;
        count.saturating_mul(one).saturating_add(carriers)
    });
    let connections = connections.fold(0, u64::saturating_add);
    let cohorts = scenario.cohorts.iter();
    let shards: u64 = cohorts
        .map(|cohort| shards(scenario, cohort, workers))
        .sum();
    connections
        .saturating_add(shards)
        .saturating_add(payloads(scenario))
        .saturating_add(workers * WORKER_MEMORY)
        .saturating_add(PROCESS_MEMORY)
}

/// Returns the memory of a cohort's histograms. Each is made when first used, and is small until it holds many times.
/// There is one of the whole run; each worker fills one and has another that it gave away, and three more hold a
/// second: what is merged, the interval, and the timeline.
fn shards(scenario: &Scenario, cohort: &Cohort, workers: u64) -> u64 {
    let size = |times: f64| match times <= LISTED {
        true => (times * LISTED_MEMORY) as u64,
        false => HISTOGRAM_MEMORY,
    };
    let seconds = planned(scenario).as_secs_f64().max(1.0);
    let each = |a_second: f64| size(a_second * seconds) + (3 + 2 * workers) * size(a_second);
    let at_once = at_once(scenario, cohort);
    let mut memory = 0;
    let (mut sent, mut answered) = (0.0, 0.0);
    let open = open(scenario, cohort);
    for message in &cohort.messages {
        let a_second = Said::by_message(message, open).most_a_second() * at_once;
        sent += a_second;
        if message.expects_answer() {
            answered += a_second;
            // Latency and service time.
            memory += 2 * each(a_second);
        }
    }
    let stepped = Said::by_steps(&cohort.steps, open).most_a_second() * at_once;
    sent += stepped;
    answered += stepped;
    let timed = |steps: &[Step]| steps.iter().map(Step::timed).sum::<u64>();
    memory += 2 * timed(&cohort.setup) * each(at_once) + 2 * timed(&cohort.steps) * each(stepped);
    // How often a server pushes is not known.
    memory += 2 * cohort.on.len() as u64 * each(f64::INFINITY);
    let pings = (cohort.pings()).map_or(0.0, |pings| at_once / pings.interval.as_secs_f64());
    // TCP, upgrade, the whole handshake, and the close.
    let dials = f64::from(cohort.connections) / seconds;
    // Lateness, the gaps between answers, and the two times of a pong.
    memory + 4 * each(dials) + each(sent + pings) + each(answered) + 2 * each(pings)
}

/// Returns the memory of payloads. Each is kept once, however many cohorts send it.
fn payloads(scenario: &Scenario) -> u64 {
    let mut seen = HashSet::new();
    let fixed = scenario.payloads().filter_map(|payload| match payload {
        Payload::Fixed(bytes) => seen.insert(bytes.as_ptr()).then_some(bytes.len() as u64),
        Payload::Template(segments) => {
            let is_new = seen.insert(segments.as_ptr().cast());
            is_new.then(|| payload.longest())
        }
        Payload::Size(_) => None,
    });
    let data: u64 = scenario.data.iter().map(Data::memory).sum();
    fixed.sum::<u64>() + scenario.longest_made().0 + data + scenario.secrets.memory()
}

#[cfg(test)]
mod tests {
    use crate::plan::budget::Budget;
    use crate::plan::budget::tests::{budget, with_files};

    /// Returns cohorts with their own payload, or with the common one.
    fn cohorts(count: usize, own: &str) -> String {
        let cohort = |i| format!("[[cohort]]\nname = \"c{i}\"\nconnections = 1\n{own}");
        (0..count).map(cohort).collect()
    }

    #[test]
    fn payloads_are_counted_and_not_made() {
        let own: String = (0..256)
            .map(|i| {
                format!("[[cohort.message]]\nname = \"m{i}\"\nrate = \"1/h\"\npayload = {{ size = \"16MiB\" }}\n")
            })
            .collect();
        let few = budget(&cohorts(1, "")).memory;
        let memory = budget(&cohorts(256, &own)).memory;
        // Each connection may hold one answer of 16 MiB.
        assert!(memory > 256 * (16 << 20), "{memory}");
        assert!(few < 16 << 20, "{few}");
    }

    /// Measured with debug builds: 37 MiB for the many, 325 MiB for the busy.
    #[test]
    fn histograms_take_memory_where_they_hold_many_times() {
        let message = "[[message]]\nname = \"m\"\nrate = \"10/s\"\n";
        let load = "load.duration = \"4s\"\n";
        let many = budget(&format!("{load}{message}{}", cohorts(256, ""))).memory >> 20;
        assert!((10..50).contains(&many), "{many} MiB");
        let busy = cohorts(64, "").replace("connections = 1", "connections = 20");
        let busy = budget(&format!("{load}{message}{busy}")).memory >> 20;
        assert!((100..400).contains(&busy), "{busy} MiB");
    }

    #[test]
    fn a_file_is_there_once() {
        let message = "[[message]]\nname = \"m\"\nrate = \"1/h\"\npayload.file = \"f\"\n";
        let memory = |count: usize| {
            let text = format!("target.url = \"embedded\"\n{message}{}", cohorts(count, ""));
            Budget::new(&with_files(&text, &[b'x'; 16 << 20]), 1).memory
        };
        let (one, two) = (memory(1), memory(2));
        // The second connection needs memory, but there is no second copy of the file.
        assert!(two - one < 24 << 20, "{one} {two}");
    }

    #[test]
    fn rows_and_what_hides_them_take_memory() {
        let rows = |count: usize, keys: &str| {
            let file = format!("name\n{}", "ann-ann-ann\n".repeat(count));
            let text = format!(
                "target.url = \"embedded\"\nload.connections = 1\ndata.user = {{ file = \"f\"{keys} }}"
            );
            Budget::new(&with_files(&text, file.as_bytes()), 1).memory
        };
        let (few, many) = (rows(1, ""), rows(1 << 20, ""));
        assert_eq!(many - few, ((1 << 20) - 1) * (11 + 4));
        assert!(rows(1, ", secret = \"name\"") > few);
    }
}
