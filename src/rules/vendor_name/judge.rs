//! Which vendors one piece of a name may mean, and how sure that is.

use super::{
    index::{Cut, Entry, Index, Known, host_of, is_distinct},
    legal_form,
    near::{distance, slip},
    normalize::{Reading, fold},
    pieces::Piece,
    words,
};
use crate::proto::v1::vendor_match::Via;

/// Words of a name that are looked at; longer texts are no names.
const MOST_WORDS: usize = 12;
/// Names that share a word with an asked one and are weighed.
const MOST_SHARING: usize = 64;

/// What the first part of a domain counts alone.
const DOMAIN_ALONE: f64 = 0.84;

/// How a vendor was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By the same letters.
    Exact,
    /// By the same letters without the legal form.
    NoForm,
    /// By the same letters with another legal form.
    OtherForm,
    /// By a name with a general word left out.
    Shortened,
    /// By a domain.
    Domain,
    /// By its initials.
    Initials,
    /// By a name with a place after it.
    Place,
    /// By a name with what it does, or a product, after it.
    Product,
    /// By a name that begins as its products do.
    Family,
    /// By a name after its owner's.
    Owned,
    /// By a name with a typing error.
    Slip,
    /// By a part of a name; not sure.
    Part,
}

/// A vendor that a piece may mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) vendor: u32,
    pub(super) known: u32,
    pub(super) score: f64,
    pub(super) how: How,
}

/// The best for each vendor.
#[derive(Debug, Default)]
pub(super) struct Finds(pub(super) Vec<Found>);

impl Finds {
    fn add(&mut self, found: Found) {
        match self.0.iter_mut().find(|other| other.vendor == found.vendor) {
            Some(other) if other.score < found.score => *other = found,
            Some(_) => {}
            None => self.0.push(found),
        }
    }

    pub(super) fn best(&self) -> f64 {
        self.0.iter().map(|found| found.score).fold(0.0, f64::max)
    }
}

impl Index {
    /// The vendors that a piece may mean.
    pub(super) fn judge(&self, piece: &Piece) -> Finds {
        let mut finds = self.exactly(&piece.reading);
        let reading = &piece.reading;
        self.by_domain(&piece.text, reading, &mut finds);
        if finds.best() < 0.95 && reading.words.len() <= MOST_WORDS {
            self.by_initials(&piece.text, reading, &mut finds);
            self.by_beginning(&piece.text, reading, &mut finds);
            self.by_stem(reading, &mut finds);
            self.by_end(reading, &mut finds);
            self.by_slip(reading, &mut finds);
            self.by_words(reading, &mut finds);
            self.prefer_owner(&mut finds);
        }
        finds
    }

    /// Those that have exactly this name, as far as blanks, marks and legal forms go.
    pub(super) fn exactly(&self, reading: &Reading) -> Finds {
        let mut finds = Finds::default();
        for entry in self.key(&reading.compact) {
            let Some(known) = self.known.get(entry.known as usize) else { continue };
            let how = match entry.cut {
                Cut::Whole if *known.form == *reading.form => How::Exact,
                Cut::Whole if reading.form.is_empty() => How::NoForm,
                Cut::Whole => How::OtherForm,
                _ => How::Shortened,
            };
            let spaced = known
                .lengths
                .iter()
                .copied()
                .eq(reading.words.iter().map(|word| u8::try_from(word.chars().count()).unwrap_or(u8::MAX)));
            let blanks = if spaced || entry.cut != Cut::Whole { 1.0 } else { 0.99 };
            // Who leaves the end of a domain out means the company, unless there is one of that name and form.
            let cut =
                if entry.cut == Cut::Domain && reading.form.is_empty() { DOMAIN_ALONE } else { cut_factor(entry.cut) };
            let score = weight(known) * cut * self.form_factor(known, reading) * blanks;
            finds.add(Found { vendor: known.vendor, known: entry.known, score, how });
        }
        self.prefer_owner(&mut finds);
        finds
    }

