//! Settings from one place: a file, a variable of the environment, a flag.

use std::{fs, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
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
        let sections = Toml::from_str(text).map_err(|error| format!("{origin}: {}", error.to_string().trim_end()))?;
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
        let path = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
        let Some((section, key)) = path.split_once("__") else {
            return Some(Err(format!("{origin}: must be of the form {PREFIX}SECTION__KEY")));
        };
        // The default says what the text is to be read as, so that a path or a password of digits stays text.
        let value = match defaults.sections.get(section).and_then(|s| s.find_ref(key)) {
            Some(Value::Bool(..)) => text.parse::<bool>().map(Value::from).ok(),
            Some(Value::Num(_, number)) if number.to_f64().is_some() => text.parse::<f64>().map(Value::from).ok(),
            Some(Value::Num(..)) => text.parse::<i64>().map(Value::from).ok(),
            Some(Value::Array(_, defaults)) => Some(list(text, defaults)),
            _ => None,
        };
        Some(Ok(Self::one(origin, section, key, value.unwrap_or_else(|| Value::from(text)))))
    }

    /// Tries each setting alone on the defaults, so that one bad value does not hide the next.
    pub(super) fn check(&self, base: &Figment, problems: &mut Vec<String>) {
        for (section, value) in &self.sections {
            let Some(keys) = value.as_dict() else {
                let alone = Self { origin: String::new(), sections: Dict::from([(section.clone(), value.clone())]) };
                if let Err(error) = base.clone().merge(&alone).extract::<Settings>() {
                    problems.push(format!("{section}: {} ({})", error.kind, self.origin));
                }
                continue;
            };
            for (key, value) in keys {
                let alone = Self::one(String::new(), section, key, value.clone());
                if let Err(error) = base.clone().merge(&alone).extract::<Settings>() {
                    problems.push(format!("{section}.{key}: {} ({})", error.kind, self.origin));
                }
            }
        }
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
