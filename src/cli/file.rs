//! Files that commands read and write.

use std::{
    fs,
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{
    failure::{Failure, Outcome},
    output::Out,
};
use crate::manifest;

/// How a file is called where something is said of it.
pub(super) fn shown(file: &str) -> &str {
    if file == "-" { "standard input" } else { file }
}

/// What is in a file; `-` is standard input. Of what is larger than `most`, or has no end, one byte more is read.
pub(super) fn bytes(file: &str, most: usize) -> Outcome<Vec<u8>> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = match file {
        "-" => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        path => fs::File::open(path).and_then(|opened| opened.take(limit).read_to_end(&mut bytes)),
    };
    let is_address = file.starts_with("https://") || file.starts_with("http://");
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::Failed(match error.kind() {
            ErrorKind::NotFound if is_address => format!(
                "{file}: only files are read, and standard input: `curl -fsSL {file} | subprocessor-registry … -` \
                 reads what is there"
            ),
            ErrorKind::IsADirectory => format!("{file}: is a directory; name a file"),
            _ => format!("{}: {error}", shown(file)),
        })),
    }
}

/// The text of a file; `-` is standard input. What is larger than `most` is refused.
pub(super) fn text(file: &str, most: usize) -> Outcome<String> {
    let bytes = bytes(file, most)?;
    if bytes.len() > most {
        return Err(Failure::Failed(format!("{}: has more than {most} bytes; at most so many are read", shown(file))));
    }
    let text = String::from_utf8(bytes);
    text.map_err(|_| Failure::Failed(format!("{} is not UTF-8; save it as UTF-8", shown(file))))
}

/// The text of a manifest or a notice, of which there is some.
pub(super) fn document(file: &str) -> Outcome<String> {
    let text = text(file, manifest::MAX_BYTES)?;
    if text.trim().is_empty() {
        return Err(Failure::Failed(format!("{} is empty", shown(file))));
    }
    Ok(text)
}

/// Writes what a command makes: to a file, if one is named, else to standard output.
pub(super) fn put(out: &mut Out, path: Option<&Path>, text: &str) -> Outcome {
    match path {
        Some(path) => Draft::new(path, text)?.keep(),
        None => out.text(text),
    }
}

/// Where a path leads: links are followed, also one to a file that is not there yet. The folder is what the system calls
/// it, so that two ways to write one place are one.
pub(super) fn place(path: &Path) -> PathBuf {
    // As many links as the kernel follows.
    const LINKS: usize = 40;
    let mut place = path.to_owned();
    for _ in 0..LINKS {
        let Ok(to) = fs::read_link(&place) else { break };
        place = place.parent().map_or_else(|| to.clone(), |folder| folder.join(&to));
    }
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), place.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => place,
    }
}

/// Whether there is something that is neither a file nor a folder: a pipe, a terminal, `/dev/null`.
pub(super) fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir())
}

/// A file that is written whole beside its place, and put there by its name. What is no file cannot be replaced by one:
/// it gets the text when the draft is kept.
pub(super) struct Draft<'a> {
    path: &'a Path,
    to: To,
}

enum To {
    /// A file, by that of the second path.
    File(PathBuf, PathBuf),
    /// Something else, by this text.
    Special(String),
}

impl<'a> Draft<'a> {
    /// Writes a text beside its place.
    pub(super) fn new(path: &'a Path, text: &str) -> Outcome<Self> {
        if path.is_dir() || path.file_name().is_none() {
            return Err(Failure::Failed(format!("{} is a directory", path.display())));
        }
        if is_special(path) {
            return Ok(Self { path, to: To::Special(text.to_owned()) });
        }
        let place = place(path);
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let beside = place.with_file_name(format!(".{name}.{}", std::process::id()));
        let known = fs::metadata(&place).map(|about| about.permissions());
        // Made before it is written, so that it is taken away if that fails.
        let draft = Self { path, to: To::File(place, beside.clone()) };
        let written = fs::File::create(&beside).and_then(|mut file| {
            // Who may read the file may read the new one, and nobody else.
            if let Ok(permissions) = known {
                file.set_permissions(permissions)?;
            }
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all())
        });
        written.map_err(|error| failed(path, &error))?;
        Ok(draft)
    }

    /// Puts it there.
    pub(super) fn keep(self) -> Outcome {
        let done = match &self.to {
            To::File(place, beside) => fs::rename(beside, place),
            To::Special(text) => {
                let opened = fs::OpenOptions::new().write(true).open(self.path);
                opened.and_then(|mut there| there.write_all(text.as_bytes()).and_then(|()| there.flush()))
            }
        };
        done.map_err(|error| failed(self.path, &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{}: cannot be written: {error}", path.display()))
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if let To::File(_, beside) = &self.to {
            // It is gone if it was kept.
            let _ = fs::remove_file(beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_with_what_to_do() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("text");
        fs::write(&path, "four").expect("written");
        let path = path.to_str().expect("a path");
        assert_eq!(text(path, 4).expect("read"), "four");
        for (file, most, said) in [
            (path, 3, "has more than 3 bytes"),
            ("/dev/zero", 1 << 20, "has more than 1048576 bytes"),
            (folder.path().to_str().expect("a path"), 4, "is a directory; name a file"),
            ("/nowhere/at/all", 4, "/nowhere/at/all: No such file"),
            ("https://a.example/list", 4, "`curl -fsSL https://a.example/list | subprocessor-registry … -`"),
        ] {
            let failure = text(file, most).expect_err("refused");
            assert!(matches!(&failure, Failure::Failed(text) if text.contains(said)), "{file}: {failure:?}");
        }
        assert_eq!(document("/dev/null").expect_err("refused").text(), "error: /dev/null is empty\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_what_is_no_file_stays_what_it_is() {
        use std::os::unix::{fs::FileTypeExt, fs::symlink};
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            let path = path(name);
            Draft::new(&path, text).and_then(Draft::keep)
        };
        fs::create_dir(path("below")).expect("made");
        fs::write(path("below/real"), "old").expect("written");
        symlink("below/real", path("link")).expect("linked");
        write("link", "new").expect("written");
        assert!(fs::symlink_metadata(path("link")).expect("there").is_symlink());
        assert_eq!(fs::read_to_string(path("below/real")).expect("read"), "new");
        // One that leads nowhere yet makes what it leads to.
        symlink("below/coming", path("early")).expect("linked");
        write("early", "first").expect("written");
        assert_eq!(fs::read_to_string(path("below/coming")).expect("read"), "first");
        // A pipe gets the text, and stays a pipe.
        let pipe = path("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).expect("read")
        });
        write("pipe", "through").expect("written");
        assert_eq!(reader.join().expect("read"), "through");
        assert!(fs::symlink_metadata(&pipe).expect("there").file_type().is_fifo());
        symlink("/dev/null", path("null")).expect("linked");
        write("null", "nothing").expect("written");
        assert!(fs::metadata("/dev/null").expect("there").file_type().is_char_device());
        let left: Vec<_> = fs::read_dir(folder.path()).expect("read").flatten().map(|one| one.file_name()).collect();
        assert_eq!(left.len(), 5, "{left:?}");
    }
}