    fn form_factor(&self, known: &Known, reading: &Reading) -> f64 {
        // Of an ordinary word there are companies of every form.
        let is_anybodys = || reading.words.len() < 2 && !is_distinct(&reading.words);
        let is_ordinary = || matches!(reading.words.as_slice(), [word] if words::is_ordinary(word));
        match (known.form.is_empty(), reading.form.is_empty()) {
            _ if *known.form == *reading.form => 1.0,
            (false, true) => 0.97,
            (true, false) if is_ordinary() && self.is_of_elsewhere(known.vendor, &reading.form) => 0.79,
            (true, false) => 0.96,
            _ if known.via == Via::LegalName && is_anybodys() => 0.79,
            _ => 0.93,
        }
    }

    /// Whether none of a vendor's entities has a form, and it is not one that lists write behind any name.
    fn is_of_elsewhere(&self, vendor: u32, form: &str) -> bool {
        let forms = self.holder(vendor).map_or(&[][..], |holder| &holder.forms);
        !forms.is_empty() && !legal_form::is_common(form) && !forms.iter().any(|known| **known == *form)
    }

    /// A company that several vendors name as their entity is first of all the owner of the others.
    fn prefer_owner(&self, finds: &mut Finds) {
        let all = finds.0.clone();
        for found in &mut finds.0 {
            let by_entity = self.known.get(found.known as usize).is_some_and(|known| known.via == Via::LegalName);
            // What follows a company's name is the company's, not that of one of its brands.
            let is_whole = matches!(found.how, How::Exact | How::NoForm | How::OtherForm);
            let as_likely = |other: &&Found| other.score >= found.score || (!is_whole && other.score >= super::MATCH);
            if by_entity && all.iter().filter(as_likely).any(|other| self.owns(other.vendor, found.vendor)) {
                found.score = if found.how == How::Exact { found.score - 0.08 } else { found.score.min(0.75) };
            }
        }
    }

    fn by_domain(&self, text: &str, reading: &Reading, finds: &mut Finds) {
        let Some(host) = host_of(text) else {
            // "Acme.com (UK) Ltd", "Acme.com, Inc."
            let first = text.split([' ', ',']).next().unwrap_or_default();
            let rest = reading.words.get(fold(first).len()..).unwrap_or_default();
            let is_place = rest.iter().all(|word| words::is_place(word) || words::is_corporate(word));
            for number in host_of(first).filter(|_| is_place).iter().flat_map(|host| self.host(host)) {
                let Some(known) = self.known.get(*number as usize) else { continue };
                let score = 0.92 * f64::from(known.weight);
                finds.add(Found { vendor: known.vendor, known: *number, score, how: How::Domain });
            }
            return;
        };
        let mut rest = host.as_str();
        let mut score = 0.97;
        loop {
            for number in self.host(rest) {
                let Some(known) = self.known.get(*number as usize) else { continue };
                let score = score * f64::from(known.weight);
                finds.add(Found { vendor: known.vendor, known: *number, score, how: How::Domain });
            }
            if !self.host(rest).is_empty() {
                return;
            }
            match rest.split_once('.') {
                Some((_, above)) if above.contains('.') => rest = above,
                _ => return,
            }
            score = 0.93;
        }
    }

    fn by_initials(&self, text: &str, reading: &Reading, finds: &mut Finds) {
        let is_initials = reading.words.len() == 1 && text.len() > 2 && text.chars().all(|c| c.is_ascii_uppercase());
        if !is_initials {
            return;
        }
        // Initials of several are nobody's.
        if let [number] = self.initials(&reading.compact)
            && let Some(known) = self.known.get(*number as usize)
        {
            finds.add(Found { vendor: known.vendor, known: *number, score: 0.85, how: How::Initials });
        }
    }

