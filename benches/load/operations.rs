//! What is asked of the server, and what must come back. Every answer is checked: its status by the generated client,
//! its content against what the registry was filled with.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use subprocessor_registry::proto::v1::{
    self, as_of::Point, change_log_service_client::ChangeLogServiceClient, subprocessor::State,
    subprocessor_service_client::SubprocessorServiceClient, vendor_service_client::VendorServiceClient,
};
use tonic::transport::Channel;

use super::{
    Result,
    data::{self, Space},
    seed::History,
    watch,
};

/// Resources on a page.
const PAGE: usize = 100;
/// Days of which lists are asked: the first and how many years.
const YEARS: (i32, i32) = (2019, 6);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Operation {
    /// One subprocessor, as it is.
    Get,
    /// One subprocessor, as it was at some revision.
    GetAsOf,
    /// One vendor.
    GetVendor,
    /// A page of 100 of an organization: the first, then the next by its token.
    List,
    /// The first page of an organization, as it was at some revision.
    ListAsOf,
    /// The first page of what was on an organization's list on some day.
    ListOnDay,
    /// The first page of a vendor's engagements in all organizations.
    ListVendor,
    /// One new subprocessor.
    Create,
    /// A stream from some revision on, until 100 revisions came.
    Watch,
    /// From the commit of a new subprocessor to its arrival on every stream.
    WatchLive,
}

impl Operation {
    pub fn title(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetAsOf => "get as of",
            Self::GetVendor => "get vendor",
            Self::List => "list 100",
            Self::ListAsOf => "list 100 as of",
            Self::ListOnDay => "list 100 on a day",
            Self::ListVendor => "list 100 of a vendor",
            Self::Create => "create",
            Self::Watch => "watch 100 revisions",
            Self::WatchLive => "watch live",
        }
    }
}

/// What a run knows of the registry it asks.
#[derive(Debug)]
pub struct Scene {
    pub space: Arc<Space>,
    pub history: History,
    /// Makes the ids of this run new.
    pub run: String,
    created: AtomicU64,
}

impl Scene {
    pub fn new(space: Arc<Space>) -> Self {
        let history = History::of(&space);
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self { space, history, run: format!("{:x}", since.as_millis()), created: AtomicU64::new(0) }
    }

    /// A subprocessor anywhere: its organization and its number there.
    fn any(&self, random: &mut StdRng) -> (usize, usize) {
        self.space.locate(random.random_range(0..self.space.rows))
    }

    /// A revision at which all that was filled in is there.
    fn revision(&self, random: &mut StdRng) -> v1::AsOf {
        let number = random.random_range(self.history.filled..=self.history.last);
        v1::AsOf { point: Some(Point::Revision(number)) }
    }

    /// A new subprocessor of any organization.
    pub fn creation(&self, random: &mut StdRng) -> v1::CreateSubprocessorRequest {
        let (organization, number) = self.any(random);
        let count = self.created.fetch_add(1, Ordering::Relaxed);
        let like = self.space.subprocessor(organization, number);
        v1::CreateSubprocessorRequest {
            parent: data::organization_name(organization),
            // After all that was filled in, in the order of names: pages stay as they were.
            subprocessor_id: format!("z-{}-{count}", self.run),
            subprocessor: Some(v1::Subprocessor {
                display_name: format!("{}, new {count}", like.display_name),
                recorded_as_found: false,
                state: State::Unspecified.into(),
                start_date: String::new(),
                end_date: String::new(),
                ..like
            }),
            ..Default::default()
        }
    }
}

/// One of those who ask at the same time.
pub struct Worker {
    scene: Arc<Scene>,
    random: StdRng,
    subprocessors: SubprocessorServiceClient<Channel>,
    vendors: VendorServiceClient<Channel>,
    log: ChangeLogServiceClient<Channel>,
    /// An organization, a page's token, and how many came before.
    walk: Option<(usize, String, usize)>,
}

/// Fails with what was expected.
pub fn check(right: bool, what: impl FnOnce() -> String) -> Result<()> {
    if right { Ok(()) } else { Err(format!("wrong answer: {}", what()).into()) }
}

impl Worker {
    pub fn new(scene: Arc<Scene>, channel: Channel, number: u64) -> Self {
        Self {
            scene,
            random: StdRng::seed_from_u64(number),
            subprocessors: SubprocessorServiceClient::new(channel.clone()),
            vendors: VendorServiceClient::new(channel.clone()),
            log: ChangeLogServiceClient::new(channel).max_decoding_message_size(16 * 1024 * 1024),
            walk: None,
        }
    }

    /// Asks once.
    pub async fn ask(&mut self, operation: Operation) -> Result<()> {
        match operation {
            Operation::Get => self.get(None).await,
            Operation::GetAsOf => {
                let as_of = self.scene.revision(&mut self.random);
                self.get(Some(as_of)).await
            }
            Operation::GetVendor => self.get_vendor().await,
            Operation::List => self.list().await,
            Operation::ListAsOf => {
                let (organization, _) = self.scene.any(&mut self.random);
                let as_of = Some(self.scene.revision(&mut self.random));
                let request = v1::ListSubprocessorsRequest { as_of, ..page(organization) };
                self.first_page(request, organization).await
            }
            Operation::ListOnDay => self.list_on_day().await,
            Operation::ListVendor => self.list_vendor().await,
            Operation::Create => self.create().await,
            Operation::Watch => {
                let (first, last) = (self.scene.history.filled, self.scene.history.last);
                let after = self.random.random_range(first..=last - watch::REVISIONS);
                watch::resume(&mut self.log, after).await
            }
            Operation::WatchLive => Err("watch-live is not asked one by one".into()),
        }
    }

