//! What is wrong with an engagement: agreement, review, gaps, gates, and the transfers that follow from where it
//! processes.

use super::{
    Draft, Subject as Examined, fact,
    transfer::{Flow, Place, judge},
};
use crate::{
    proto::v1::{
        CorrectionRecord, GateRecord, Location, Role, Subprocessor, Transfer, Vendor,
        dpa::Status as DpaStatus,
        finding::{Kind, Severity},
        gate_record::{Gate, Outcome},
        location::Activity,
    },
    rules::{
        engagement::{annex_iii_gaps, dpa_in_force, is_on_list, is_processor},
        law::{
            Dates, Law, covers,
            derived::speaks_for,
            transfer::{Subject, assess, collect_dates},
            within,
        },
    },
};

/// A subprocessor, with what is known around it.
#[derive(Debug)]
pub struct Engagement<'a> {
    /// The law.
    pub law: &'a Law,
    /// The subprocessor.
    pub subprocessor: &'a Subprocessor,
    /// Its vendor.
    pub vendor: Option<&'a Vendor>,
    /// What recorded transfers to it speak for: regime, importer, destination and dates.
    pub spoken_for: Vec<&'a Transfer>,
    /// The recorded transfers to it, if it was put into use while one was not covered.
    pub recorded: Vec<Subject<'a>>,
    /// The transfers that follow from its locations.
    pub derived: Vec<Flow<'a>>,
}

impl Examined for Engagement<'_> {
    fn on(&self, day: &str) -> Vec<Draft> {
        let mut found = self.overridden(day);
        if self.subprocessor.delete_time.is_some() || !is_on_list(self.subprocessor, day) {
            return found;
        }
        found.extend(self.corrected(day));
        found.extend(self.advised(day));
        found.extend(self.agreement(day));
        found.extend(self.review(day));
        found.extend(self.annex_iii());
        found.extend(self.missing());
        found.extend(self.place(day));
        found.extend(self.flows(day));
        found
    }

    fn dates(&self, dates: &mut Dates) {
        let one = self.subprocessor;
        let agreed = one.dpa.iter().flat_map(|dpa| [&dpa.sign_date, &dpa.expire_date]);
        let own = [&one.start_date, &one.end_date, &one.next_review_date].into_iter().chain(agreed);
        dates.extend(own.filter(|date| !date.is_empty()).cloned());
        dates.extend(one.gate_records.iter().map(record_day));
        dates.extend(one.corrections.iter().map(correction_day));
        let spans = self.spoken_for.iter().flat_map(|one| [&one.start_date, &one.end_date]);
        dates.extend(spans.filter(|date| !date.is_empty()).cloned());
        self.recorded.iter().for_each(|subject| collect_dates(self.law, subject, dates));
        self.derived.iter().for_each(|flow| collect_dates(self.law, &flow.subject, dates));
    }
}

