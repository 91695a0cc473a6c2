//! Findings, page by page. A walk goes through the subjects phase by phase; what the rules need is read for a whole
//! batch of subjects by a number of queries that does not depend on how many there are.

mod gather;

use std::collections::HashMap;

use prost::Message;

use super::{
    Store,
    acknowledgement::{finding_name, name_for},
    read::List,
};
use crate::{
    error::Result,
    proto::v1::{
        Acknowledgement, Document, Finding, Notice, NoticeRecipient, Organization, Subprocessor, Transfer,
        finding::{Kind, Severity},
    },
    resource::{
        filter::{Expr, Field, Literal, Op, Order},
        name::{Kind as Resource, Name, Parent},
        page::{MAX_SIZE, Position},
    },
    rules::finding::{Window, kind_of},
    store::version::Resource as _,
};

/// Subjects that are read at once.
const BATCH: usize = 100;
/// Documents that are read at once, each with those beside it.
const DOCUMENTS: usize = 20;
/// Batches that one page reads at most: where little is found, pages are short.
const BATCHES: usize = 20;
/// Bytes of the findings on one page.
const MAX_PAGE_BYTES: usize = 3 * 1024 * 1024;

/// What is asked for, checked.
#[derive(Debug, Clone)]
pub struct Question {
    /// One organization, or any.
    pub parent: Parent,
    /// The day and the horizon.
    pub window: Window,
    /// Of which kinds; none: of all.
    pub kinds: Vec<Kind>,
    /// How grave at least.
    pub severity: Severity,
    /// About which resource; empty: about all.
    pub subject: String,
    /// Whether those that are acknowledged are asked for too.
    pub show_acknowledged: bool,
    /// At which revision.
    pub revision: i64,
}

/// What a walk goes through, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Organizations,
    Documents,
    Vendors,
    Subprocessors,
    Transfers,
    Notices,
    Recipients,
}

impl Phase {
    const ALL: [Self; 7] = [
        Self::Organizations,
        Self::Documents,
        Self::Vendors,
        Self::Subprocessors,
        Self::Transfers,
        Self::Notices,
        Self::Recipients,
    ];

    /// The kinds of finding that it makes.
    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Organizations => &[Kind::Contradiction, Kind::CertificationDue],
            Self::Documents => &[Kind::ClaimOutdated, Kind::ClaimUnsupported, Kind::Contradiction],
            Self::Vendors => &[Kind::CertificationDue],
            Self::Subprocessors => &[
                Kind::GateOverridden,
                Kind::CorrectionWidened,
                Kind::GateNotMet,
                Kind::DpaDue,
                Kind::ReviewDue,
                Kind::AnnexIiiIncomplete,
                Kind::FactMissing,
                Kind::LocationNotStated,
                Kind::TransferNotCovered,
                Kind::TransferWeaklyCovered,
            ],
            Self::Transfers => &[Kind::TransferNotCovered, Kind::TransferWeaklyCovered],
            Self::Notices => &[Kind::NoticeHeld, Kind::ObjectionOpen, Kind::PassOnDue],
            Self::Recipients => &[Kind::NoticeUndelivered],
        }
    }

    /// The kinds of resource that its findings are about.
    fn subjects(self) -> &'static [Resource] {
        match self {
            Self::Organizations => &[Resource::Organization, Resource::Certification],
            Self::Documents => &[Resource::Document],
            Self::Vendors => &[Resource::Certification],
            Self::Subprocessors => &[Resource::Subprocessor],
            Self::Transfers => &[Resource::Transfer],
            Self::Notices => &[Resource::Notice],
            Self::Recipients => &[Resource::Recipient],
        }
    }
}

/// Where a walk stands: behind a subject of a phase, and behind so many findings of the next one.
#[derive(Debug, Clone)]
struct Place {
    phase: usize,
    text: String,
    name: String,
    skip: usize,
}

/// More findings of one subject than this there are not: what tells the phase from them in a token.
const SKIPS: i64 = 1 << 32;

impl Place {
    fn start(phase: usize) -> Self {
        Self { phase, text: String::new(), name: String::new(), skip: 0 }
    }

    fn of(position: &Position) -> Self {
        let number = |value: i64| usize::try_from(value).unwrap_or_default();
        let (text, name) = (position.text.clone(), position.name.clone());
        Self { phase: number(position.number / SKIPS), text, name, skip: number(position.number % SKIPS) }
    }

