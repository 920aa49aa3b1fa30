//! What can go wrong with a broker, each with a way out.

use std::time::Duration;

use crate::units::visible;

use super::events::Refusal;
use super::role::Role;

/// Why something could not be said or heard. Fits after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address is none of a NATS server.
    #[error(
        "read the address of the NATS server: {0}\nhint: write it like nats://127.0.0.1:4222, or tls://nats.example.com:4222"
    )]
    Address(String),
    /// A file with credentials, a key or certificates cannot be used.
    #[error("use {file}: {why}")]
    Credentials {
        /// The file.
        file: String,
        /// What is wrong with it, and how it is made.
        why: String,
    },
    /// What is said would be readable on the way.
    #[error(
        "connect to {0} without TLS\nhint: set up TLS at the server and write tls://…, or accept with `--insecure-nats` that everybody on the way reads and changes what is said"
    )]
    Plain(String),
    /// The server was not reached in time.
    #[error(
        "reach the NATS server at {address} within {}: {}\nhint: start one with `nats-server -js`, or look at its address and its port",
        shown(*limit), visible(why)
    )]
    Unreachable {
        /// Where, without a password.
        address: String,
        /// How long it was tried.
        limit: Duration,
        /// What happened at the last try.
        why: String,
    },
    /// The server's certificate is signed by nobody who is trusted, or is another's.
    #[error(
        "trust the NATS server at {address}: {}\nhint: name the certificates to trust with `--nats-ca FILE`, and the server by a name that its certificate has",
        visible(why)
    )]
    Untrusted {
        /// Where, without a password.
        address: String,
        /// What is wrong with the certificate.
        why: String,
    },
    /// The server speaks no TLS, and was asked to.
    #[error(
        "speak TLS with the NATS server at {}: it speaks no TLS there\nhint: set up TLS at the server, or write {}",
        .0, plain(.0)
    )]
    NoTls(String),
    /// The server does not know who asks.
    #[error(
        "log in at the NATS server at {0}\nhint: give the key of your role with `--nkey FILE` (`wsbench cluster auth` makes it), `--creds FILE`, or user:password@ in the address"
    )]
    Login(String),
    /// The role is not allowed to say or hear this.
    #[error(
        "{0}: the NATS server does not permit it\nhint: compare the server's configuration with what `wsbench cluster auth` prints; `wsbench cluster doctor` lists all that is missing"
    )]
    NotPermitted(Refusal),
    /// The role may not even hear what is answered to it.
    #[error(
        "hear answers at `{}.>`: the NATS server does not permit it\nhint: is this the key of the other role? It has to be that of {}; `wsbench cluster doctor` tries a key as the coordinator's, and with `--role agent` as that of agents",
        .0.inbox(), whose(*.0)
    )]
    NoAnswers(Role),
    /// An agent may not answer.
    #[error(
        "answer questions: the NATS server does not permit it\nhint: the agents' user needs `allow_responses: true`, as `wsbench cluster auth` prints it"
    )]
    MayNotAnswer,
    /// The server runs without its log.
    #[error(
        "{0}: JetStream is off at the NATS server\nhint: start it with `nats-server -js`, or with `jetstream {{}}` in its configuration"
    )]
    NoJetStream(&'static str),
    /// The stream was never made.
    #[error("{0}: the stream WSBENCH is not there\nhint: make it with `wsbench cluster init`")]
    Missing(&'static str),
    /// The stream would be kept on more servers than there are.
    #[error(
        "keep the stream on {0} servers: this NATS server is in no cluster\nhint: leave out `--replicas`, or name a server of a cluster"
    )]
    Alone(usize),
    /// It took longer than it may.
    #[error(
        "{what} within {}\nhint: look with `wsbench cluster doctor` whether the NATS server answers", shown(*limit)
    )]
    TooLate {
        /// What was tried.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// It is longer than is taken.
    #[error("{what}: it has {bytes} bytes, and {limit} are taken")]
    TooLong {
        /// What was tried.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The most.
        limit: usize,
    },
    /// Nobody listens to a question.
    #[error("{0}: nobody answers there\nhint: `wsbench cluster ls` shows who is there")]
    Nobody(&'static str),
    /// The server or the client library said something else.
    #[error("{what}: {}", visible(why))]
    Broker {
        /// What was tried.
        what: &'static str,
        /// What was said.
        why: String,
    },
    /// The thread of the connection cannot be started, or has ended.
    #[error("run the thread of the connection to the NATS server: {0}")]
    Thread(String),
}

impl Error {
    /// What the client library says, with all causes.
    pub(super) fn broker(what: &'static str, error: &dyn std::error::Error) -> Self {
        let why = causes(error);
        // What the library says where nobody listens to JetStream's subjects.
        let off = [
            "no responders",
            "JetStream resource does not exist",
            "etstream not enabled",
        ];
        match off.iter().any(|said| why.contains(said)) {
            true => Self::NoJetStream(what),
            false => Self::Broker { what, why },
        }
    }
}

fn plain(address: &str) -> String {
    address.replacen("tls://", "nats://", 1)
}

fn whose(role: Role) -> &'static str {
    match role {
        Role::Coordinator => "the coordinator",
        Role::Agent => "the agents",
    }
}

/// An error and its causes, each once.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn shown(limit: Duration) -> String {
    // Leaves out what nobody compares.
    humantime::format_duration(Duration::from_millis(limit.as_millis() as u64)).to_string()
}
