//! What the registry holds during a run: organizations with lists of 100 to 1,000 subprocessors of the catalog's
//! vendors. All of it follows from the number of rows and one seed, so that a run knows every answer before it asks.

use subprocessor_registry::{
    catalog::Catalog,
    proto::v1::{self, location::Activity, source::Confidence, subprocessor::State},
};

use super::Result;

const SEED: u64 = 0x5eed_0f5b_9c10_0001;
/// Subprocessors of the smallest and of the largest organization.
pub const SIZES: (usize, usize) = (100, 1_000);

const PURPOSES: [&str; 12] = [
    "Hosting",
    "Content delivery",
    "Customer support",
    "E-mail delivery",
    "Error monitoring",
    "Product analytics",
    "Payment processing",
    "Identity management",
    "Log management",
    "Backup",
    "Telephony",
    "Fraud prevention",
];
const DATA: [&str; 9] = [
    "Contact details",
    "Account data",
    "Usage data",
    "Device identifiers",
    "Support correspondence",
    "Billing data",
    "IP addresses",
    "Content uploaded by users",
    "Log data",
];
const SUBJECTS: [&str; 5] = ["Customers' users", "Customers' employees", "End users", "Website visitors", "Applicants"];
const COUNTRIES: [&str; 14] = ["US", "DE", "IE", "NL", "FR", "GB", "CH", "IN", "SG", "JP", "AU", "CA", "BR", "IL"];
const SECTIONS: [&str; 4] = ["Infrastructure", "Service providers", "Support", "Optional features"];

/// Mixes bits (splitmix64).
fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(SEED).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Spreads numbers evenly, the same in every run.
pub fn scatter(number: usize) -> usize {
    usize::try_from(mix(number as u64) >> 1).unwrap_or(0)
}

/// Numbers that follow from a subprocessor's place, one after the other.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(1);
        usize::try_from(mix(self.0) % sides.max(1) as u64).unwrap_or(0)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of.get(self.roll(of.len())).copied().unwrap_or_default()
    }

    fn some(&mut self, of: &[&str], least: usize, most: usize) -> Vec<String> {
        let (count, first) = (least + self.roll(most - least + 1), self.roll(of.len()));
        of.iter().cycle().skip(first).take(count).map(|text| (*text).to_owned()).collect()
    }
}

/// What decides which lists a subprocessor is on.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its vendor's place in [`Space::vendors`].
    pub vendor: usize,
    pub state: State,
    pub start_date: String,
    /// Empty: never.
    pub end_date: String,
}

impl Facts {
    /// Whether it is on the list of a day (ISO 8601).
    pub fn is_on_list(&self, day: &str) -> bool {
        let ended = !self.end_date.is_empty() && self.end_date.as_str() <= day;
        self.start_date.as_str() <= day && !ended
    }
}

/// All subprocessors: which organization has how many.
#[derive(Debug)]
pub struct Space {
    pub rows: usize,
    /// How many each organization has.
    pub sizes: Vec<usize>,
    /// How many those before it have.
    starts: Vec<usize>,
    pub vendors: Vec<v1::Vendor>,
    /// How many subprocessors each vendor has.
    pub uses: Vec<usize>,
}

impl Space {
    pub fn new(rows: usize) -> Result<Self> {
        let (least, most) = SIZES;
        if rows < least {
            return Err(format!("--rows: at least {least}, which is one organization; not {rows}").into());
        }
        let (mut sizes, mut starts, mut total) = (Vec::new(), Vec::new(), 0);
        while total < rows {
            let wanted = least + Dice(mix(sizes.len() as u64)).roll(most - least + 1);
            // What would be too little for one more goes to the last one.
            let size = if rows - total - wanted.min(rows - total) < least { rows - total } else { wanted };
            sizes.push(size);
            starts.push(total);
            total += size;
        }
        let mut space = Self { rows, sizes, starts, vendors: Catalog::builtin()?.vendors, uses: Vec::new() };
        space.uses = vec![0; space.vendors.len()];
        for organization in 0..space.sizes.len() {
            for number in 0..space.sizes[organization] {
                let vendor = space.facts(organization, number).vendor;
                space.uses[vendor] += 1;
            }
        }
        Ok(space)
    }

    /// The organization and the number in it of the subprocessor at a place among all.
    pub fn locate(&self, place: usize) -> (usize, usize) {
        let organization = self.starts.partition_point(|start| *start <= place).saturating_sub(1);
        (organization, place - self.starts[organization])
    }

    fn dice(&self, organization: usize, number: usize) -> Dice {
        Dice(mix((self.starts[organization] + number) as u64))
    }