    /// Names that the asked one begins with: "GitHub Germany GmbH", "Plausible Analytics", "Google Cloud Storage".
    fn by_beginning(&self, text: &str, reading: &Reading, finds: &mut Finds) {
        let mut most = 1.0_f64;
        for count in (1..reading.words.len()).rev() {
            let Some(begin) = reading.words.get(..count) else { continue };
            let mut best = 0.0_f64;
            for entry in self.key(&begin.concat()) {
                let Some(known) = self.known.get(entry.known as usize) else { continue };
                let Some((score, how)) = self.beginning(entry, known, text, begin, reading) else { continue };
                let score = (score * weight(known)).min(most);
                best = best.max(score);
                if let ([brand], How::Product) = (begin, how)
                    && let Some(product) = self.family(brand, known.vendor).most
                    && let Some(holder) = self.known.get(product as usize).map(|known| known.vendor)
                    && holder != known.vendor
                {
                    finds.add(Found { vendor: holder, known: product, score: score + 0.01, how: How::Family });
                }
                finds.add(Found { vendor: known.vendor, known: entry.known, score, how });
            }
            // The longer name is meant, not the one that it begins with in turn.
            if best >= super::MATCH {
                most = 0.75;
            }
        }
    }

    /// How sure a name is that goes on behind a known one.
    fn beginning(
        &self,
        entry: &Entry,
        known: &Known,
        text: &str,
        begin: &[String],
        reading: &Reading,
    ) -> Option<(f64, How)> {
        let rest = reading.words.get(begin.len()..)?;
        // In "On-Call" it is part of a word.
        let is_part = |word: &str| text.to_lowercase().contains(&format!(" {word}-"));
        if rest.first().is_some_and(|word| words::is_joining(word) && !is_part(word)) {
            return None;
        }
        // "Acme Corporation of Springfield": whatever is of a place is not Acme, unless it is a country's.
        if let Some(of) = rest.iter().position(|word| word == "of")
            && !rest.iter().skip(of + 1).all(|word| words::is_place(word) || words::is_joining(word))
        {
            return Some((0.7, How::Part));
        }
        // "Acme Corporation UK Ltd": its whole legal name, and a place.
        let is_branch = |rest: &[String]| rest.iter().all(|word| words::is_place(word));
        let is_legal_whole = known.via == Via::LegalName && entry.cut == Cut::Whole;
        if is_legal_whole && legal_form::behind(rest, &known.form).is_some_and(is_branch) {
            return Some((0.88, How::Place));
        }
        let whole = entry.cut == Cut::Whole;
        let is_legal = known.via == Via::LegalName;
        let distinct = is_distinct(begin) || (begin.len() == 1 && is_acronym(known, text));
        if is_legal && !distinct && (begin.len() < 2 || !rest.iter().all(|word| words::is_place(word))) {
            return None;
        }
        let all = |is: &dyn Fn(&str) -> bool| rest.iter().all(|word| is(word));
        let is_trade = |word: &str| self.is_trade(known.vendor, word);
        let is_understood = |word: &str| is_trade(word) || words::is_left_out(word) || words::is_technical(word);
        let has_family = matches!(begin, [brand] if self.family(brand, known.vendor).is_any);
        if let [end] = rest
            && words::is_top_level(end)
            && text.to_lowercase().contains(&format!(".{end}"))
        {
            // Its name under another domain than its own.
            return Some((if distinct && whole { 0.84 } else { 0.7 }, How::Part));
        }
        // Anybody calls itself global.
        let is_vague = begin.len() < 2 && all(&|word| words::is_corporate(word));
        // "Salesforce Health Cloud" is a product, "Honeycomb Health" a company.
        let is_of_product = reading.form.is_empty() && rest.last().is_some_and(|word| words::is_product(word));
        let (sure, unsure, how) = if all(&words::is_place) {
            (0.92, if is_vague { 0.74 } else { 0.85 }, How::Place)
        } else if all(&|word| is_trade(word) || words::is_left_out(word)) && rest.iter().any(|word| is_trade(word)) {
            (0.9, 0.86, How::Product)
        } else if all(&words::is_product) {
            (0.9, 0.83, How::Product)
        } else if all(&|word| words::is_corporate(word) || words::is_place(word)) {
            // "Jira Service Management" beside the known "Jira Service Desk".
            let is_like = has_family && reading.form.is_empty() && matches!(begin, [brand] if words::is_rare(brand));
            (0.88, if is_like { 0.82 } else { 0.74 }, How::Place)
        } else if rest.iter().any(|word| (words::is_other_trade(word) && !is_of_product) || words::is_first_name(word))
            || rest.len() > 3
            || (!all(&is_understood) && is_company(rest, reading))
            || rest.split_last().is_some_and(|(last, before)| {
                words::is_firm(last) && !before.iter().all(|word| is_trade(word) || words::is_corporate(word))
            })
        {
            (0.7, 0.6, How::Part)
        } else {
            // "Azure Cognitive Services" beside the known "Azure OpenAI"; but not any word after an ordinary one.
            let is_like = has_family && rest.iter().any(|word| words::is_left_out(word) || words::is_technical(word));
            // "Okta Workforce Identity": a short name that is no word, and what software does.
            let is_rare = begin.len() > 1 || matches!(begin, [brand] if words::is_rare(brand));
            let is_like = is_like || (is_rare && rest.iter().any(|word| words::is_technical(word))) || rest == ["ai"];
            (0.84, if is_like { 0.82 } else { 0.7 }, How::Product)
        };
        let score = if distinct { sure } else { unsure };
        match (whole, begin.len()) {
            (true, _) => Some((score, how)),
            (false, _) if entry.cut == Cut::Domain => Some((0.65, How::Part)),
            // A name cut down to one word is not taken for another that begins with it.
            (false, 1)
                if how == How::Product
                    && (is_legal || entry.cut != Cut::Distinct || !reading.form.is_empty())
                    && !all(&|word| is_trade(word) || words::is_product(word)) =>
            {
                Some((0.65, How::Part))
            }
            (false, _) => Some((score - 0.02, how)),
        }
        .map(|(score, how)| if score < super::MATCH { (score, How::Part) } else { (score, how) })
    }