    async fn get(&mut self, as_of: Option<v1::AsOf>) -> Result<()> {
        let (organization, number) = self.scene.any(&mut self.random);
        let name = data::name(organization, number);
        let request = v1::GetSubprocessorRequest { name: name.clone(), as_of, ..Default::default() };
        let found = self.subprocessors.get_subprocessor(request).await?.into_inner();
        let display_name = self.scene.space.display_name(organization, number);
        check(found.name == name && found.display_name == display_name, || format!("{name}: {found:?}"))
    }

    async fn get_vendor(&mut self) -> Result<()> {
        let vendors = &self.scene.space.vendors;
        let vendor = &vendors[self.random.random_range(0..vendors.len())];
        let request = v1::GetVendorRequest { name: vendor.name.clone(), as_of: None };
        let found = self.vendors.get_vendor(request).await?.into_inner();
        let same = found.name == vendor.name && found.display_name == vendor.display_name;
        check(same, || format!("{}: {found:?}", vendor.name))
    }

    async fn list(&mut self) -> Result<()> {
        let scene = Arc::clone(&self.scene);
        let (organization, page_token, from) =
            self.walk.take().unwrap_or_else(|| (scene.any(&mut self.random).0, String::new(), 0));
        let request = v1::ListSubprocessorsRequest { page_token, ..page(organization) };
        let answer = self.subprocessors.list_subprocessors(request).await?.into_inner();
        check_names(&answer, (from..from + PAGE).map(|number| data::name(organization, number)))?;
        let from = from + PAGE;
        // Only full pages are asked for.
        if from + PAGE <= scene.space.sizes[organization] {
            check(!answer.next_page_token.is_empty(), || format!("{organization}: no page after {from}"))?;
            self.walk = Some((organization, answer.next_page_token, from));
        }
        Ok(())
    }

    async fn first_page(&mut self, request: v1::ListSubprocessorsRequest, organization: usize) -> Result<()> {
        let answer = self.subprocessors.list_subprocessors(request).await?.into_inner();
        check_names(&answer, (0..PAGE).map(|number| data::name(organization, number)))
    }

    async fn list_on_day(&mut self) -> Result<()> {
        let scene = Arc::clone(&self.scene);
        let (organization, _) = scene.any(&mut self.random);
        let year = YEARS.0 + self.random.random_range(0..YEARS.1);
        let day = format!("{year}-{:02}-{:02}", self.random.random_range(1..=12), self.random.random_range(1..=28));
        let on_list = |number: &usize| scene.space.facts(organization, *number).is_on_list(&day);
        let expected = (0..scene.space.sizes[organization]).filter(on_list).take(PAGE);
        let request = v1::ListSubprocessorsRequest { effective_at: day.clone(), ..page(organization) };
        let answer = self.subprocessors.list_subprocessors(request).await?.into_inner();
        check_names(&answer, expected.map(|number| data::name(organization, number)))
    }

    async fn list_vendor(&mut self) -> Result<()> {
        let space = Arc::clone(&self.scene.space);
        let vendor = self.random.random_range(0..space.vendors.len());
        let name = &space.vendors[vendor].name;
        let request = v1::ListSubprocessorsRequest {
            parent: "organizations/-".to_owned(),
            filter: format!("vendor = \"{name}\""),
            page_size: PAGE as i32,
            ..Default::default()
        };
        let answer = self.subprocessors.list_subprocessors(request).await?.into_inner();
        let found = &answer.subprocessors;
        // What runs created can be among them.
        let least = space.uses[vendor].min(PAGE);
        check((least..=PAGE).contains(&found.len()), || format!("{name}: {} of {least}", found.len()))?;
        check(found.iter().all(|one| one.vendor == *name), || format!("{name}: not all are of it"))?;
        check(found.is_sorted_by(|a, b| a.name < b.name), || format!("{name}: not in order"))
    }

    async fn create(&mut self) -> Result<()> {
        let request = self.scene.creation(&mut self.random);
        let name = format!("{}/subprocessors/{}", request.parent, request.subprocessor_id);
        let made = self.subprocessors.create_subprocessor(request).await?.into_inner();
        let right = made.name == name && made.state() == State::Proposed && made.revision > self.scene.history.last;
        check(right, || format!("{name}: {made:?}"))
    }
}

/// Asks for a page of an organization.
fn page(organization: usize) -> v1::ListSubprocessorsRequest {
    let parent = data::organization_name(organization);
    v1::ListSubprocessorsRequest { parent, page_size: PAGE as i32, ..Default::default() }
}

fn check_names(answer: &v1::ListSubprocessorsResponse, expected: impl Iterator<Item = String>) -> Result<()> {
    let found: Vec<&str> = answer.subprocessors.iter().map(|one| one.name.as_str()).collect();
    let expected: Vec<String> = expected.collect();
    check(found == expected, || format!("{found:?} instead of {expected:?}"))
}
