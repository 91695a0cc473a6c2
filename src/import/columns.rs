//! What columns hold: guessed from the words of their headings, then from what stands in them, and told apart where
//! several claim one field.

mod phrases;
mod words;

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    find,
    html::MAX_COLUMNS,
    items,
    page::{Cell, Row, Run, Table},
    places::Places,
    text,
};

pub(super) use words::by_words;

/// A field of a subprocessor that a column can be mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Its name, as the list writes it.
    Name,
    /// What it does.
    Purpose,
    /// Where data is processed.
    Location,
    /// Where the company sits.
    EntityCountry,
    /// Its web page.
    Website,
    /// The heading under which the list has it.
    Section,
    /// Categories of personal data.
    DataCategories,
    /// Special categories of personal data.
    SpecialCategories,
    /// Whose data.
    DataSubjects,
    /// More on the service.
    Service,
    /// When it is used.
    Condition,
    /// The organization's products for which it is used.
    Products,
    /// Since when.
    StartDate,
    /// Until when.
    EndDate,
    /// What it is in the processing: processor, controller.
    Role,
    /// Whether it belongs to the organization's group.
    Affiliate,
    /// Its postal address: kept as an annotation, and used for a vendor that is proposed.
    Address,
    /// How to reach it: kept as an annotation.
    Contact,
    /// No field: kept under its heading.
    Annotation,
    /// Left out, because the caller says so.
    Ignore,
}

impl Field {
    /// Every field, in the order in which they are explained.
    pub const ALL: [Self; 20] = [
        Self::Name,
        Self::Purpose,
        Self::Location,
        Self::EntityCountry,
        Self::Website,
        Self::Section,
        Self::DataCategories,
        Self::SpecialCategories,
        Self::DataSubjects,
        Self::Service,
        Self::Condition,
        Self::Products,
        Self::StartDate,
        Self::EndDate,
        Self::Role,
        Self::Affiliate,
        Self::Address,
        Self::Contact,
        Self::Annotation,
        Self::Ignore,
    ];

    /// Its name on the command line and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Purpose => "purpose",
            Self::Location => "location",
            Self::EntityCountry => "entity_country",
            Self::Website => "website",
            Self::Section => "section",
            Self::DataCategories => "data_categories",
            Self::SpecialCategories => "special_categories",
            Self::DataSubjects => "data_subjects",
            Self::Service => "service",
            Self::Condition => "condition",
            Self::Products => "products",
            Self::StartDate => "start_date",
            Self::EndDate => "end_date",
            Self::Role => "role",
            Self::Affiliate => "affiliate",
            Self::Address => "address",
            Self::Contact => "contact",
            Self::Annotation => "annotation",
            Self::Ignore => "ignore",
        }
    }

    /// The field of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.word() == word)
    }

    /// Whether several columns of one table can hold it.
    fn is_repeated(self) -> bool {
        matches!(
            self,
            Self::Location
                | Self::EntityCountry
                | Self::DataCategories
                | Self::SpecialCategories
                | Self::DataSubjects
                | Self::Products
                | Self::Address
                | Self::Contact
                | Self::Annotation
                | Self::Ignore
        )
    }
}

/// A field that a column may hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Guess {
    pub(super) field: Field,
    /// 0 to 1.
    pub(super) confidence: f64,
    pub(super) reason: String,
}

/// What a column was taken for.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// Its heading as it stands; empty if it has none.
    pub heading: String,
    /// The field.
    pub field: Field,
    /// How sure that is: 0 to 1; 1 if the caller said so.
    pub confidence: f64,
    /// Why.
    pub reason: String,
}

impl Column {
    /// What it is called in a report and among annotations.
    pub(super) fn label(&self, index: usize) -> String {
        if self.heading.is_empty() { format!("column {}", index + 1) } else { self.heading.clone() }
    }
}

/// What a caller said of columns: heading and field.
pub(super) type Told = [(String, Field)];

/// The words of a heading. `dataProcessed`, `data_processed` and `Data processed` are the same.
pub(super) fn words(heading: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(heading.len() + 8);
    let mut lower = false;
    for c in heading.chars() {
        if lower && c.is_uppercase() {
            spaced.push(' ');
        }
        lower = c.is_lowercase();
        spaced.push(if c == '_' { ' ' } else { c });
    }
    text::words(&spaced)
}

