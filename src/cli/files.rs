//! Opens files that the command line or a scenario names, for reading or writing, so that no kind of file can block
//! the program.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::CliError;

/// The longest time to wait until another process opens the other end of a pipe.
const OTHER_END: Duration = Duration::from_secs(3);
/// The time between two checks for the other end.
const LOOK: Duration = Duration::from_millis(20);

/// Reads the bytes of a file or a pipe, at most so many and one more.
///
/// # Errors
/// When it cannot be read, is a folder or a device, or a pipe delivers nothing for three seconds.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(OpenOptions::new().read(true), path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    if kind.is_file() {
        file.take(most + 1).read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    if !is_pipe(&kind) {
        let what = "it is neither a file nor a pipe";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    read_pipe(&file, most, &mut bytes)?;
    Ok(bytes)
}

/// Opens a file for reading.
///
/// # Errors
/// When it cannot be opened, or is a folder, a device or a pipe.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let file = open(OpenOptions::new().read(true), path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a file",
        )),
    }
}

/// Lists the files of a folder, by name.
///
/// # Errors
/// When it cannot be listed.
pub(super) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = paths.collect::<io::Result<_>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

#[cfg(unix)]
fn read_pipe(mut pipe: &File, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let wait = Timespec {
        tv_sec: OTHER_END.as_secs().cast_signed(),
        tv_nsec: 0,
    };
    let mut some = [0; 64 << 10];
    while bytes.len() as u64 <= most {
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
fn read_pipe(pipe: &File, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    pipe.take(most + 1).read_to_end(bytes)?;
    Ok(())
}

/// Writes a file at once, or leaves what is there: a reader never sees a part of it.
///
/// # Errors
/// When it cannot be written beside its place, or not be put there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create_new(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let landed = written.and_then(|()| std::fs::rename(&part, path));
    landed.inspect_err(|error| {
        if error.kind() != io::ErrorKind::AlreadyExists {
            let _ = std::fs::remove_file(&part);
        }
    })
}

/// An input file that must not be overwritten, and its description: "the scenario".
pub(super) type Needed = (PathBuf, &'static str);

/// Creates the file of an option, or empties an existing one. Opens a pipe once it has a reader.
///
/// # Errors
/// When it cannot be created, is one of the files that are `needed` (under any name), or is a pipe without a reader.
pub(super) fn create(path: &Path, needed: &[Needed]) -> Result<File, CliError> {
    let failed = |source| CliError::write(path, source);
    let file = open_to_write(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut needed = needed.iter();
    if let Some((_, what)) = needed.find(|(other, _)| is_same(&metadata, path, other)) {
        let path = path.to_owned();
        return Err(CliError::WriteOver { path, what });
    }
    if let Some(stream) = standard_stream(&metadata) {
        return Ok(stream);
    }
    // Empties the file only after checking that it is none of the needed files.
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

/// Makes later writes into a full pipe block.
#[cfg(unix)]
fn wait_for_writes(file: &File) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(file, false)?)
}

#[cfg(unix)]
fn is_pipe(kind: &std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo() || kind.is_socket()
}

/// Whether both names refer to the same file, also through links.
#[cfg(unix)]
fn is_same(file: &Metadata, _path: &Path, other: &Path) -> bool {
    other.metadata().is_ok_and(|other| is_one(file, &other))
}

#[cfg(unix)]
fn is_one(file: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.is_file() && (file.dev(), file.ino()) == (other.dev(), other.ino())
}

/// The standard stream that writes into this file, if there is one. A file that is opened twice has two positions, so
/// that each writer would overwrite what the other has written.
#[cfg(unix)]
fn standard_stream(file: &Metadata) -> Option<File> {
    use std::os::fd::AsFd as _;
    let (out, error) = (io::stdout(), io::stderr());
    let streams = [out.as_fd(), error.as_fd()].map(|stream| stream.try_clone_to_owned().ok());
    let mut streams = streams.into_iter().flatten().map(File::from);
    streams.find(|stream| stream.metadata().is_ok_and(|stream| is_one(file, &stream)))
}

#[cfg(not(unix))]
fn standard_stream(_: &Metadata) -> Option<File> {
    None
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
