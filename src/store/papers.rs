//! What papers are made of, read for a day and a revision by a number of queries that does not depend on how much there
//! is, but for the pages of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use prost::Message;

use super::{
    Store,
    assess::walk::{Batch, Walk},
    pages::{CHUNK, HELD},
    read::{AsOf, List},
    version::Resource,
};
use crate::{
    error::{Error, Result, answer_fits},
    proto::v1::{
        Customer, Document, Organization, RenderPaperResponse, Subprocessor, Vendor, Verdict,
        render_paper_request::{Format, Kind as PaperKind},
    },
    resource::{
        filter,
        name::{Kind, Name, Parent},
        page::Position,
    },
    rules::{
        engagement::is_on_list,
        law::{Law, answer::on_day, days::Days},
        paper::{self, Engagement, Judged, Material, format},
    },
};

/// A paper that is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which.
    pub kind: PaperKind,
    /// In which format.
    pub format: Format,
    /// Whose.
    pub parent: Name,
    /// For which customer; `None`: for all.
    pub customer: Option<Name>,
    /// For which ISO 8601 day.
    pub date: String,
    /// From what the registry held then.
    pub as_of: Option<AsOf>,
}

impl Wanted {
    fn what(&self) -> String {
        format!("the paper of {}", self.parent)
    }
}

impl Store {
    /// A paper, written down.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND for an organization or a customer that did not exist then or was deleted; LOG_NOT_YET_WRITTEN;
    /// ANSWER_TOO_LARGE.
    pub async fn render_paper(&self, wanted: &Wanted) -> Result<RenderPaperResponse> {
        let material = self.material(wanted).await?;
        let (revision, date, what, format) = (material.revision, material.date.clone(), wanted.what(), wanted.format);
        // A large one takes a while: not on a thread that others wait for.
        let written = tokio::task::spawn_blocking(move || {
            let paper = paper::build(&material.for_customer());
            let paper = paper.ok_or_else(|| Error::field("kind", "is required"))?;
            format::write(&paper, format)
        });
        let written = written.await.map_err(Error::internal)??;
        let (content, media_type, file_name) = (written.content, written.media_type.to_owned(), written.file_name);
        let answer = RenderPaperResponse { content, media_type, file_name, revision, date };
        answer_fits(&what, answer.encoded_len())?;
        Ok(answer)
    }

    async fn material(&self, wanted: &Wanted) -> Result<Material> {
        let revision = self.revision_at(wanted.as_of).await?;
        let organization: Organization = self.existing(&wanted.parent, revision).await?;
        let customer: Option<Customer> = match &wanted.customer {
            Some(name) => Some(self.existing(name, revision).await?),
            None => None,
        };
        let mut subprocessors: Vec<Subprocessor> = self.whole(wanted, Some(&wanted.date), revision).await?;
        if let Some(customer) = &wanted.customer {
            // What does not reach it is left out with the chain in view, when the paper is made.
            subprocessors = self.view_for(customer, revision, wanted.as_of, subprocessors).await?.1;
            subprocessors.retain(|one| is_on_list(one, &wanted.date));
        }
        let customers = match (&customer, wanted.kind) {
            (Some(one), _) => vec![one.clone()],
            (None, PaperKind::ProcessingRecord) => self.whole(wanted, None, revision).await?,
            (None, _) => Vec::new(),
        };
        let (law, transfers) = self.judged_for(wanted, revision).await?;
        let documents = self.documents(wanted, &subprocessors, &transfers, revision).await?;
        let engagements = self.with_vendors(subprocessors, revision).await?;
        Ok(Material {
            kind: wanted.kind,
            date: wanted.date.clone(),
            revision,
            law,
            organization,
            customer,
            customers: customers.into_iter().filter(|one| is_customer(one, &wanted.date)).collect(),
            engagements,
            transfers,
            documents,
        })
    }

    /// All resources of a kind of an organization, by name; on a day, if there is one.
    async fn whole<R: Resource>(&self, wanted: &Wanted, day: Option<&str>, revision: i64) -> Result<Vec<R>> {
        let parent = Parent::Organization(wanted.parent.clone());
        let order = filter::order("", R::FIELDS)?;
        let list = List {
            parent: &parent,
            filter: None,
            effective_at: day,
            held_too: day.is_some() && wanted.customer.is_some() && R::KIND == Kind::Subprocessor,
            order,
            show_deleted: false,
            after: None,
            revision,
            size: CHUNK,
        };
        self.all_pages(&list, &wanted.what(), |_: &R| true).await
    }

    /// The transfers of the day, those that nobody recorded too, each with what the law says of it.
    async fn judged_for(&self, wanted: &Wanted, revision: i64) -> Result<(Arc<Law>, Vec<Judged>)> {
        let parent = Parent::Organization(wanted.parent.clone());
        let days = Days::One(wanted.date.clone());
        let walk = Walk { parent: &parent, filter: None, days: &days, revision, size: CHUNK };
        let (mut all, mut bytes, mut after): (Vec<Judged>, usize, Option<Position>) = (Vec::new(), 0, None);
        loop {
            let Batch { facts, judged, next } = self.judged(&walk, after.as_ref()).await?;
            for one in judged {
                let answer = on_day(&facts.law, &facts.subject(&one.transfer), one.derived_from.as_ref(), &wanted.date);
                // Nobody has to know of a location that needs nothing.
                if one.derived_from.is_none() || answer.verdict() != Verdict::NotRestricted {
                    bytes += answer.encoded_len() + one.transfer.encoded_len();
                    all.push(Judged { transfer: one.transfer, answer });
                }
            }
            answer_fits(&wanted.what(), bytes / HELD)?;
            if next.is_none() {
                return Ok((facts.law, all));
            }
            after = next;
        }
    }

    /// The documents that a paper speaks of: those that what it says refers to, or, where it quotes them, all.
    async fn documents(
        &self,
        wanted: &Wanted,
        subprocessors: &[Subprocessor],
        transfers: &[Judged],
        revision: i64,
    ) -> Result<BTreeMap<String, Document>> {
        if matches!(wanted.kind, PaperKind::ProcessingRecord | PaperKind::PrivacyNoticeRecipients) {
            let all: Vec<Document> = self.whole(wanted, None, revision).await?;
            return Ok(all.into_iter().map(|one| (one.name.clone(), one)).collect());
        }
        let papers = transfers.iter().flat_map(|one| &one.transfer.mechanisms).map(|one| one.document.clone());
        let agreements = subprocessors.iter().filter_map(|one| one.dpa.as_ref()).map(|dpa| dpa.document.clone());
        let names = papers.chain(agreements);
        let names = names.filter(|text| Name::parse(text).is_some_and(|name| name.kind() == Kind::Document)).collect();
        Ok(self.at("name", names, revision).await?.into_iter().collect())
    }

    async fn with_vendors(&self, subprocessors: Vec<Subprocessor>, revision: i64) -> Result<Vec<Engagement>> {
        let names = subprocessors.iter().map(|one| one.vendor.clone()).filter(|name| !name.is_empty()).collect();
        let vendors: HashMap<String, Vendor> = self.at("name", names, revision).await?;
        let with = |one: Subprocessor| Engagement { vendor: vendors.get(&one.vendor).cloned(), subprocessor: one };
        Ok(subprocessors.into_iter().map(with).collect())
    }
}

/// Whether a customer had not ended by a day.
fn is_customer(customer: &Customer, day: &str) -> bool {
    customer.end_date.is_empty() || day < customer.end_date.as_str()
}
