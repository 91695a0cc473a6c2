//! `page`: the public page of an organization's list.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{
    Common,
    client::{channel, page},
    contract,
    failure::{Failure, Outcome, printable},
    file,
    output::Out,
    value,
};
use crate::resource::name::{Kind, Name};

/// Arguments of `page`.
#[derive(Debug, Args)]
pub(super) struct Page {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the page as the server shows it, as one HTML file that brings its style with it.
    Preview(Preview),
}

/// Arguments of `page preview`.
#[derive(Debug, Args)]
struct Preview {
    /// The organization: its name or its id.
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
    /// The list that was in effect on this day [default: today (UTC)]
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    date: String,
    /// The list as the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME", default_value = "", hide_default_value = true)]
    as_of: String,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

impl Page {
    /// Reads the page and writes it.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let Command::Preview(preview) = self.command;
        preview.run(out).await
    }
}

impl Preview {
    async fn run(self, out: &mut Out) -> Outcome {
        let organization = contract::organization(&self.organization);
        // Other paths lead to other pages.
        if Name::parse(&organization).is_none_or(|name| name.kind() != Kind::Organization) {
            let text = format!("{} is no organization: give its name or its id", printable(&self.organization));
            return Err(Failure::Usage(text));
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([("date", &self.date), ("as_of", &self.as_of)].iter().filter(|(_, text)| !text.is_empty()));
        let query = query.finish();
        let channel = channel(self.common.endpoint()).await?;
        let shown = match page(&channel, &format!("/{organization}?{query}")).await {
            Ok(shown) => shown,
            // The page says why in a page, the list for programs in plain words.
            Err(failure) => {
                let why = page(&channel, &format!("/{organization}/subprocessors.json?{query}")).await;
                return Err(why.err().unwrap_or(failure));
            }
        };
        let mut whole = String::with_capacity(shown.len());
        let mut rest = shown.as_str();
        // Beside a file there are no style sheets.
        while let Some((before, link)) = rest.split_once(SHEET) {
            let (href, after) = link.split_once("\">").unwrap_or((link, ""));
            // A server behind a prefix has its own files below it; asked directly, it has none.
            let own = href.find("/assets/").and_then(|at| href.get(at..)).unwrap_or(href);
            let style = page(&channel, own).await?;
            whole.push_str(&format!("{before}<style>\n{style}</style>"));
            rest = after;
        }
        whole.push_str(rest);
        let base =
            format!("<head>\n<base href=\"{}\">", self.common.endpoint().trim_end_matches('/').replace('"', "%22"));
        file::put(out, self.output.as_deref(), &whole.replacen("<head>", &base, 1))
    }
}

/// How pages name their style sheets.
const SHEET: &str = "<link rel=\"stylesheet\" href=\"";