/// Whether two headings are the same to a caller who types them.
pub(super) fn same_heading(a: &str, b: &str) -> bool {
    text::fold(a.trim()) == text::fold(b.trim())
}

/// Headings as rows bring them, each once. Those that are far too many share the last column.
#[derive(Debug, Default)]
pub(super) struct Headings {
    texts: Vec<String>,
    by_fold: HashMap<String, usize>,
}

impl Headings {
    pub(super) fn new(first: &[&str]) -> Self {
        let mut headings = Self::default();
        for heading in first {
            headings.column(heading);
        }
        headings
    }

    /// The column of a heading, and whether it is its own.
    fn column(&mut self, heading: &str) -> (usize, bool) {
        let folded = text::fold(heading.trim());
        if let Some(at) = self.by_fold.get(&folded) {
            return (*at, true);
        }
        let (count, last) = (self.texts.len(), MAX_COLUMNS - 1);
        if count < last {
            self.by_fold.insert(folded, count);
            self.texts.push(heading.to_owned());
            return (count, true);
        }
        if count == last {
            self.texts.push("more".to_owned());
        }
        (last, false)
    }

    /// Puts a value of a row under its heading, behind what is there.
    pub(super) fn put(&mut self, cells: &mut Vec<Cell>, heading: &str, mut value: Cell) {
        let (column, is_own) = self.column(heading);
        if !is_own {
            value.runs.insert(0, Run { text: format!("{heading}: "), ..Run::default() });
        }
        if cells.len() <= column {
            cells.resize(column + 1, Cell::default());
        }
        if let Some(cell) = cells.get_mut(column) {
            items::append(cell, value);
        }
    }

    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The headings as those of a table.
    pub(super) fn into_header(self, line: u32) -> Vec<Cell> {
        self.texts.into_iter().map(|text| Cell::plain(line, text)).collect()
    }
}

/// What the columns of a table hold.
pub(super) fn guess(table: &Table, told: &Told, places: Places) -> Vec<Column> {
    let width = table.width();
    let mut options: Vec<Vec<Guess>> = Vec::with_capacity(width);
    let mut columns: Vec<Option<Column>> = Vec::with_capacity(width);
    for index in 0..width {
        let heading = table.header.get(index).map(|cell| cell.text()).unwrap_or_default();
        let label = if heading.is_empty() { format!("column {}", index + 1) } else { heading.clone() };
        let said = told.iter().rev().find(|(name, _)| same_heading(name, &heading) || same_heading(name, &label));
        columns.push(said.map(|(_, field)| Column {
            heading: heading.clone(),
            field: *field,
            confidence: 1.0,
            reason: "as told by --map".to_owned(),
        }));
        let mut guesses = words::of_heading(&heading);
        answers(&mut guesses, &table.rows, index);
        place_bonus(&mut guesses, index);
        guesses.extend(by_content(&table.rows, index, places, guesses.is_empty()));
        guesses.extend(countries(&table.rows, index, places, &guesses));
        options.push(guesses);
    }
    whose(table, &mut options);
    settle(table, &mut options, columns)
}

/// A column of answers says no more than yes or no; one that asks whose the group is, and has none, names its companies.
fn answers(guesses: &mut Vec<Guess>, rows: &[Row], index: usize) {
    let texts: Vec<String> = rows.iter().take(200).filter_map(|row| Some(row.cell(index)?.text())).collect();
    let words = ["yes", "no", "true", "false", "ja", "nein", "nee", "oui", "non", "si", "✓", "✔", "✗", "x"];
    let is_answer = |text: &&String| {
        let first = text.split([' ', ',', '(', '-']).next().unwrap_or_default();
        words.contains(&text::fold(first).as_str())
    };
    let answered = texts.iter().filter(is_answer).count();
    let open = [Field::DataCategories, Field::SpecialCategories, Field::DataSubjects, Field::Purpose, Field::Location];
    if answered > 0 && answered == texts.len() {
        guesses.retain(|guess| !open.contains(&guess.field));
    }
    if answered == 0 && !texts.is_empty() {
        for guess in guesses.iter_mut().filter(|guess| guess.field == Field::Affiliate) {
            guess.field = Field::Name;
        }
    }
}

