//! Files that the command line or a scenario names: read and made in such a way that none holds the program up,
//! whatever it is.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::CliError;
use crate::scenario::Outside;

/// Whoever writes into a pipe that is read, or reads from one that is written to, has to be there by then.
const OTHER_END: Duration = Duration::from_secs(3);
/// Between two looks for the other end.
const LOOK: Duration = Duration::from_millis(20);

/// The bytes of a file or a pipe, [`Outside::MAX_FILE`] and one more at most.
///
/// # Errors
/// When it cannot be read, is a folder or a device, or nothing comes out of a pipe for three seconds.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(OpenOptions::new().read(true), path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    if kind.is_file() {
        file.take(Outside::MAX_FILE + 1).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    if !is_pipe(&kind) {
        let what = "it is neither a file nor a pipe";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    read_pipe(&file, &mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
fn read_pipe(mut pipe: &File, bytes: &mut Vec<u8>) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let wait = Timespec {
        tv_sec: OTHER_END.as_secs().cast_signed(),
        tv_nsec: 0,
    };
    let mut some = [0; 64 << 10];
    while bytes.len() as u64 <= Outside::MAX_FILE {
        let mut events = [PollFd::new(pipe, PollFlags::IN)];
        if poll(&mut events, Some(&wait))? == 0 {
            let what = format!("nothing came out of it for {} s", OTHER_END.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        match pipe.read(&mut some) {
            Ok(0) => return Ok(()),
            Ok(read) => bytes.extend_from_slice(&some[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn read_pipe(pipe: &File, bytes: &mut Vec<u8>) -> io::Result<()> {
    pipe.take(Outside::MAX_FILE + 1).read_to_end(bytes)?;
    Ok(())
}

/// A file that is needed as it is, and what it is: "the scenario".
pub(super) type Needed = (PathBuf, &'static str);

/// Makes the file of an option, or empties the one that is there. A pipe is opened once it has a reader.
///
/// # Errors
/// When it cannot be made, is one of the files that are `needed`, by whatever name, or is a pipe that nobody reads.
pub(super) fn create(path: &Path, needed: &[Needed]) -> Result<File, CliError> {
    let failed = |source| CliError::Write {
        path: path.to_owned(),
        source,
    };
    let file = open_to_write(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut needed = needed.iter();
    if let Some((_, what)) = needed.find(|(other, _)| is_same(&metadata, path, other)) {
        let path = path.to_owned();
        return Err(CliError::WriteOver { path, what });
    }
    // Emptied only now that it is known to be none of those.
    if metadata.is_file() {
        file.set_len(0).map_err(failed)?;
    }
    wait_for_writes(&file).map_err(failed)?;
    Ok(file)
}

fn open_to_write(path: &Path) -> io::Result<File> {
    let deadline = Instant::now() + OTHER_END;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    loop {
        match open(&mut options, path) {
            Err(error) if has_no_reader(&error) => {
                if Instant::now() >= deadline {
                    let what = "nobody reads from this pipe\nhint: start its reader first";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, what));
                }
                std::thread::sleep(LOOK);
            }
            result => return result,
        }
    }
}

/// Opens it without waiting for the other end of a pipe.
#[cfg(unix)]
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(unix)]
fn has_no_reader(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENXIO)
}

/// From here on a write into a full pipe waits.
#[cfg(unix)]
fn wait_for_writes(file: &File) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(file, false)?)
}

#[cfg(unix)]
fn is_pipe(kind: &std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo() || kind.is_socket()
}

/// Whether both names are of one file: by links as well.
#[cfg(unix)]
fn is_same(file: &Metadata, _path: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let other = other.metadata();
    other
        .is_ok_and(|other| file.is_file() && (file.dev(), file.ino()) == (other.dev(), other.ino()))
}

#[cfg(not(unix))]
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}

#[cfg(not(unix))]
fn has_no_reader(_: &io::Error) -> bool {
    false
}

#[cfg(not(unix))]
fn wait_for_writes(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn is_pipe(_: &std::fs::FileType) -> bool {
    false
}

#[cfg(not(unix))]
fn is_same(_: &Metadata, path: &Path, other: &Path) -> bool {
    let paths = (path.canonicalize(), other.canonicalize());
    matches!(paths, (Ok(one), Ok(other)) if one == other)
}