    fn position(&self, revision: i64) -> Position {
        let number = |value: usize| i64::try_from(value).unwrap_or_default();
        let (text, name) = (self.text.clone(), self.name.clone());
        Position { revision, text, name, number: number(self.phase) * SKIPS + number(self.skip), ..Position::default() }
    }

    /// For a list: behind what was read before.
    fn after(&self, revision: i64) -> Option<Position> {
        let (text, name) = (self.text.clone(), self.name.clone());
        (!self.name.is_empty()).then_some(Position { revision, text, name, ..Position::default() })
    }
}

/// What was found of a subject.
#[derive(Debug)]
struct Examined {
    /// Its place in the order of its phase.
    key: (String, String),
    findings: Vec<Finding>,
}

/// What was found of some subjects, and where the next ones begin.
#[derive(Debug, Default)]
struct Batch {
    subjects: Vec<Examined>,
    next: Option<(String, String)>,
}

impl Question {
    /// The same as a list of subjects.
    fn list<'a>(
        &'a self,
        order: Field,
        filter: Option<&'a Expr>,
        after: Option<&'a Position>,
        size: usize,
    ) -> List<'a> {
        List {
            parent: &self.parent,
            filter,
            effective_at: None,
            held_too: false,
            order: Order { field: order, descending: false },
            show_deleted: false,
            after,
            revision: self.revision,
            size,
        }
    }

    fn needs(&self, phase: Phase) -> bool {
        let kind = Name::parse(&self.subject).map(|name| name.kind());
        kind.is_none_or(|kind| phase.subjects().contains(&kind))
            && (self.kinds.is_empty() || phase.kinds().iter().any(|kind| self.kinds.contains(kind)))
    }

    /// The subject, where a list of its own kind can look it up.
    fn named(&self, kind: Resource, field: Field) -> Option<Expr> {
        let name = Name::parse(&self.subject).filter(|name| name.kind() == kind)?;
        Some(Expr::Compare(field, Op::Equal, Literal::Text(name.to_string())))
    }

    fn takes(&self, finding: &Finding) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&finding.kind()))
            && finding.severity() >= self.severity
            && (self.subject.is_empty() || self.subject == finding.subject)
    }

    /// Whether it is left out because somebody said something to it.
    fn hides(&self, finding: &Finding) -> bool {
        let said = finding.acknowledgement.as_ref();
        !self.show_acknowledged && said.is_some_and(|said| self.window.date < said.return_date)
    }
}

impl Store {
    /// A page of findings, and where the next one begins.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if the organization does not exist at that revision.
    pub async fn findings(
        &self,
        question: &Question,
        after: Option<&Position>,
        size: usize,
    ) -> Result<(Vec<Finding>, Option<Position>)> {
        if let Parent::Organization(name) = &question.parent {
            self.row_at(name, question.revision).await?;
        }
        let mut place = after.map_or_else(|| Place::start(0), Place::of);
        let (mut found, mut bytes, mut batches): (Vec<Finding>, usize, usize) = (Vec::new(), 0, 0);
        while let Some(phase) = Phase::ALL.get(place.phase).copied() {
            if !question.needs(phase) {
                place = Place::start(place.phase + 1);
                continue;
            }
            if batches == BATCHES {
                return Ok((found, Some(place.position(question.revision))));
            }
            batches += 1;
            let mut batch = self.batch(question, phase, &place).await?;
            self.add_acknowledgements(question, &mut batch).await?;
            for subject in batch.subjects {
                for (i, finding) in subject.findings.into_iter().enumerate().skip(place.skip) {
                    if !question.takes(&finding) || question.hides(&finding) {
                        continue;
                    }
                    bytes += finding.encoded_len();
                    if found.len() == size || (bytes > MAX_PAGE_BYTES && !found.is_empty()) {
                        place.skip = i;
                        return Ok((found, Some(place.position(question.revision))));
                    }
                    found.push(finding);
                }
                (place.text, place.name) = subject.key;
                place.skip = 0;
            }
            match batch.next {
                Some(next) => (place.text, place.name) = next,
                None => place = Place::start(place.phase + 1),
            }
        }
        Ok((found, None))
    }

