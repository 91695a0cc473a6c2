//! The templates of mails: ours, compiled in, and those that an operator puts in their place.
//!
//! A mail has two, `kind.txt` and `kind.html`, and what they include. The text's first line is `Subject: …`; the mail
//! begins after the empty line that follows. Templates see what they are given ([`super::contents`]) and nothing else:
//! no files, no environment, and only so many steps.

use std::{fs, path::Path, sync::Arc};

use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig, value::Serde};

use super::{
    contents::{About, Content},
    samples,
};
use crate::error::{Error, Reason, Result};

/// How many steps a template may take: enough for a thousand changes, and about a second.
const FUEL: u64 = 5_000_000;

/// How large an operator's template may be, in bytes.
const LARGEST: u64 = 256 * 1024;

/// The mails that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A notice was published.
    NoticePublished,
    /// A notice was withdrawn, wholly or in part.
    NoticeWithdrawn,
    /// A notice took effect.
    NoticeEffective,
    /// The list changed without a notice.
    ListChanged,
    /// Somebody, perhaps not the owner of the address, asked for a subscription.
    ConfirmSubscription,
    /// A test of a subscription.
    Test,
}

/// The compiled-in templates by the names of their files.
macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../templates/email/", $name)))),*]
    };
}

const SOURCES: [(&str, &str); 16] = sources![
    "change.html",
    "change.txt",
    "confirm_subscription.html",
    "confirm_subscription.txt",
    "footer.txt",
    "layout.html",
    "list_changed.html",
    "list_changed.txt",
    "notice_effective.html",
    "notice_effective.txt",
    "notice_published.html",
    "notice_published.txt",
    "notice_withdrawn.html",
    "notice_withdrawn.txt",
    "test.html",
    "test.txt",
];

impl Kind {
    /// The names of its two templates, the text first.
    fn templates(self) -> [&'static str; 2] {
        match self {
            Self::NoticePublished => ["notice_published.txt", "notice_published.html"],
            Self::NoticeWithdrawn => ["notice_withdrawn.txt", "notice_withdrawn.html"],
            Self::NoticeEffective => ["notice_effective.txt", "notice_effective.html"],
            Self::ListChanged => ["list_changed.txt", "list_changed.html"],
            Self::ConfirmSubscription => ["confirm_subscription.txt", "confirm_subscription.html"],
            Self::Test => ["test.txt", "test.html"],
        }
    }
}

/// A mail's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// As text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

/// The templates, tried. Cheap to clone.
#[derive(Clone)]
pub struct Templates(Arc<Environment<'static>>);

impl Templates {
    /// Ours, with those that a directory has in their place. Every mail is written once with made-up contents, so that a
    /// mistake stops the start and not a notice.
    ///
    /// # Errors
    /// FIELD_INVALID: each template that cannot be used, with its file and line.
    pub fn new(directory: Option<&Path>) -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_debug(false);
        // A tag that stands alone on a line leaves no line behind, so that a text can be laid out as it will be read.
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build().map_err(Error::internal)?);
        let mut problems = Vec::new();
        for (name, source) in SOURCES {
            if let Err(error) = environment.add_template(name, source) {
                problems.push(place(name, &error));
            }
        }
        if let Some(directory) = directory {
            replace(&mut environment, directory, &mut problems);
        }
        let templates = Self(Arc::new(environment));
        if problems.is_empty() {
            for (about, content) in samples::all() {
                problems.extend(templates.write(&about, &content).err());
            }
            // The same mistake is found with several contents.
            problems.sort_unstable();
            problems.dedup();
        }
        if problems.is_empty() {
            return Ok(templates);
        }
        let problems = problems.into_iter().map(|text| ("email.templates_dir".to_owned(), text)).collect();
        Err(Error::fields(Reason::FieldInvalid, problems))
    }

    /// Writes a mail.
    ///
    /// # Errors
    /// INTERNAL, if a template cannot be used with this content.
    pub fn render(&self, about: &About, content: &Content) -> Result<Rendered> {
        self.write(about, content).map_err(Error::internal)
    }

    /// What went wrong is said with the file and the line.
    fn write(&self, about: &About, content: &Content) -> Result<Rendered, String> {
        let [text_name, html_name] = content.kind().templates();
        let data = context! { about => Serde(about), ..Value::from(Serde(content)) };
        let render = |name: &str| {
            let template = self.0.get_template(name).map_err(|error| place(name, &error))?;
            template.render(&data).map_err(|error| place(name, &error))
        };
        let whole = render(text_name)?;
        let (subject, text) = whole
            .strip_prefix("Subject: ")
            .and_then(|rest| rest.split_once('\n'))
            .map(|(subject, text)| (subject.trim(), text.trim()))
            .filter(|(subject, text)| !subject.is_empty() && !text.is_empty())
            .ok_or_else(|| format!("{text_name} line 1: must be `Subject: …`, and the mail must follow"))?;
        Ok(Rendered { subject: subject.to_owned(), text: tidy(text), html: render(html_name)? })
    }
}

/// A text without blanks at the ends of its lines, and with one empty line where what is left out leaves several.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len() + 1);
    let mut empty = false;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            empty = true;
            continue;
        }
        if std::mem::take(&mut empty) {
            tidied.push('\n');
        }
        tidied.push_str(line);
        tidied.push('\n');
    }
    tidied
}

/// Puts what a directory has in the place of ours.
fn replace(environment: &mut Environment<'static>, directory: &Path, problems: &mut Vec<String>) {
    let files = match fs::read_dir(directory) {
        Ok(files) => files,
        Err(error) => return problems.push(format!("{}: {error}", directory.display())),
    };
    for file in files.flatten() {
        let path = file.path();
        let name = file.file_name().to_string_lossy().into_owned();
        // What is hidden is an editor's, or how Kubernetes mounts a ConfigMap.
        if name.starts_with('.') {
            continue;
        }
        let Some((ours, _)) = SOURCES.iter().find(|(ours, _)| *ours == name) else {
            problems.push(format!("{}: no mail has a template of this name", path.display()));
            continue;
        };
        let read = match fs::metadata(&path) {
            Ok(about) if about.len() > LARGEST => Err(format!("has more than {LARGEST} bytes")),
            Ok(_) => fs::read_to_string(&path).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(source) => {
                if let Err(error) = environment.add_template_owned(*ours, source) {
                    problems.push(place(ours, &error));
                }
            }
            Err(text) => problems.push(format!("{}: {text}", path.display())),
        }
    }
}

/// Where a template is wrong, and how: the innermost of what includes what.
fn place(name: &str, error: &minijinja::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = std::error::Error::source(innermost).and_then(|cause| cause.downcast_ref()) {
        innermost = cause;
    }
    let name = innermost.name().unwrap_or(name);
    let line = innermost.line().map(|line| format!(" line {line}")).unwrap_or_default();
    let detail = innermost.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{name}{line}: {}{detail}", innermost.kind())
}

#[cfg(test)]
#[path = "templates_tests.rs"]
mod tests;