impl Engagement<'_> {
    fn draft(&self, kind: Kind, severity: Severity, essence: impl Into<String>) -> Draft {
        Draft::new(kind, severity, &self.subprocessor.name, essence)
    }

    fn fact(&self, field: &str, text: impl Into<String>) -> super::Evidence {
        fact(&self.subprocessor.name, field, text, &self.subprocessor.sources)
    }

    /// Gates that were passed on somebody's responsibility: for good, whatever became of the engagement.
    fn overridden(&self, day: &str) -> Vec<Draft> {
        let records = self.subprocessor.gate_records.iter().enumerate();
        let passed = records.filter(|(_, one)| one.outcome() == Outcome::Overridden && record_day(one).as_str() <= day);
        passed
            .map(|(i, record)| {
                let (gate, on) = (gate_word(record.gate()), record_day(record));
                let (approver, reason) = match &record.r#override {
                    Some(over) => (over.approver.as_str(), over.reason.as_str()),
                    None => ("", ""),
                };
                let text = format!("the gate {gate} was overridden on {on} by {approver}: {reason}; {}", record.detail);
                self.draft(Kind::GateOverridden, Severity::Critical, format!("{gate} {}", instant(record)))
                    .says(text, gate_law(record.gate()))
                    .cites([self.fact(&format!("gate_records[{i}]"), record.detail.clone())])
            })
            .collect()
    }

    /// Corrections that made more of it than customers had been told.
    fn corrected(&self, day: &str) -> Vec<Draft> {
        let made = self.subprocessor.corrections.iter().enumerate();
        let widening = made.filter(|(_, one)| !one.widened.is_empty() && correction_day(one).as_str() <= day);
        let drafts = widening.map(|(i, record)| {
            let (on, what) = (correction_day(record), record.widened.join(", "));
            let correction = record.correction.clone().unwrap_or_default();
            let text = format!(
                "corrected on {on} by {}, true since {}: {}; it widens {what}, and customers are to be told of that",
                correction.approver, correction.true_since_date, correction.reason
            );
            let essence = format!("{what} {}", stated(record.record_time));
            self.draft(Kind::CorrectionWidened, Severity::Warning, essence)
                .says(text, "GDPR Art. 28(2)")
                .cites([self.fact(&format!("corrections[{i}]"), correction.reason)])
        });
        drafts.collect()
    }

    /// Gates that an advisory policy let pass, or that what was entered as found passed by, and that are still not met.
    fn advised(&self, day: &str) -> Vec<Draft> {
        let records: Vec<(usize, &GateRecord)> = self.subprocessor.gate_records.iter().enumerate().collect();
        let open = records.iter().rev().filter(|(_, one)| {
            matches!(one.outcome(), Outcome::Advisory | Outcome::Found)
                && record_day(one).as_str() <= day
                && self.is_unmet(one.gate(), day)
        });
        open.map(|(i, record)| {
            let (gate, on) = (gate_word(record.gate()), record_day(record));
            let entered = if record.outcome() == Outcome::Found { "entered as found" } else { "put into use" };
            let text = format!("{entered} on {on} past the gate {gate}, which is still not met: {}", record.detail);
            self.draft(Kind::GateNotMet, Severity::Warning, gate)
                .says(text, gate_law(record.gate()))
                .cites([self.fact(&format!("gate_records[{i}]"), record.detail.clone())])
        })
        .collect()
    }

    fn is_unmet(&self, gate: Gate, day: &str) -> bool {
        match gate {
            Gate::DpaInForce => self.needs_agreement() && !dpa_in_force(self.subprocessor, day),
            Gate::AnnexIiiComplete => !annex_iii_gaps(self.subprocessor, self.vendor).is_empty(),
            Gate::TransfersCovered => self.transfers(day).any(|one| !covers(assess(self.law, one, day).verdict)),
            // Who was not told before cannot be told before any more.
            Gate::NoticeCleared => true,
            Gate::Unspecified => false,
        }
    }

    /// The transfers to it that take place on a day.
    fn transfers<'b>(&'b self, day: &'b str) -> impl Iterator<Item = &'b Subject<'b>> {
        let recorded =
            self.recorded.iter().filter(move |one| within(day, &one.transfer.start_date, &one.transfer.end_date));
        recorded.chain(self.unspoken(day).map(|flow| &flow.subject))
    }

    /// The derived transfers for which no recorded one speaks on a day.
    fn unspoken<'b>(&'b self, day: &'b str) -> impl Iterator<Item = &'b Flow<'b>> {
        self.derived.iter().filter(move |flow| {
            let speaks =
                |one: &&Transfer| within(day, &one.start_date, &one.end_date) && speaks_for(one, flow.subject.transfer);
            !self.spoken_for.iter().any(speaks)
        })
    }

    fn needs_agreement(&self) -> bool {
        self.vendor.is_some() && is_processor(self.subprocessor.role())
    }

    /// Who it is, and where, is not the organization's to say: data comes from it, or the customer chooses it.
    fn is_chosen_elsewhere(&self) -> bool {
        matches!(self.subprocessor.role(), Role::DataSource | Role::CustomerDirected)
    }

    fn agreement(&self, day: &str) -> Option<Draft> {
        if !self.needs_agreement() || dpa_in_force(self.subprocessor, day) {
            return None;
        }
        let dpa = self.subprocessor.dpa.clone().unwrap_or_default();
        let word = dpa.status().as_str_name().trim_start_matches("STATUS_");
        let (severity, essence, field, text) = match dpa.status() {
            DpaStatus::Signed | DpaStatus::IncorporatedByReference if day < dpa.sign_date.as_str() => {
                (Severity::Critical, "not yet signed", "dpa.sign_date", format!("signed only on {}", dpa.sign_date))
            }
            DpaStatus::Signed | DpaStatus::IncorporatedByReference => {
                (Severity::Critical, "run out", "dpa.expire_date", format!("run out on {}", dpa.expire_date))
            }
            DpaStatus::Expired | DpaStatus::Terminated => (Severity::Critical, word, "dpa.status", word.to_owned()),
            DpaStatus::ActionRequired => (Severity::Warning, word, "dpa.status", word.to_owned()),
            DpaStatus::NotChecked | DpaStatus::Unspecified => {
                (Severity::Warning, "NOT_CHECKED", "dpa", "nobody has checked whether there is one".to_owned())
            }
        };
        let said = format!("no data processing agreement is known to be in force: {text}");
        let draft = self.draft(Kind::DpaDue, severity, essence).says(said, "GDPR Art. 28(4)");
        Some(draft.cites([self.fact(field, text)]))
    }

    fn review(&self, day: &str) -> Option<Draft> {
        let date = self.subprocessor.next_review_date.as_str();
        let due = !date.is_empty() && date <= day;
        due.then(|| {
            self.draft(Kind::ReviewDue, Severity::Warning, date)
                .says(format!("its review fell due on {date}"), "GDPR Art. 24(1), 28(1)")
                .cites([self.fact("next_review_date", date)])
        })
    }

    /// For processors only: others stand in no annex.
    fn annex_iii(&self) -> Option<Draft> {
        let missing = match self.needs_agreement() {
            true => annex_iii_gaps(self.subprocessor, self.vendor).join(", "),
            false => String::new(),
        };
        (!missing.is_empty()).then(|| {
            self.draft(Kind::AnnexIiiIncomplete, Severity::Warning, missing.clone())
                .says(format!("not known of the vendor: {missing}"), "SCC 2021/914 clause 9 and Annex III")
                .cites([self.fact("vendor", self.subprocessor.vendor.clone())])
        })
    }

    fn missing(&self) -> Option<Draft> {
        let one = self.subprocessor;
        let mut gaps = Vec::new();
        if one.vendor.is_empty() && one.alternative_vendors.is_empty() {
            gaps.push("vendor");
        }
        if one.purposes.is_empty() && one.service_description.is_empty() {
            gaps.push("purposes");
        }
        if gaps.is_empty() && one.incomplete_reason.is_empty() {
            return None;
        }
        let severity = if gaps.is_empty() || self.is_chosen_elsewhere() { Severity::Info } else { Severity::Warning };
        let facts =
            if gaps.is_empty() { "facts are missing".to_owned() } else { format!("not known: {}", gaps.join(", ")) };
        let text = match one.incomplete_reason.as_str() {
            "" => facts,
            reason => format!("{facts}: {reason}"),
        };
        let fields = gaps.iter().map(|field| self.fact(field, "not stated"));
        let reason = Some(&one.incomplete_reason).filter(|reason| !reason.is_empty());
        let reason = reason.map(|reason| self.fact("incomplete_reason", reason));
        let essence = format!("{} {}", gaps.join(" "), one.incomplete_reason);
        let draft = self.draft(Kind::FactMissing, severity, essence).says(text, "GDPR Art. 28(3), 30(2)");
        Some(draft.cites(fields.chain(reason)))
    }

    /// Only where the company sits is known, or not even that, and no transfer says where the data goes.
    fn place(&self, day: &str) -> Option<Draft> {
        let one = self.subprocessor;
        let about_data = |place: &Location| place.activity() != Activity::Corporate;
        let told = self.spoken_for.iter().any(|it| within(day, &it.start_date, &it.end_date));
        if told || one.locations.iter().any(about_data) || self.is_chosen_elsewhere() {
            return None;
        }
        let (essence, text) = match one.locations.first() {
            Some(seat) => ("corporate", format!("only where the company sits is known ({})", seat.region_code)),
            None => ("none", "where it processes is not stated".to_owned()),
        };
        let draft = self.draft(Kind::LocationNotStated, Severity::Warning, essence);
        Some(draft.says(text.clone(), "GDPR Art. 30(2)(c), 44").cites([self.fact("locations", text)]))
    }

    fn flows(&self, day: &str) -> Vec<Draft> {
        let judged = self.unspoken(day).filter_map(|flow| {
            let regime = flow.subject.transfer.regime().as_str_name();
            let words = if flow.from.region_code.is_empty() { &flow.from.verbatim } else { &flow.from.region_code };
            let place = Place {
                name: &self.subprocessor.name,
                key: &format!("{regime} {words}"),
                field: &format!("locations[{}]", flow.from.location_index),
                text: words.clone(),
                sources: &self.subprocessor.sources,
            };
            judge(self.law, &flow.subject, day, &place)
        });
        judged.collect()
    }
}