    /// The finding of this name, as of now: one that holds, or comes, in the window. Its name tells its kind, and is of one
    /// subject only: where something was said to it that subject is known, else it is looked for among all of its kind.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn finding(&self, name: &str, window: &Window) -> Result<Option<Finding>> {
        let Some((organization, id)) = finding_name(name) else { return Ok(None) };
        let Some(kind) = kind_of(id) else { return Ok(None) };
        let revision = self.head().await?;
        let mut said: HashMap<String, Acknowledgement> = self.at("name", vec![name_for(name)], revision).await?;
        let subject = said.remove(&name_for(name)).map(|said| said.subject).unwrap_or_default();
        let question = Question {
            parent: Parent::Organization(organization),
            window: window.clone(),
            kinds: vec![kind],
            severity: Severity::Unspecified,
            subject,
            show_acknowledged: true,
            revision,
        };
        let mut after = None;
        loop {
            let page = self.findings(&question, after.as_ref(), MAX_SIZE).await;
            let (found, next) = match page {
                Err(error) if error.reason() == crate::error::Reason::ResourceNotFound => return Ok(None),
                page => page?,
            };
            if let Some(one) = found.into_iter().find(|one| one.name == name) {
                return Ok(Some(one));
            }
            let Some(next) = next else { return Ok(None) };
            after = Some(next);
        }
    }

    /// What was said to the findings that are asked for.
    async fn add_acknowledgements(&self, question: &Question, batch: &mut Batch) -> Result<()> {
        let mut asked: Vec<&mut Finding> =
            batch.subjects.iter_mut().flat_map(|one| &mut one.findings).filter(|one| question.takes(one)).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let names = asked.iter().map(|one| name_for(&one.name)).collect();
        let mut said: HashMap<String, Acknowledgement> = self.at("name", names, question.revision).await?;
        for finding in &mut asked {
            finding.acknowledgement = said.remove(&name_for(&finding.name));
        }
        Ok(())
    }

    async fn batch(&self, question: &Question, phase: Phase, place: &Place) -> Result<Batch> {
        let after = place.after(question.revision);
        let after = after.as_ref();
        match phase {
            Phase::Organizations => {
                let (order, name) =
                    (Organization::FIELDS[0], question.named(Resource::Organization, Organization::FIELDS[0]));
                let own = Parent::Any;
                let one = match &question.parent {
                    Parent::Organization(one) => Some(Expr::Compare(order, Op::Equal, Literal::Text(one.to_string()))),
                    _ => name,
                };
                let list = List { parent: &own, ..question.list(order, one.as_ref(), after, BATCH) };
                self.examine_organizations(question, self.list(&list).await?).await
            }
            Phase::Documents => {
                let name = question.named(Resource::Document, Document::FIELDS[0]);
                let list = question.list(Document::FIELDS[0], name.as_ref(), after, DOCUMENTS);
                self.examine_documents(question, self.list(&list).await?).await
            }
            Phase::Vendors => self.examine_vendors(question, after).await,
            Phase::Subprocessors => {
                let name = question.named(Resource::Subprocessor, Subprocessor::FIELDS[0]);
                let list = question.list(Subprocessor::FIELDS[0], name.as_ref(), after, BATCH);
                // What was overridden stays also when its subprocessor is deleted.
                let list = List { show_deleted: true, ..list };
                self.examine_subprocessors(question, self.list(&list).await?).await
            }
            Phase::Transfers => {
                let name = question.named(Resource::Transfer, Transfer::FIELDS[0]);
                let list = question.list(Transfer::FIELDS[0], name.as_ref(), after, BATCH);
                self.examine_transfers(question, self.list(&list).await?).await
            }
            Phase::Notices => {
                let name = question.named(Resource::Notice, Notice::FIELDS[0]);
                let list = question.list(Notice::FIELDS[0], name.as_ref(), after, BATCH);
                self.examine_notices(question, self.list(&list).await?).await
            }
            Phase::Recipients => {
                let name = NoticeRecipient::FIELDS[0];
                let waiting = gather::waiting(question.named(Resource::Recipient, name));
                let list = question.list(name, Some(&waiting), after, BATCH);
                self.examine_recipients(question, self.list(&list).await?).await
            }
        }
    }
}
