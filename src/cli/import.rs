//! `import`: a published list as a manifest.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::PathBuf,
};

use clap::Args;
use indicatif::ProgressBar;

use super::{
    Common, DEFAULT_ENDPOINT,
    client::Registry,
    failure::{Failure, Outcome, printable},
    file::{self, Draft},
    output::Out,
    progress,
};
use crate::{
    catalog::Catalog,
    clock::Clock,
    import::{self, Field, Format, Known, List, MAX_BYTES, Options, Refusal, Report},
    manifest::{self, Flavour},
    proto::v1::{
        ExportManifestRequest, ExportManifestResponse, ListVendorsRequest, ListVendorsResponse, ResolveVendorsRequest,
        ResolveVendorsResponse, Vendor, export_manifest_request,
    },
    resource::name::{ID_RULE, Name, is_id},
    rules::vendor_name::Index,
};

/// Names that are looked up in one call: so few that the bar moves.
const NAMES: usize = 200;
/// Matches that are asked for and shown.
const MATCHES: i32 = 4;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The list: Markdown, HTML, CSV, YAML or JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: String,
    /// Whose list it is: the id of an organization, which need not exist yet.
    #[arg(long, value_name = "ID")]
    organization: String,
    /// The name of the organization, if it is new [default: from the page's title, else its id]
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// The format [default: by the file's name, then by what it looks like]
    #[arg(long, value_enum)]
    format: Option<FormatWord>,
    /// What a column holds, by its heading ("column 2" where it has none). FIELD is one of name, purpose, location,
    /// entity_country, website, section, data_categories, special_categories, data_subjects, service, condition,
    /// products, start_date, end_date, role, affiliate, address, contact, annotation (kept under its heading), ignore.
    #[arg(long, value_name = "COLUMN=FIELD")]
    map: Vec<String>,
    /// Take the table or list at this line, and no other, whatever speaks against it. Can be repeated.
    #[arg(long, value_name = "LINE")]
    at: Vec<u32>,
    /// Where to write the manifest [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the whole report as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The id of the document that stands for the page.
    #[arg(long, value_name = "ID", default_value = "subprocessor-list")]
    document: String,
    /// Where the page is published.
    #[arg(long, value_name = "URL")]
    uri: Option<String>,
    /// Ask no server: look names up in the built-in catalog.
    #[arg(long, conflicts_with = "endpoint")]
    offline: bool,
    /// The server [default: http://127.0.0.1:50051 if one listens there, else the built-in catalog]
    #[arg(long, value_name = "URL", help_heading = "Connection")]
    endpoint: Option<String>,
    /// Who you are, for the change log.
    #[arg(long, value_name = "ID", help_heading = "Connection")]
    principal: Option<String>,
}

/// Formats on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatWord {
    /// Markdown or MDX.
    Md,
    /// HTML.
    Html,
    /// Values separated by commas, semicolons, tabs or bars.
    Csv,
    /// YAML or JSON.
    Yaml,
}

impl From<FormatWord> for Format {
    fn from(word: FormatWord) -> Self {
        match word {
            FormatWord::Md => Self::Markdown,
            FormatWord::Html => Self::Html,
            FormatWord::Csv => Self::Csv,
            FormatWord::Yaml => Self::Yaml,
        }
    }
}

