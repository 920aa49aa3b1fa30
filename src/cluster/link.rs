//! The connection to the broker, on a thread of its own: load must not starve it.

use std::future::Future;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use super::address::{Address, Credentials};
use super::broker::Broker;
use super::error::{Error, causes};
use super::events::Events;
use super::role::Role;
use crate::net::{self, TlsError, TlsRefusal};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);
/// How long to wait between two tries, and the most between two of a connection that was lost.
const PAUSE: Duration = Duration::from_millis(250);

/// Whom to connect to, and as what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the server is.
    pub address: Address,
    /// Who asks.
    pub credentials: Credentials,
    /// Certificates to trust instead of the system's, as PEM.
    pub roots: Option<PathBuf>,
    /// Whether a connection without TLS may leave this machine.
    pub insecure: bool,
    /// What this process is to the others.
    pub role: Role,
    /// What the server calls the connection.
    pub name: String,
    /// How long to try: an agent may be there before its server.
    pub limit: Duration,
}

/// A connection to the broker with its thread. It connects again by itself, for as long as it lives.
#[derive(Debug)]
pub struct Link {
    broker: Broker,
    handle: Handle,
    /// Ends the thread when it is dropped.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Connects, and tries again until the limit. The client library connects again by itself later on.
    ///
    /// # Errors
    /// When the server cannot be reached in time, does not let this process in, or would be spoken to in plain text
    /// on another machine.
    pub fn connect(options: &Options) -> Result<Self, Error> {
        let (end, ended) = oneshot::channel();
        let (tell, told) = mpsc::sync_channel(1);
        let options = options.clone();
        let thread = std::thread::Builder::new().name("broker".to_owned());
        let thread = thread.spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = tell.send(Err(Error::Thread(error.to_string())));
                    return;
                }
            };
            let handle = runtime.handle().clone();
            runtime.block_on(async move {
                let connected = connect(&options).await.map(|broker| (broker, handle));
                let is_connected = connected.is_ok();
                if tell.send(connected).is_ok() && is_connected {
                    let _ = ended.await;
                }
            });
            runtime.shutdown_background();
        });
        let thread = thread.map_err(|error| Error::Thread(error.to_string()))?;
        let gone = |_| Error::Thread("it ended before it was connected".to_owned());
        let (broker, handle) = told.recv().map_err(gone)??;
        Ok(Self {
            broker,
            handle,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// What to speak with; for tasks of the connection's thread.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// The runtime of the connection's thread, for what has to go on beside the caller: signs of life, answers.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Does something on the connection's thread, and waits for it. Must not be called from a task.
    ///
    /// # Errors
    /// What it says, and when the thread has ended.
    pub fn call<T, F>(&self, make: impl FnOnce(Broker) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (tell, told) = mpsc::sync_channel(1);
        let future = make(self.broker.clone());
        self.handle.spawn(async move {
            let _ = tell.send(future.await);
        });
        let gone = |_| Error::Thread("it has ended".to_owned());
        told.recv().map_err(gone)?
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn connect(options: &Options) -> Result<Broker, Error> {
    let address = &options.address;
    if !address.is_loopback() && !address.is_tls() && !options.insecure {
        return Err(Error::Plain(address.to_string()));
    }
    let events = Events::new();
    let settings = settings(options, &events).await?;
    let server = address.server()?;
    let begun = Instant::now();
    let deadline = begun + options.limit;
    let mut why = "no try was over in time".to_owned();
    loop {
        let attempt = timeout_at(deadline, settings.clone().connect(server.clone()));
        match attempt.await {
            Ok(Ok(client)) => return Ok(Broker::new(client, events, options.role)),
            Ok(Err(error)) => {
                use async_nats::ConnectErrorKind as Kind;
                let refused = [Kind::AuthorizationViolation, Kind::Authentication];
                if refused.contains(&error.kind()) {
                    return Err(Error::Login(address.to_string()));
                }
                let at = address.to_string();
                // No later try changes what a server is.
                why = match TlsRefusal::of(&error) {
                    Some(TlsRefusal::Untrusted(why)) => {
                        return Err(Error::Untrusted { address: at, why });
                    }
                    Some(TlsRefusal::NotSpoken) => return Err(Error::NoTls(at)),
                    Some(TlsRefusal::Other(why)) => why,
                    None => causes(&error),
                };
            }
            Err(_) => {}
        }
        if Instant::now() + PAUSE >= deadline {
            return Err(Error::Unreachable {
                address: address.to_string(),
                limit: options.limit,
                why,
            });
        }
        sleep(PAUSE).await;
    }
}

async fn settings(options: &Options, events: &Events) -> Result<async_nats::ConnectOptions, Error> {
    let events = events.clone();
    let mut settings = async_nats::ConnectOptions::new()
        .name(&options.name)
        .custom_inbox_prefix(options.role.inbox())
        .connection_timeout(TRY)
        .require_tls(options.address.is_tls())
        // Keeps to the addresses that were named: a server may tell of others that only its own network reaches.
        .ignore_discovered_servers()
        .reconnect_delay_callback(|attempts| PAUSE.min(Duration::from_millis(10) * attempts as u32))
        .event_callback(move |event| {
            let events = events.clone();
            async move { events.take(&event) }
        });
    if let Some((user, password)) = options.address.login() {
        settings = settings.user_and_password(user, password);
    }
    let unusable = |file: &PathBuf, why: String| Error::Credentials {
        file: file.display().to_string(),
        why,
    };
    if let Some(roots) = &options.roots {
        let trusting = net::trusting(roots);
        settings = settings.tls_client_config(trusting.map_err(|error| {
            let why = match error {
                TlsError::Certificates { why, .. } => why,
                other => other.to_string(),
            };
            let way = "hint: it has to be a file with certificates, as PEM";
            unusable(roots, format!("{why}\n{way}"))
        })?);
    }
    match &options.credentials {
        Credentials::None => Ok(settings),
        Credentials::File(file) => {
            let settings = settings.credentials_file(file).await;
            settings.map_err(|error| {
                let way = "hint: it has to be a file with a token and a key, as `nsc generate creds` writes it";
                unusable(file, format!("{error}\n{way}"))
            })
        }
        Credentials::Key(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|error| unusable(file, error.to_string()))?;
            let seed = text
                .lines()
                .map(str::trim)
                .find(|line| line.starts_with("SU"));
            let seed = seed.ok_or_else(|| {
                let why = "it has no key of a user\nhint: `wsbench cluster auth` makes one; it is a line that begins with SU";
                unusable(file, why.to_owned())
            })?;
            Ok(settings.nkey(seed.to_owned()))
        }
    }
}