    /// Names that are written in one word with what kind of product they are: "TimescaleDB", "PostmarkApp".
    fn by_stem(&self, reading: &Reading, finds: &mut Finds) {
        let [word] = reading.words.as_slice() else { return };
        for (end, is_sure) in
            [("app", true), ("cloud", true), ("db", true), ("hq", true), ("ai", false), ("labs", false)]
        {
            let Some(stem) = word.strip_suffix(end) else { continue };
            let distinct = words::is_rare(stem);
            if !distinct && (!is_sure || stem.len() < 5) {
                continue;
            }
            for entry in self.key(stem).iter().filter(|entry| entry.cut == Cut::Whole) {
                let Some(known) = self.known.get(entry.known as usize) else { continue };
                if known.via != Via::LegalName {
                    let score = if distinct { 0.88 } else { 0.83 } * weight(known);
                    finds.add(Found { vendor: known.vendor, known: entry.known, score, how: How::Product });
                }
            }
        }
    }

    /// Names that the asked one ends with, after their owner's: "Salesforce Heroku".
    fn by_end(&self, reading: &Reading, finds: &mut Finds) {
        for count in 1..reading.words.len() {
            let Some((begin, rest)) = reading.words.split_at_checked(count) else { continue };
            let owners = self.key(&begin.concat());
            for entry in self.key(&rest.concat()).iter().filter(|entry| entry.cut == Cut::Whole) {
                let Some(known) = self.known.get(entry.known as usize) else { continue };
                let is_owned = owners
                    .iter()
                    .filter(|owner| matches!(owner.cut, Cut::Whole | Cut::Distinct))
                    .filter_map(|owner| self.known.get(owner.known as usize))
                    .any(|owner| owner.vendor == known.vendor || self.owns(owner.vendor, known.vendor));
                let (score, how) = match is_owned {
                    true => (0.94, How::Owned),
                    false if is_distinct(rest) => (0.7, How::Part),
                    false => (0.55, How::Part),
                };
                finds.add(Found { vendor: known.vendor, known: entry.known, score: score * weight(known), how });
            }
        }
    }