impl Import {
    /// Reads the list, looks its names up, and writes the manifest; the report goes to standard error.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        self.check()?;
        let options = Options {
            file: file::shown(&self.file).to_owned(),
            format: self.format.map(Format::from),
            map: mapping(&self.map)?,
            at: self.at.clone(),
        };
        let bytes = file::bytes(&self.file, MAX_BYTES)?;
        let catalog = Catalog::builtin().map_err(|error| Failure::Failed(format!("the built-in catalog: {error}")))?;
        let index = Index::of(&catalog.vendors);
        let list = import::read(&bytes, &options, &index).map_err(|refusal| refused(&self.file, refusal))?;
        let known = self.known(&list, &catalog.vendors, &index).await?;
        let imported = list.assemble(&known).map_err(|refusal| refused(&self.file, refusal))?;
        self.write(&imported.manifest, &imported.report, out)?;
        tell(&imported.report)
    }

    fn check(&self) -> Outcome {
        for (flag, id) in [("--organization", &self.organization), ("--document", &self.document)] {
            if !is_id(id) {
                return Err(Failure::Usage(format!("{flag} {ID_RULE}, not \"{}\"", printable(id))));
            }
        }
        if let (Some(report), Some(output)) = (&self.report, &self.output)
            && file::place(report) == file::place(output)
            && !file::is_special(output)
        {
            return Err(Failure::Usage("--report and --output name the same file".to_owned()));
        }
        if let Some(uri) = &self.uri {
            crate::resource::text::uri(uri).map_err(|rule| Failure::Usage(format!("--uri {rule}")))?;
        }
        Ok(())
    }

    /// What the registry knows, or the catalog where there is none to ask.
    async fn known(&self, list: &List, catalog: &[Vendor], index: &Index) -> Outcome<Known> {
        let mut known = Known {
            organization: self.organization.clone(),
            display_name: self.display_name.clone(),
            document: self.document.clone(),
            uri: self.uri.clone(),
            today: Clock::System.now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string(),
            ..Known::default()
        };
        let names = list.names();
        if let Some(registry) = self.registry(&mut known).await? {
            known.existing = existing(&registry, &self.organization).await?;
            known.vendor_ids = vendor_ids(&registry).await?;
            // One call is over before a bar could be read.
            let bar = if names.len() > NAMES { progress::bar(names.len(), "names") } else { ProgressBar::hidden() };
            for some in names.chunks(NAMES) {
                let request = ResolveVendorsRequest {
                    names: some.to_vec(),
                    max_matches: MATCHES,
                    ..ResolveVendorsRequest::default()
                };
                let answer: ResolveVendorsResponse = registry.call("VendorService/ResolveVendors", request).await?;
                known.matches.extend(answer.results.into_iter().map(|result| (result.name, result.matches)));
                bar.inc(u64::try_from(some.len()).unwrap_or(0));
            }
            bar.finish_and_clear();
        } else {
            let most = usize::try_from(MATCHES).unwrap_or(1);
            known.vendor_ids = catalog.iter().filter_map(|vendor| id_of(&vendor.name)).collect();
            known.matches.extend(names.into_iter().map(|name| {
                let found = index.resolve(&name, most);
                (name, found)
            }));
        }
        Ok(known)
    }

    /// The server to ask; none if there is none, which the report says.
    async fn registry(&self, known: &mut Known) -> Outcome<Option<Registry>> {
        let common = |endpoint: &str| Common { endpoint: Some(endpoint.to_owned()), principal: self.principal.clone() };
        if self.offline {
            "by the built-in catalog, as told by --offline".clone_into(&mut known.vendors_from);
            return Ok(None);
        }
        if let Some(endpoint) = &self.endpoint {
            known.vendors_from = format!("by the registry at {endpoint}");
            return Registry::connect(&common(endpoint)).await.map(Some);
        }
        match Registry::connect(&common(DEFAULT_ENDPOINT)).await {
            Ok(registry) => {
                known.vendors_from = format!("by the registry at {DEFAULT_ENDPOINT}");
                Ok(Some(registry))
            }
            Err(failure @ Failure::Usage(_)) => Err(failure),
            Err(_) => {
                known.vendors_from = format!(
                    "by the built-in catalog: no registry listens at {DEFAULT_ENDPOINT}, so nothing is known of the organization or of your own vendors"
                );
                Ok(None)
            }
        }
    }

    /// Writes all or nothing.
    fn write(&self, manifest: &str, report: &Report, out: &mut Out) -> Outcome {
        let mut files = Vec::new();
        if let Some(path) = &self.report {
            let json = serde_json::to_string_pretty(report).map_err(|error| Failure::Failed(error.to_string()))?;
            files.push(Draft::new(path, &format!("{json}\n"))?);
        }
        if let Some(path) = &self.output {
            files.push(Draft::new(path, manifest)?);
        }
        files.into_iter().try_for_each(Draft::keep)?;
        if self.output.is_none() { out.text(manifest) } else { Ok(()) }
    }
}

