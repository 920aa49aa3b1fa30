//! A file with the secrets of TLS sessions, for programs that read what was captured on the way.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::KeyLog;
use tracing::warn;

/// The most bytes of the file: about a million handshakes of TLS 1.3.
const MAX_LENGTH: u64 = 1 << 30;

/// Appends a line for each secret: a label, the client's random bytes, and the secret (RFC 9850 section 2).
#[derive(Debug)]
pub(super) struct KeyFile {
    file: File,
    /// The length of the file so far, as far as it is known here: others may write to it as well.
    length: AtomicU64,
}

impl KeyFile {
    /// Opens or makes the file. A new one can be read by its owner only.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut how = OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
        let file = how.append(true).create(true).open(path)?;
        let length = AtomicU64::new(file.metadata()?.len());
        Ok(Self { file, length })
    }
}

impl KeyLog for KeyFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        let added = line.len() as u64;
        let before = self.length.fetch_add(added, Ordering::Relaxed);
        if before + added > MAX_LENGTH {
            // Said once: by whoever is the first to find no room.
            if before <= MAX_LENGTH {
                warn!("the key log is full: no more than {MAX_LENGTH} bytes are written");
            }
            return;
        }
        // In one piece, so that lines of several threads do not mix.
        if let Err(error) = (&self.file).write_all(line.as_bytes()) {
            warn!("failed to write to the key log: {error}");
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_and_only_the_owner_may_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        for label in ["CLIENT_RANDOM", "EXPORTER_SECRET"] {
            KeyFile::open(&path).unwrap().log(label, &[0, 0xab], &[7]);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "CLIENT_RANDOM 00ab 07\nEXPORTER_SECRET 00ab 07\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_full_log_grows_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        let log = KeyFile::open(&path).unwrap();
        log.length.store(MAX_LENGTH - 10, Ordering::Relaxed);
        log.log("CLIENT_RANDOM", &[0; 32], &[1; 48]);
        log.log("CLIENT_RANDOM", &[0; 32], &[1; 48]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    }
}