fn gate_word(gate: Gate) -> &'static str {
    gate.as_str_name().trim_start_matches("GATE_")
}

fn gate_law(gate: Gate) -> &'static str {
    match gate {
        Gate::DpaInForce => "GDPR Art. 28(4)",
        Gate::TransfersCovered => "GDPR Art. 44",
        Gate::AnnexIiiComplete => "SCC 2021/914 clause 9 and Annex III",
        Gate::NoticeCleared => "GDPR Art. 28(2)",
        Gate::Unspecified => "",
    }
}

/// The UTC day on which a correction was made, ISO 8601.
fn correction_day(record: &CorrectionRecord) -> String {
    day_at(stated(record.record_time))
}

/// When a record was made, in microseconds since 1970.
fn instant(record: &GateRecord) -> i64 {
    stated(record.record_time)
}

/// An instant in microseconds since 1970.
fn stated(time: Option<prost_types::Timestamp>) -> i64 {
    let time = time.unwrap_or_default();
    time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos) / 1_000)
}

/// The UTC day on which a record was made.
fn record_day(record: &GateRecord) -> String {
    day_at(instant(record))
}

/// The UTC day, ISO 8601, of microseconds since 1970.
fn day_at(micros: i64) -> String {
    let instant = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    instant.strftime("%F").to_string()
}

#[cfg(test)]
mod tests;