/// The columns that the caller maps.
fn mapping(told: &[String]) -> Outcome<Vec<(String, Field)>> {
    told.iter()
        .map(|pair| {
            let Some((column, word)) = pair.rsplit_once('=').filter(|(column, _)| !column.trim().is_empty()) else {
                return Err(Failure::Usage(format!("--map must be COLUMN=FIELD, not \"{}\"", printable(pair))));
            };
            match Field::parse(word.trim()) {
                Some(field) => Ok((column.trim().to_owned(), field)),
                None => {
                    let words: Vec<&str> = Field::ALL.iter().map(|field| field.word()).collect();
                    let text = format!("--map: \"{}\" is no field; there are: {}", printable(word), words.join(", "));
                    Err(Failure::Usage(text))
                }
            }
        })
        .collect()
}

/// A refusal, with what of the file was seen before it.
fn refused(file: &str, refusal: Refusal) -> Failure {
    let lines: Vec<String> = refusal.message.lines().map(printable).collect();
    let text = lines.join("\n");
    if refusal.is_usage { Failure::Usage(text) } else { Failure::Failed(format!("{}: {text}", file::shown(file))) }
}

/// Prints the report. Standard output may be the manifest.
fn tell(report: &Report) -> Outcome {
    Ok(io::stderr().lock().write_all(report.to_text().as_bytes())?)
}

fn id_of(name: &str) -> Option<String> {
    Name::parse(name).map(|name| name.id().to_owned())
}

/// The organization as the registry has it.
async fn existing(registry: &Registry, organization: &str) -> Outcome<Option<manifest::Manifest>> {
    let request = ExportManifestRequest {
        name: format!("organizations/{organization}"),
        format: export_manifest_request::Format::Yaml.into(),
        ..ExportManifestRequest::default()
    };
    let answer: ExportManifestResponse = match registry.call("RegistryService/ExportManifest", request).await {
        Ok(answer) => answer,
        Err(failure) if failure.reason().as_deref() == Some("RESOURCE_NOT_FOUND") => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let read = manifest::read(&answer.manifest, Flavour::Operator);
    read.map(Some).map_err(|error| Failure::Failed(format!("what the registry exports cannot be read: {error}")))
}

/// The ids of all vendors: none of them can be given to a new one.
async fn vendor_ids(registry: &Registry) -> Outcome<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    let mut request = ListVendorsRequest { page_size: 1_000, show_deleted: true, ..ListVendorsRequest::default() };
    loop {
        let page: ListVendorsResponse = registry.call("VendorService/ListVendors", request.clone()).await?;
        ids.extend(page.vendors.iter().filter_map(|vendor| id_of(&vendor.name)));
        if page.next_page_token.is_empty() {
            return Ok(ids);
        }
        request.page_token = page.next_page_token;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn columns_are_mapped_to_fields_that_exist() {
        let told = |text: &str| mapping(&[text.to_owned()]);
        assert_eq!(told("Legal basis=condition").expect("read"), [("Legal basis".to_owned(), Field::Condition)]);
        assert_eq!(told("a=b=name").expect("read"), [("a=b".to_owned(), Field::Name)]);
        for (text, said) in [("x", "COLUMN=FIELD"), ("=name", "COLUMN=FIELD"), ("x=nome", "there are: name, purpose")] {
            assert!(matches!(told(text), Err(Failure::Usage(rule)) if rule.contains(said)), "{text}");
        }
    }

    #[test]
    fn files_are_written_whole_or_not_at_all() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("m.yaml");
        let draft = Draft::new(&path, "one").expect("written");
        assert!(!path.exists());
        drop(draft);
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 0);
        Draft::new(&path, "two").and_then(Draft::keep).expect("kept");
        assert_eq!(fs::read_to_string(&path).expect("read"), "two");
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
        assert!(Draft::new(folder.path(), "x").is_err());
    }
}
