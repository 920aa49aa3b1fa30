//! A file with the secrets of TLS sessions, for programs that read what was captured on the way.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::KeyLog;
use tracing::warn;

/// The most bytes of the file: about a million handshakes of TLS 1.3.
const MAX_LENGTH: u64 = 1 << 30;

/// Appends a line for each secret: a label, the client's random bytes, and the secret (RFC 9850 section 2).
#[derive(Debug)]
pub(super) struct KeyFile {
    file: File,
    /// The most bytes that the file may have, whoever wrote them.
    max_length: u64,
    /// Whether it was told that there is no more room.
    is_full: AtomicBool,
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
        Ok(Self {
            file,
            max_length: MAX_LENGTH,
            is_full: AtomicBool::new(false),
        })
    }
}

impl KeyLog for KeyFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        // The file is asked each time: each server of a run, and each other run, may write to it as well.
        let room = match self.file.metadata() {
            Ok(file) => self.max_length.saturating_sub(file.len()),
            Err(error) => return warn!("failed to read the length of the key log: {error}"),
        };
        if line.len() as u64 > room {
            if !self.is_full.swap(true, Ordering::Relaxed) {
                let most = self.max_length;
                warn!("the key log is full: it has no room for more than {most} bytes");
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

    /// Each server has a writer of its own, and so has each run.
    #[test]
    fn a_full_log_grows_no_more_whoever_filled_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        let [mut one, mut other] = [(); 2].map(|()| KeyFile::open(&path).unwrap());
        let line = "CLIENT_RANDOM 00ab 07\n".len() as u64;
        for log in [&mut one, &mut other] {
            log.max_length = 2 * line + 1;
        }
        for log in [&one, &other, &one, &other] {
            log.log("CLIENT_RANDOM", &[0, 0xab], &[7]);
        }
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 2 * line);
    }
}