/// Where one column repeats whose list each row is of, the names are in the one that speaks of subprocessors.
fn whose(table: &Table, options: &mut [Vec<Guess>]) {
    let distinct = |index: usize| {
        let texts: HashSet<String> = table.rows.iter().filter_map(|row| Some(row.cell(index)?.text())).collect();
        texts.len()
    };
    let names = |guesses: &[Guess]| guesses.first().is_some_and(|guess| guess.field == Field::Name);
    let speaks = |index: usize| table.header.get(index).is_some_and(|cell| find::speaks(&cell.text()) > 2);
    let claiming: Vec<usize> = (0..options.len()).filter(|i| options.get(*i).is_some_and(|one| names(one))).collect();
    let Some(own) = claiming.iter().copied().find(|index| speaks(*index)) else { return };
    let of_own = distinct(own);
    for index in claiming.into_iter().filter(|index| !speaks(*index)) {
        if table.rows.len() > 3
            && distinct(index) * 2 <= of_own
            && let Some(guesses) = options.get_mut(index)
        {
            guesses.retain(|guess| guess.field != Field::Name);
        }
    }
}

/// The name mostly stands first; a weak word for it far to the right means something else.
fn place_bonus(guesses: &mut [Guess], index: usize) {
    for guess in guesses.iter_mut().filter(|guess| guess.field == Field::Name) {
        let shift = if index == 0 { 0.25 } else { -0.03 * (index.min(8) as f64) };
        guess.confidence = (guess.confidence + shift).clamp(0.05, 0.99);
    }
}

/// What the cells of a column look like. `silent`: its heading says nothing.
fn by_content(rows: &[Row], index: usize, places: Places, silent: bool) -> Option<Guess> {
    let texts: Vec<String> = rows.iter().take(200).filter_map(|row| Some(row.cell(index)?.text())).collect();
    if texts.is_empty() || !silent {
        return None;
    }
    let count = |test: &dyn Fn(&str) -> bool| texts.iter().filter(|text| test(text)).count();
    let addresses = count(&|text| text.starts_with("http://") || text.starts_with("https://"));
    let located = count(&|text| places.read(text, false).is_whole());
    let all = texts.len();
    let guess = |field, confidence, what: &str, of: usize| {
        let reason = format!("{of} of {all} cells are {what}");
        Some(Guess { field, confidence, reason })
    };
    if addresses * 5 >= all * 4 {
        guess(Field::Website, 0.4, "web addresses", addresses)
    } else if located * 5 >= all * 4 {
        guess(Field::Location, 0.6, "places", located)
    } else {
        None
    }
}

/// A column of nothing but countries is one of places, though its heading speaks of data or services in words that are
/// not known.
fn countries(rows: &[Row], index: usize, places: Places, guesses: &[Guess]) -> Option<Guess> {
    let misread = [Field::DataCategories, Field::Service, Field::Purpose, Field::Products];
    if !guesses.first().is_some_and(|guess| misread.contains(&guess.field)) {
        return None;
    }
    let texts: Vec<String> = rows.iter().take(200).filter_map(|row| Some(row.cell(index)?.text())).collect();
    let located = |text: &&String| {
        let reading = places.read(text, false);
        reading.is_whole() && reading.found.iter().any(|found| !found.code.is_empty())
    };
    let count = texts.iter().filter(located).count();
    let reason = format!("{count} of {} cells are countries", texts.len());
    (texts.len() > 1 && count * 5 >= texts.len() * 4).then_some(Guess {
        field: Field::Location,
        confidence: 0.96,
        reason,
    })
}

