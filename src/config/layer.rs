//! Settings from one place: a file, a variable of the environment, a flag.

use std::{fs, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{PREFIX, Settings};

/// Settings from one place, with the name of the place.
pub(super) struct Layer {
    origin: String,
    sections: Dict,
}

impl Layer {
    pub(super) fn parse(origin: &str, text: &str) -> Result<Self, String> {
        // Not the line itself: a password may stand in it.
        let sections = Toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let place = before.map(|before| {
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                format!("line {line}, column {column}: ")
            });
            let rule = error.message().trim().replace('\n', ", ");
            format!("{origin}: {}{rule}", place.unwrap_or_default())
        })?;
        Ok(Self { origin: origin.to_owned(), sections })
    }

    pub(super) fn file(path: &Path) -> Result<Self, String> {
        let origin = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("{origin}: {error}"))?;
        Self::parse(&origin, &text)
    }

    pub(super) fn one(origin: String, section: &str, key: &str, value: Value) -> Self {
        let section = Dict::from([(section.to_owned(), Value::from(Dict::from([(key.to_owned(), value)])))]);
        Self { origin, sections: section }
    }

    /// The layer that an environment variable makes; none if it is not ours.
    pub(super) fn variable(name: &str, text: &str, defaults: &Self) -> Option<Result<Self, String>> {
        let origin = format!("environment variable {name}");
        let path = name.strip_prefix(PREFIX).map(str::to_ascii_lowercase);
        let parts = path.as_deref().and_then(|path| path.split_once("__"));
        if parts.is_none_or(|(section, key)| defaults.get(section, key).is_none())
            && let Some(meant) = defaults.meant(name, text)
        {
            return Some(Err(format!("{origin}: is not read; that setting is {meant}")));
        }
        let Some((section, key)) = parts else {
            // Two underscores are nobody else's.
            let is_ours = path.is_some() || name.contains("__");
            return is_ours.then(|| Err(format!("{origin}: must be of the form {PREFIX}SECTION__KEY")));
        };
        // The default says what the text is to be read as, so that a path or a password of digits stays text.
        let value = match defaults.get(section, key) {
            Some(Value::Bool(..)) => text.parse::<bool>().map(Value::from).ok(),
            Some(Value::Num(_, number)) if number.to_f64().is_some() => text.parse::<f64>().map(Value::from).ok(),
            Some(Value::Num(..)) => text.parse::<i64>().map(Value::from).ok(),
            Some(Value::Array(_, defaults)) => Some(list(text, defaults)),
            _ => None,
        };
        Some(Ok(Self::one(origin, section, key, value.unwrap_or_else(|| Value::from(text)))))
    }

    /// Whether a setting is a secret, by the defaults: what a file of its own can hold.
    fn is_secret(&self, section: &str, key: &str) -> bool {
        self.get(section, &format!("{key}_file")).is_some()
    }

    fn get(&self, section: &str, key: &str) -> Option<&Value> {
        self.sections.get(section)?.find_ref(key)
    }

    /// The variable of the setting that was meant by a name with one underscore for two, or two for one.
    fn meant(&self, name: &str, text: &str) -> Option<String> {
        // What Kubernetes says of the port of a service: it can have such a name by chance.
        if text.starts_with("tcp://") {
            return None;
        }
        let words = |name: &str| name.split('_').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let mut variables = self.sections.iter().flat_map(|(section, keys)| {
            let keys = keys.as_dict().into_iter().flat_map(Dict::keys);
            keys.map(move |key| format!("{PREFIX}{section}__{key}").to_ascii_uppercase())
        });
        let meant = words(name);
        variables.find(|variable| words(variable) == meant)
    }

    /// Tries each setting alone on the defaults, so that one bad value does not hide the next. Returns those that can be
    /// read; of the others it says the key and what is wrong.
    pub(super) fn check(self, base: &Figment, defaults: &Self, unread: &mut Vec<(String, String)>) -> Self {
        let Self { origin, sections } = self;
        let mut readable = Dict::new();
        let mut passes =
            |place: String, alone: &Self, is_secret: bool| match base.clone().merge(alone).extract::<Settings>() {
                Ok(_) => true,
                Err(error) => {
                    unread.push((place, format!("{} ({origin})", said(&error.kind, is_secret))));
                    false
                }
            };
        for (section, value) in sections {
            let Some(keys) = value.as_dict().filter(|keys| !keys.is_empty()) else {
                let alone = Self { origin: String::new(), sections: Dict::from([(section.clone(), value)]) };
                // It may be what a key of the section should have.
                passes(section, &alone, true);
                continue;
            };
            let passed = keys.iter().filter(|(key, value)| {
                let alone = Self::one(String::new(), &section, key, (*value).clone());
                passes(format!("{section}.{key}"), &alone, defaults.is_secret(&section, key))
            });
            let passed: Dict = passed.map(|(key, value)| (key.clone(), value.clone())).collect();
            if !passed.is_empty() {
                readable.insert(section, Value::from(passed));
            }
        }
        Self { origin, sections: readable }
    }
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.sections.clone()))
    }
}

/// Why a value cannot be read; of a secret not which it is.
pub(super) fn said(kind: &Kind, is_secret: bool) -> String {
    match kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) if is_secret => {
            format!("invalid type: expected {expected}")
        }
        kind => kind.to_string(),
    }
}

/// A text such as `5, 300` as a list of what the default is a list of; the empty text is the empty list.
fn list(text: &str, defaults: &[Value]) -> Value {
    let numbers = matches!(defaults.first(), Some(Value::Num(..)));
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let values = parts.map(|part| match part.parse::<i64>() {
        Ok(number) if numbers => Value::from(number),
        _ => Value::from(part),
    });
    Value::from(values.collect::<Vec<_>>())
}
