//! How far long work is: on standard error, and only where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for so many of something. It is gone when it is dropped.
pub(super) fn bar(length: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length.try_into().unwrap_or(u64::MAX)).with_message(what);
    // The template is a constant; a bar without it is a plain one.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.with_finish(indicatif::ProgressFinish::AndClear)
}
