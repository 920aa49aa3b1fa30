//! Does one hot path of wsbench so many times, for its instructions to be counted.
//! `scripts/instructions` counts them, and holds them to their limits.

mod deflate;
mod echo;
mod frames;
mod json;
mod library;
mod plans;
mod secure;
mod shards;
mod steps;
mod stream;

use std::env;
use std::error::Error;
use std::io::{Write as _, stdout};

/// As in the program: what it costs to allocate is part of each path.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is done for every message or in every second of a run.
struct HotPath {
    name: &'static str,
    /// What doing it once means.
    what: &'static str,
    /// Does it so many times, and panics where it was not done.
    run: fn(u64),
}

const PATHS: &[HotPath] = &[
    HotPath {
        name: "record",
        what: "all that an answered message puts into a shard",
        run: shards::record,
    },
    HotPath {
        name: "merge",
        what: "a shard with four filled histograms added to another",
        run: shards::merge,
    },
    HotPath {
        name: "pacer-constant",
        what: "when the next message is due, with equal gaps",
        run: plans::constant,
    },
    HotPath {
        name: "pacer-poisson",
        what: "when the next message is due, with gaps by chance",
        run: plans::poisson,
    },
    HotPath {
        name: "stamp",
        what: "a stamp written and read",
        run: plans::stamp,
    },
    HotPath {
        name: "topic-stamp",
        what: "the stamp of a published message written, and found in JSON",
        run: plans::topic_stamp,
    },
    HotPath {
        name: "delivery",
        what: "the same, and heard by a member with more speakers than it knows the order of",
        run: plans::delivery,
    },
    HotPath {
        name: "frame-in",
        what: "a frame with 64 bytes of text read",
        run: frames::read,
    },
    HotPath {
        name: "frame-out",
        what: "a frame with 64 bytes of text written",
        run: frames::write,
    },
    HotPath {
        name: "prepared",
        what: "1 KiB of JSON behind a stamp, compressed before, made a message and written",
        run: deflate::prepared,
    },
    HotPath {
        name: "inflate",
        what: "a compressed frame with 64 bytes of text read",
        run: deflate::inflate,
    },
    HotPath {
        name: "tls-in",
        what: "a record of TLS 1.3 with 64 bytes of text read",
        run: secure::read,
    },
    HotPath {
        name: "tls-out",
        what: "a record of TLS 1.3 with 64 bytes of text written",
        run: secure::write,
    },
    HotPath {
        name: "json-first",
        what: "the id found in 64 bytes of JSON that begin with it",
        run: json::first,
    },
    HotPath {
        name: "json-last",
        what: "the id found in 64 bytes of JSON that end with it",
        run: json::last,
    },
    HotPath {
        name: "json-number",
        what: "the number of an id that was found",
        run: json::number,
    },
    HotPath {
        name: "render",
        what: "64 bytes of JSON with a number, a column, an id and a saved text in their places",
        run: steps::render,
    },
    HotPath {
        name: "answer-id",
        what: "whose answer 64 bytes of JSON are that end with the id, and whether they are as expected",
        run: steps::answer,
    },
    HotPath {
        name: "step",
        what: "a step has its turn and is sent; nothing answers it",
        run: steps::step,
    },
    HotPath {
        name: "step-answered",
        what: "the same, and it is answered by the text that it expects",
        run: steps::answered,
    },
    HotPath {
        name: "await",
        what: "two steps: one is sent and not answered, the next has waited for a text since then",
        run: steps::wait,
    },
    HotPath {
        name: "echo",
        what: "an echo on a connection with one in flight: read from a socket, recorded, the next one sent",
        run: echo::one_in_flight,
    },
    HotPath {
        name: "echo-16",
        what: "16 echoes on a connection with 16 in flight, which come together",
        run: echo::sixteen_in_flight,
    },
    HotPath {
        name: "heard",
        what: "a delivery to a connection that only listens, read from a socket and recorded",
        run: echo::heard,
    },
    HotPath {
        name: "library-in",
        what: "as frame-in, by tungstenite",
        run: library::read,
    },
    HotPath {
        name: "library-out",
        what: "as frame-out, by tungstenite",
        run: library::write,
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            for path in PATHS {
                writeln!(stdout(), "{}: {}", path.name, path.what)?;
            }
            Ok(())
        }
        [name, count] => {
            let path = PATHS.iter().find(|path| path.name == name);
            let path = path.ok_or_else(|| format!("there is no path `{name}`"))?;
            (path.run)(count.parse()?);
            Ok(())
        }
        _ => Err("hint: instructions PATH COUNT, or instructions --list".into()),
    }
}