    pub fn facts(&self, organization: usize, number: usize) -> Facts {
        let mut dice = self.dice(organization, number);
        // A few vendors are everywhere, most are rare: the first of 200 has about 7% of all.
        let share = dice.roll(1 << 20) as f64 / f64::from(1 << 20);
        let vendor = ((share * share * self.vendors.len() as f64) as usize).min(self.vendors.len() - 1);
        let date = |dice: &mut Dice, year: usize, years: usize| {
            format!("{}-{:02}-{:02}", year + dice.roll(years), 1 + dice.roll(12), 1 + dice.roll(28))
        };
        let start_date = date(&mut dice, 2015, 9);
        let (state, end_date) = match dice.roll(20) {
            0 => (State::Retired, date(&mut dice, 2024, 1)),
            1 => (State::Suspended, String::new()),
            _ => (State::Active, String::new()),
        };
        Facts { vendor, state, start_date, end_date }
    }

    /// A subprocessor as its organization's list has it: 600 bytes to 1 KB.
    pub fn subprocessor(&self, organization: usize, number: usize) -> v1::Subprocessor {
        let facts = self.facts(organization, number);
        let vendor = &self.vendors[facts.vendor];
        let mut dice = Dice(mix(!((self.starts[organization] + number) as u64)));
        let purposes = dice.some(&PURPOSES, 1, 3);
        let data_categories = dice.some(&DATA, 2, 4);
        let countries = dice.some(&COUNTRIES, 1, 3);
        let location = |(i, code): (usize, &String)| v1::Location {
            region_code: code.clone(),
            activity: if i == 0 { Activity::Storage } else { Activity::Access }.into(),
            verbatim: format!("{code} (data centre region {}-{})", code.to_lowercase(), i + 1),
            ..Default::default()
        };
        let display_name = display_name(vendor, number);
        let quote = format!("{display_name} | {} | {}", purposes.join(", "), countries.join(", "));
        // Some are engaged by another one, as chains are.
        let engaged_by = (number > 0 && dice.roll(20) == 0).then(|| name(organization, dice.roll(number)));
        v1::Subprocessor {
            vendor: vendor.name.clone(),
            vendor_entity: vendor.entities.first().map(|entity| entity.entity_id.clone()).unwrap_or_default(),
            website_uri: format!("https://vendor-{}.example/legal/data-processing", facts.vendor),
            role: v1::Role::SubProcessor.into(),
            recorded_as_found: true,
            service_description: description(&dice.one(&PURPOSES).to_lowercase(), &countries.join(", "), 0),
            section: dice.one(&SECTIONS).to_owned(),
            data_subject_categories: dice.some(&SUBJECTS, 1, 2),
            locations: countries.iter().enumerate().map(location).collect(),
            dpa: Some(v1::Dpa {
                status: v1::dpa::Status::Signed.into(),
                document: format!("https://vendor-{}.example/legal/dpa", facts.vendor),
                sign_date: facts.start_date.clone(),
                ..Default::default()
            }),
            sources: vec![v1::Source {
                document: format!("https://load-{organization}.example/subprocessors"),
                quote,
                line: i32::try_from(number).unwrap_or(0) + 12,
                confidence: Confidence::Supported.into(),
                ..Default::default()
            }],
            annotations: [("Onboarding ticket".to_owned(), format!("VENDOR-{}", 10_000 + number))].into(),
            state: facts.state.into(),
            start_date: facts.start_date,
            end_date: facts.end_date,
            listed: true,
            engaged_by: engaged_by.unwrap_or_default(),
            display_name,
            purposes,
            data_categories,
            ..Default::default()
        }
    }

    /// What the list writes of a subprocessor: the name that must come back.
    pub fn display_name(&self, organization: usize, number: usize) -> String {
        display_name(&self.vendors[self.facts(organization, number).vendor], number)
    }
}

fn display_name(vendor: &v1::Vendor, number: usize) -> String {
    format!("{} (service {number})", vendor.display_name)
}

/// The words of a service's description; `edition` makes them new.
pub fn description(purpose: &str, countries: &str, edition: usize) -> String {
    format!(
        "Provides {purpose} for the production environment and its replicas in {countries}, including the support \
         that staff of the vendor gives on request, under the terms in force since edition {edition} of the agreement."
    )
}

pub fn organization_id(organization: usize) -> String {
    format!("load-{organization:05}")
}

pub fn organization_name(organization: usize) -> String {
    format!("organizations/{}", organization_id(organization))
}

/// In the order of numbers, also as text.
pub fn id(number: usize) -> String {
    format!("s-{number:04}")
}

pub fn name(organization: usize, number: usize) -> String {
    format!("{}/subprocessors/{}", organization_name(organization), id(number))
}

pub fn organization(organization: usize) -> v1::Organization {
    v1::Organization {
        display_name: format!("Load {organization}"),
        legal_name: format!("Load {organization} GmbH"),
        region_code: "DE".to_owned(),
        website_uri: format!("https://load-{organization}.example"),
        ..Default::default()
    }
}
