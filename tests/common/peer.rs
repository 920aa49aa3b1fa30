//! Servers and proxies that nobody here wrote, each started from a configuration in `tests/peers` or by a command.
//! `scripts/test` installs them; a test whose peer is missing fails instead of being skipped.

use std::env;
use std::env::consts::ARCH;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::address;
use super::process::{self, Leashed};

/// The longest time that a peer may take until it listens.
const STARTS: Duration = Duration::from_secs(10);
/// Where programs are that are not in everybody's `PATH`.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// What is to be started. Texts between `@` are filled in:
///
/// | place | stands for |
/// |---|---|
/// | `@listen@`, `@host@`, `@port@` | an address on which nothing listens, as a whole and in parts; `@port@` alone is one of 127.0.0.1 |
/// | `@listen2@` … `@port4@` | others |
/// | `@folder@` | the peer's own folder, in which it is started |
/// | `@file@` | the configuration in that folder, filled in |
/// | `@peers@` | the folder of `WSBENCH_PEERS`; empty where the system's own are used |
/// | others | what the test says |
pub struct Setup {
    command: String,
    /// The name of the configuration in its folder, and its text.
    configuration: Option<(String, String)>,
    places: Vec<(String, String)>,
    folder: TempDir,
}

/// A running peer; ends when dropped.
pub struct Peer {
    child: Leashed,
    addresses: Vec<SocketAddr>,
    folder: TempDir,
}

impl Setup {
    /// Reads a configuration in `tests/peers`, whose first line is `# run: ` and the command.
    #[track_caller]
    pub fn of(file: &str) -> Self {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let text = fs::read_to_string(peers.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let first = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# run: "));
        let command = first.unwrap_or_else(|| panic!("{file} does not begin with `# run: `"));
        // Some tell by the end of the name what is in it.
        let end = Path::new(file).extension().unwrap_or_default();
        let name = Path::new("configuration").with_extension(end);
        Self {
            configuration: Some((name.display().to_string(), text.clone())),
            ..Self::command(command)
        }
    }

    /// A command alone; its words are separated by spaces.
    pub fn command(line: &str) -> Self {
        Self {
            command: line.to_owned(),
            configuration: None,
            places: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Puts a text in the place of `@name@`.
    pub fn place(mut self, name: &str, text: impl ToString) -> Self {
        self.places.push((format!("@{name}@"), text.to_string()));
        self
    }

    /// Writes a file into the peer's folder.
    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    /// Lets everybody into the peer's folder, for one that does not stay root.
    pub fn open(self) -> Self {
        let everybody = fs::Permissions::from_mode(0o777);
        fs::set_permissions(self.folder.path(), everybody).unwrap();
        self
    }

    /// Starts it, and waits until it listens at each address that it was given.
    #[track_caller]
    pub fn start(mut self) -> Peer {
        let mut addresses = Vec::new();
        for suffix in ["", "2", "3", "4"] {
            let names = ["listen", "host", "port"].map(|name| format!("@{name}{suffix}@"));
            let is_named = |name: &String| {
                let configuration = self.configuration.iter().map(|(_, text)| text);
                [&self.command]
                    .into_iter()
                    .chain(configuration)
                    .any(|text| text.contains(name))
            };
            let free = match names.each_ref().map(is_named) {
                [false, false, false] => break,
                // Who is told a port alone listens on this one.
                [false, false, true] => address::free_at(Ipv4Addr::LOCALHOST),
                _ => address::free(),
            };
            let texts = [
                free.to_string(),
                free.ip().to_string(),
                free.port().to_string(),
            ];
            self.places.extend(names.into_iter().zip(texts));
            addresses.push(free);
        }
        assert!(!addresses.is_empty(), "nobody told it where to listen");
        let folder = self.folder.path();
        let others = peers();
        for (name, path) in [("@folder@", folder), ("@peers@", &others)] {
            self.places.push((name.into(), path.display().to_string()));
        }
        let filled = |text: &str| {
            let places = self.places.iter();
            places.fold(text.to_owned(), |text, (name, value)| {
                text.replace(name, value)
            })
        };
        let mut file = PathBuf::new();
        if let Some((name, text)) = &self.configuration {
            file = folder.join(name);
            fs::write(&file, filled(text)).unwrap();
        }
        let command = filled(&self.command).replace("@file@", &file.display().to_string());
        let mut words = command.split_whitespace();
        let program = find(words.next().unwrap());
        let output = File::create(folder.join("output.txt")).unwrap();
        // An end of its standard input is the end of some.
        let mut child = process::command(program);
        child
            .args(words)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        if !others.as_os_str().is_empty() {
            let libraries = others.join(format!("usr/lib/{ARCH}-linux-gnu"));
            child.env("LD_LIBRARY_PATH", libraries);
        }
        let mut peer = Peer {
            child: Leashed(child.spawn().unwrap()),
            addresses,
            folder: self.folder,
        };
        peer.listens();
        peer
    }
}

impl Peer {
    /// Waits until it accepts connections.
    #[track_caller]
    fn listens(&mut self) {
        let deadline = Instant::now() + STARTS;
        while !self
            .addresses
            .iter()
            .all(|at| TcpStream::connect(at).is_ok())
        {
            let is_there = self.child.0.try_wait().unwrap().is_none();
            let is_in_time = Instant::now() < deadline;
            assert!(
                is_there && is_in_time,
                "it does not listen: {}",
                self.output()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The first address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All of them: `@listen@`, `@listen2@` and so on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// All that it has written to its standard output and error so far.
    pub fn output(&self) -> String {
        let output = fs::read(self.folder().join("output.txt")).unwrap();
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Writes to its standard input.
    pub fn say(&mut self, bytes: &[u8]) {
        let input = self.child.0.stdin.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }
}

/// The folder with extracted packages, where the system has none.
fn peers() -> PathBuf {
    env::var_os("WSBENCH_PEERS").unwrap_or_default().into()
}

/// The program, in `PATH`, in the system's folders, or in the folder of `WSBENCH_PEERS`.
#[track_caller]
fn find(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let others = ["usr/sbin", "usr/bin"].map(|folder| peers().join(folder));
    let folders = env::split_paths(&path)
        .chain(SYSTEM.map(PathBuf::from))
        .chain(others);
    let mut places = folders.map(|folder| folder.join(program));
    let found = places.find(|place| place.is_file());
    found.unwrap_or_else(|| panic!("{program} is not installed\nhint: run `scripts/test`"))
}
