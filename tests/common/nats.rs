//! Real NATS servers, in both versions that wsbench has to work with. `scripts/test` installs them; a test whose server is
//! missing fails.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wsbench::cluster::{Credentials, Link, Options, Role};

use super::address;
use super::process::{self, Leashed};

/// A connection to a server at this address, of somebody without credentials.
pub fn options(url: &str, role: Role) -> Options {
    Options {
        address: url.parse().unwrap(),
        credentials: Credentials::None,
        roots: None,
        insecure: false,
        role,
        name: format!("test of {role}"),
        limit: STARTS,
    }
}

/// The longest time that a server may take until it listens.
const STARTS: Duration = Duration::from_secs(20);

/// Where it stores, in its folder.
const STORE: &str = "nats-store";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The oldest: Debian 12 has it.
    Debian,
    /// The newest: PyPI has it.
    PyPi,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Debian, Self::PyPi];

    /// Does it with each, side by side, as such work waits most of the time.
    pub fn each(work: impl Fn(Self) + Sync) {
        thread::scope(|scope| {
            for version in Self::ALL {
                let work = &work;
                scope.spawn(move || work(version));
            }
        });
    }

    /// What it says of itself.
    #[track_caller]
    pub fn number(self) -> String {
        let said = process::command(self.program()).arg("--version").output();
        let said = String::from_utf8(said.unwrap().stdout).unwrap();
        let number = said.trim().rsplit('v').next().unwrap();
        assert!(number.starts_with("2."), "{said}");
        number.to_owned()
    }

    /// Where it is.
    #[track_caller]
    pub fn program(self) -> PathBuf {
        let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/python/.venv/bin");
        let folder = match self {
            Self::Debian => Path::new("/usr/sbin"),
            Self::PyPi => &venv,
        };
        let program = folder.join("nats-server");
        assert!(
            program.is_file(),
            "{} is not there\nhint: run `scripts/test`",
            program.display()
        );
        program
    }
}

/// A running server; ends when dropped.
pub struct Nats {
    child: Option<Leashed>,
    version: Version,
    address: SocketAddr,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Nats {
    /// Starts one with JetStream, which everybody may use.
    #[track_caller]
    pub fn start(version: Version) -> Self {
        Self::with(version, address::free(), &["-js"])
    }

    /// The same at a given address of this machine.
    #[track_caller]
    pub fn start_at(own: Ipv4Addr, version: Version) -> Self {
        Self::with(version, address::free_at(own), &["-js"])
    }

    /// Starts one without its log.
    #[track_caller]
    pub fn without_jetstream(version: Version) -> Self {
        Self::with(version, address::free(), &[])
    }

    /// Starts one with a configuration, which is given the address on which it has to listen. Names of files in it are
    /// within its folder, and there, in `nats-store`, it stores.
    #[track_caller]
    pub fn configured(version: Version, configuration: impl FnOnce(SocketAddr) -> String) -> Self {
        let address = address::free();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nats.conf");
        fs::write(&file, configuration(address)).unwrap();
        let arguments = vec!["-c".to_owned(), file.display().to_string()];
        Self::begun(version, address, arguments, folder)
    }

    #[track_caller]
    fn with(version: Version, address: SocketAddr, arguments: &[&str]) -> Self {
        let mut arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join(STORE).display().to_string();
        arguments.extend(["-sd".to_owned(), store]);
        Self::begun(version, address, arguments, folder)
    }

    #[track_caller]
    fn begun(
        version: Version,
        address: SocketAddr,
        arguments: Vec<String>,
        folder: TempDir,
    ) -> Self {
        let mut nats = Self {
            child: None,
            version,
            address,
            arguments,
            folder,
        };
        nats.begin();
        nats
    }

    /// Starts it, again if it was killed, with all that it has stored.
    #[track_caller]
    pub fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let output = File::create(self.folder.path().join("output.txt")).unwrap();
        let mut child = process::command(self.version.program());
        child
            .args(["-a", &self.address.ip().to_string()])
            .args(["-p", &self.address.port().to_string()])
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let mut child = Leashed(child.spawn().unwrap());
        let deadline = Instant::now() + STARTS;
        while TcpStream::connect(self.address).is_err() {
            let is_there = child.0.try_wait().unwrap().is_none();
            assert!(
                is_there && Instant::now() < deadline,
                "it does not listen: {}",
                self.output()
            );
            thread::sleep(Duration::from_millis(5));
        }
        self.child = Some(child);
    }

    /// Kills it, as the kernel does when memory is short.
    pub fn kill(&mut self) {
        drop(self.child.take());
    }

    /// Connects without credentials.
    #[track_caller]
    pub fn link(&self, role: Role) -> Link {
        Link::connect(&options(&self.url(), role)).unwrap()
    }

    /// What agents and coordinators are given.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// The same with user and password.
    pub fn url_of(&self, login: &str) -> String {
        format!("nats://{login}@{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that it has stored so far, as bytes.
    pub fn stored(&self) -> Vec<u8> {
        fn all(folder: &Path, bytes: &mut Vec<u8>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => all(&path, bytes),
                    path => bytes.extend(fs::read(path).unwrap_or_default()),
                }
            }
        }
        let mut bytes = Vec::new();
        all(&self.folder.path().join(STORE), &mut bytes);
        bytes
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("it was killed").0.id()
    }

    /// All that it has written so far.
    pub fn output(&self) -> String {
        let output = fs::read(self.folder.path().join("output.txt")).unwrap_or_default();
        String::from_utf8_lossy(&output).into_owned()
    }
}