    fn by_slip(&self, reading: &Reading, finds: &mut Finds) {
        // A word of the language was meant as it stands.
        let is_word = matches!(reading.words.as_slice(), [word] if words::is_ordinary(word));
        if finds.best() >= 0.9 {
            return;
        }
        let asked: Vec<char> = reading.compact.chars().collect();
        for number in self.near.candidates(&asked) {
            let Some(key) = self.keys.get(number as usize) else { continue };
            let letters: Vec<char> = key.text.chars().collect();
            for entry in key.entries.iter().filter(|entry| matches!(entry.cut, Cut::Whole | Cut::Distinct)) {
                let Some(known) = self.known.get(entry.known as usize) else { continue };
                let found = match slip(&asked, &letters, &known.lengths).filter(|_| !is_word) {
                    Some(score) => Some((score, How::Slip)),
                    None => (distance(&asked, &letters) <= 1).then_some((0.65, How::Part)),
                };
                if let Some((score, how)) = found {
                    let score = score * weight(known) * cut_factor(entry.cut).max(0.97);
                    finds.add(Found { vendor: known.vendor, known: entry.known, score, how });
                }
            }
        }
    }

    /// Names that share a word which is not everybody's: to choose from.
    fn by_words(&self, reading: &Reading, finds: &mut Finds) {
        if finds.best() >= super::MATCH {
            return;
        }
        let asked: usize = reading.compact.len();
        for word in &reading.words {
            for number in self.word(word).iter().take(MOST_SHARING) {
                let Some(known) = self.known.get(*number as usize) else { continue };
                let length: usize = known.lengths.iter().map(|length| usize::from(*length)).sum();
                let all = (asked + length).saturating_sub(word.len()).max(1);
                #[allow(clippy::cast_precision_loss)] // Lengths of names.
                let share = word.len() as f64 / all as f64;
                if share >= 0.3 {
                    let score = 0.45 + 0.25 * share.min(1.0);
                    finds.add(Found { vendor: known.vendor, known: *number, score, how: How::Part });
                }
            }
        }
    }
}

/// Whether words that say nothing of software make another company of a name: a firm of the place, or one that is
/// registered under just that name.
fn is_company(rest: &[String], reading: &Reading) -> bool {
    let is_local = rest.len() > 1 && rest.last().is_some_and(|word| words::is_city(word));
    is_local || !reading.form.is_empty()
}

/// How much a text counts as a vendor's name.
fn weight(known: &Known) -> f64 {
    let via = match known.via {
        Via::DisplayName | Via::LegalName => 1.0,
        Via::Alias => 0.99,
        Via::Service => 0.98,
        _ => 0.97,
    };
    via * f64::from(known.weight)
}

fn cut_factor(cut: Cut) -> f64 {
    match cut {
        Cut::Whole => 1.0,
        Cut::Distinct => 0.92,
        Cut::Ordinary => 0.84,
        Cut::Domain => 0.75,
    }
}

/// Whether the name begins with initials that are the vendor's, and no word unless written as it writes them: "AWS
/// Lambda", but not "sap of the tree".
fn is_acronym(known: &Known, text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or_default();
    let is_same = *known.text == *first
        || (known.text.eq_ignore_ascii_case(first) && !words::is_ordinary(&first.to_ascii_lowercase()));
    is_same && first.len() > 2 && known.text.chars().all(|c| c.is_ascii_uppercase())
}