/// Gives each field that stands once to the column that claims it best; what loses takes its next guess, or is kept
/// under its heading.
fn settle(table: &Table, options: &mut [Vec<Guess>], mut columns: Vec<Option<Column>>) -> Vec<Column> {
    let heading = |index: usize| table.header.get(index).map(|cell| cell.text()).unwrap_or_default();
    loop {
        let taken: Vec<Field> = columns.iter().flatten().map(|column| column.field).collect();
        let open = |guess: &&Guess| guess.field.is_repeated() || !taken.contains(&guess.field);
        let best = options
            .iter()
            .enumerate()
            .filter(|(index, _)| columns.get(*index).is_some_and(Option::is_none))
            .flat_map(|(index, guesses)| guesses.iter().filter(open).map(move |guess| (index, guess)))
            // The first of equals.
            .most_sure();
        let Some((index, guess)) = best else { break };
        let column = Column {
            heading: heading(index),
            field: guess.field,
            confidence: (guess.confidence * 100.0).round() / 100.0,
            reason: guess.reason.clone(),
        };
        if let Some(slot) = columns.get_mut(index) {
            *slot = Some(column);
        }
    }
    name_and_purpose(table, &mut columns);
    let mut columns: Vec<Column> = columns
        .into_iter()
        .enumerate()
        .map(|(index, column)| {
            column.unwrap_or_else(|| Column {
                heading: heading(index),
                field: Field::Annotation,
                confidence: 0.9,
                reason: "no field has this name".to_owned(),
            })
        })
        .collect();
    corporate_beside_processing(&mut columns);
    columns
}

/// Takes the first column for the name and the longest texts for the purpose, where no heading says which they are.
fn name_and_purpose(table: &Table, columns: &mut [Option<Column>]) {
    let has = |columns: &[Option<Column>], field: Field| columns.iter().flatten().any(|column| column.field == field);
    let filled = |index: usize| table.rows.iter().filter(|row| row.cell(index).is_some()).count();
    let heading = |index: usize| table.header.get(index).map(|cell| cell.text()).unwrap_or_default();
    if !has(columns, Field::Name) {
        let free = (0..columns.len()).find(|i| columns.get(*i).is_some_and(Option::is_none) && filled(*i) > 0);
        if let Some(slot) = free.and_then(|index| columns.get_mut(index).map(|slot| (index, slot))) {
            *slot.1 = Some(Column {
                heading: heading(slot.0),
                field: Field::Name,
                confidence: 0.5,
                reason: "the first column that is nothing else".to_owned(),
            });
        }
    }
    if has(columns, Field::Purpose) {
        return;
    }
    // Only a column without a heading: one that has its own words is kept under them.
    let longest = |index: usize| {
        table.rows.iter().take(200).filter_map(|row| row.cell(index)).map(|cell| cell.text().len()).sum::<usize>()
    };
    let free = (0..columns.len())
        .filter(|i| columns.get(*i).is_some_and(Option::is_none) && heading(*i).is_empty() && filled(*i) > 0)
        .max_by_key(|i| longest(*i));
    if let Some(slot) = free.and_then(|index| columns.get_mut(index)) {
        *slot = Some(Column {
            heading: String::new(),
            field: Field::Purpose,
            confidence: 0.5,
            reason: "the longest texts without a heading".to_owned(),
        });
    }
}

/// Beside a column that speaks of processing, a bare "Country" is the company's.
fn corporate_beside_processing(columns: &mut [Column]) {
    let speaks = |column: &Column| {
        let bare = words::is_bare_country(&column.heading);
        column.field == Field::Location && !bare && words::speaks_of_data(&column.heading)
    };
    if !columns.iter().any(speaks) {
        return;
    }
    for column in columns.iter_mut() {
        if column.field == Field::Location && words::is_bare_country(&column.heading) && column.confidence < 1.0 {
            column.field = Field::EntityCountry;
            column.confidence = 0.7;
            "another column says where data is processed".clone_into(&mut column.reason);
        }
    }
}

/// The guess of the highest confidence, the first of equals.
trait Best<'a> {
    fn most_sure(self) -> Option<(usize, &'a Guess)>;
}

impl<'a, I: Iterator<Item = (usize, &'a Guess)>> Best<'a> for I {
    fn most_sure(self) -> Option<(usize, &'a Guess)> {
        self.fold(None, |best, next| match best {
            Some((_, guess)) if guess.confidence >= next.1.confidence => best,
            _ => Some(next),
        })
    }
}
