//! Files that commands write.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{
    failure::{Failure, Outcome},
    output::Out,
};

/// Writes what a command makes: to a file, if one is named, else to standard output.
pub(super) fn put(out: &mut Out, path: Option<&Path>, text: &str) -> Outcome {
    match path {
        Some(path) => Draft::new(path, text)?.keep(),
        None => out.text(text),
    }
}

/// A file that is written whole beside its place, and put there by its name.
pub(super) struct Draft<'a> {
    path: &'a Path,
    beside: PathBuf,
}

impl<'a> Draft<'a> {
    /// Writes a text beside its place.
    pub(super) fn new(path: &'a Path, text: &str) -> Outcome<Self> {
        let fail = |error: io::Error| Failure::Failed(format!("{}: cannot be written: {error}", path.display()));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.is_empty() || path.is_dir() {
            return Err(Failure::Failed(format!("{} is a directory", path.display())));
        }
        let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let draft = Self { path, beside };
        let mut file = fs::File::create(&draft.beside).map_err(fail)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
        Ok(draft)
    }

    /// Puts it there.
    pub(super) fn keep(self) -> Outcome {
        fs::rename(&self.beside, self.path)
            .map_err(|error| Failure::Failed(format!("{}: cannot be written: {error}", self.path.display())))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // It is gone if it was kept.
        let _ = fs::remove_file(&self.beside);
    }
}
