use super::tree::Tree;
use super::{ReadError, ReadErrorKind};
use crate::{Confidence, Invalid, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// A JSON object from which keys are taken one by one; what is left at the end is unknown.
pub(super) struct Fields<'de> {
    path: Cow<'static, str>,
    entries: Vec<(Cow<'de, str>, Tree<'de>)>,
    known: &'static [&'static str],
}

impl<'de> Fields<'de> {
    pub(super) fn new(
        path: impl Into<Cow<'static, str>>,
        tree: Tree<'de>,
        known: &'static [&'static str],
    ) -> Result<Self, ReadError> {
        let path = path.into();
        match tree {
            Tree::Object(entries) => Ok(Self { path, entries, known }),
            other if path.is_empty() => Err(ReadError::new(
                ReadErrorKind::Value,
                "",
                other,
                "one JSON object",
                "check whether the line is an event",
            )),
            other => Err(ReadError::value(path, other, "an object")),
        }
    }

    /// An object without any key.
    pub(super) fn empty(path: &'static str) -> Self {
        Self { path: path.into(), entries: Vec::new(), known: &[] }
    }

    /// The path of a key.
    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, value)| name == key && !matches!(value, Tree::Null))
    }

    /// Takes a key's value; `null` is the same as absence.
    fn take(&mut self, key: &str) -> Option<Tree<'de>> {
        let at = self.entries.iter().position(|(name, _)| name == key)?;
        match self.entries.swap_remove(at).1 {
            Tree::Null => None,
            value => Some(value),
        }
    }

    /// Takes a value that `read` accepts.
    fn read<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(Tree<'de>) -> Result<T, Tree<'de>>,
    ) -> Result<Option<T>, ReadError> {
        match self.take(key).map(read) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(found)) => Err(ReadError::value(self.at(key), found, expected)),
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<Cow<'de, str>>, ReadError> {
        self.read(key, "a text", text)
    }

    pub(super) fn shared(&mut self, key: &str) -> Result<Option<Arc<str>>, ReadError> {
        Ok(self.text(key)?.map(Arc::from))
    }

    /// A text that a type of the model accepts.
    pub(super) fn parsed<T: FromStr<Err = Invalid>>(
        &mut self,
        key: &str,
    ) -> Result<Option<T>, ReadError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(invalid) => Err(ReadError::invalid_at(self.at(key), invalid)),
        }
    }

    /// As [`Self::parsed`], but the key must be there.
    pub(super) fn required<T: FromStr<Err = Invalid>>(
        &mut self,
        key: &str,
        expected: &str,
    ) -> Result<T, ReadError> {
        match self.parsed(key) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(ReadError::missing(self.at(key), expected)),
            Err(error) => Err(ReadError { cure: "correct the value", ..error }),
        }
    }

    pub(super) fn timestamp(&mut self, key: &str) -> Result<Option<Timestamp>, ReadError> {
        self.parsed(key)
    }

    pub(super) fn boolean(&mut self, key: &str) -> Result<Option<bool>, ReadError> {
        self.read(key, "true or false", boolean)
    }

    pub(super) fn u64(&mut self, key: &str) -> Result<Option<u64>, ReadError> {
        self.read(key, "a whole number from 0 to 18446744073709551615", |tree| match tree {
            Tree::Unsigned(value) => Ok(value),
            Tree::Float(value) if value.fract() == 0.0 && (0.0..9e15).contains(&value) => {
                Ok(value as u64)
            }
            other => Err(other),
        })
    }

    pub(super) fn u32(&mut self, key: &str) -> Result<Option<u32>, ReadError> {
        const EXPECTED: &str = "a whole number from 0 to 4294967295";
        self.read(key, EXPECTED, |tree| match tree {
            Tree::Unsigned(value) => u32::try_from(value).map_err(|_| tree),
            Tree::Float(value)
                if value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value) =>
            {
                Ok(value as u32)
            }
            other => Err(other),
        })
    }

    pub(super) fn number(&mut self, key: &str) -> Result<Option<f64>, ReadError> {
        self.read(key, "a number", number)
    }

    /// A time in milliseconds, to the nearest nanosecond.
    pub(super) fn millis(&mut self, key: &str) -> Result<Option<Duration>, ReadError> {
        self.read(key, MILLIS, millis)
    }

    pub(super) fn confidence(&mut self, key: &str) -> Result<Option<Confidence>, ReadError> {
        self.read(key, "a number from 0 to 1", |tree| match number(tree) {
            Ok(value) => Confidence::new(value).map_err(|_| Tree::Float(value)),
            Err(other) => Err(other),
        })
    }

    pub(super) fn list(&mut self, key: &str) -> Result<Option<Vec<Tree<'de>>>, ReadError> {
        self.read(key, "a list", |tree| match tree {
            Tree::List(items) => Ok(items),
            other => Err(other),
        })
    }

    pub(super) fn texts(&mut self, key: &str) -> Result<Option<Vec<Cow<'de, str>>>, ReadError> {
        let Some(items) = self.list(key)? else { return Ok(None) };
        let mut texts = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            texts.push(text(item).map_err(|found| {
                ReadError::value(format!("{}[{at}]", self.at(key)), found, "a text")
            })?);
        }
        Ok(Some(texts))
    }

    pub(super) fn booleans(
        &mut self,
        key: &str,
    ) -> Result<Option<BTreeMap<Cow<'de, str>, bool>>, ReadError> {
        self.map(key, "true or false", boolean)
    }

    pub(super) fn times(
        &mut self,
        key: &str,
    ) -> Result<Option<BTreeMap<Cow<'de, str>, Duration>>, ReadError> {
        self.map(key, MILLIS, millis)
    }

    pub(super) fn attributes(
        &mut self,
        key: &str,
    ) -> Result<BTreeMap<Arc<str>, Arc<str>>, ReadError> {
        let scalars = self.map(key, "a text, a number or a boolean", |tree| {
            tree.scalar().map(Arc::from).ok_or(tree)
        })?;
        let shared = |(key, value): (Cow<'_, str>, Arc<str>)| (Arc::from(key), value);
        Ok(scalars.unwrap_or_default().into_iter().map(shared).collect())
    }

    fn map<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl Fn(Tree<'de>) -> Result<T, Tree<'de>>,
    ) -> Result<Option<BTreeMap<Cow<'de, str>, T>>, ReadError> {
        let Some(tree) = self.take(key) else { return Ok(None) };
        let inner = Self::new(self.at(key), tree, &[])?;
        let mut map = BTreeMap::new();
        for (name, value) in inner.entries {
            if matches!(value, Tree::Null) {
                continue;
            }
            let field = format!("{}.{name}", inner.path);
            if map.contains_key(&name) {
                return Err(duplicate(field));
            }
            let value = read(value).map_err(|found| ReadError::value(field, found, expected))?;
            map.insert(name, value);
        }
        Ok(Some(map))
    }

    /// An object within this one; `None` when the key is absent.
    pub(super) fn group(
        &mut self,
        key: &'static str,
        known: &'static [&'static str],
    ) -> Result<Option<Self>, ReadError> {
        self.take(key).map(|tree| Self::new(self.at(key), tree, known)).transpose()
    }

    /// Refuses what nobody took.
    pub(super) fn finish(self) -> Result<(), ReadError> {
        let Some((key, _)) = self.entries.first() else { return Ok(()) };
        let field = self.at(key);
        if self.known.contains(&key.as_ref()) {
            return Err(duplicate(field));
        }
        let nearest = self
            .known
            .iter()
            .map(|known| (distance(key, known), known))
            .min()
            .filter(|(distance, known)| *distance <= known.len().max(key.len()) / 2);
        let (expected, cure) = match nearest {
            Some((_, known)) => (
                format!("`{known}`"),
                "rename it, or put it into `attributes`, where any key is kept",
            ),
            None => (
                format!("one of {}", self.known.join(" ")),
                "remove it, or put it into `attributes`, where any key is kept",
            ),
        };
        Err(ReadError::new(ReadErrorKind::UnknownKey, field, "an unknown key", expected, cure))
    }

    /// Moves what nobody took into `attributes`, as `original.<path>`.
    pub(super) fn keep(
        self,
        attributes: &mut BTreeMap<Arc<str>, Arc<str>>,
    ) -> Result<(), ReadError> {
        for (key, value) in self.entries {
            let path =
                if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) };
            if self.known.contains(&key.as_ref()) {
                return Err(duplicate(path));
            }
            keep(path, value, attributes)?;
        }
        Ok(())
    }
}

const MILLIS: &str = "a number of milliseconds, 0 or more";

/// Flattens objects; a list stays one JSON text.
fn keep(
    path: String,
    value: Tree<'_>,
    attributes: &mut BTreeMap<Arc<str>, Arc<str>>,
) -> Result<(), ReadError> {
    match value {
        Tree::Null => Ok(()),
        Tree::Object(entries) => entries
            .into_iter()
            .try_for_each(|(key, value)| keep(format!("{path}.{key}"), value, attributes)),
        value => {
            let text = value.scalar().unwrap_or_else(|| value.to_string());
            match attributes.insert(format!("original.{path}").into(), text.into()) {
                Some(_) => Err(duplicate(path)),
                None => Ok(()),
            }
        }
    }
}

fn duplicate(field: String) -> ReadError {
    ReadError::new(
        ReadErrorKind::DuplicateKey,
        field,
        "the key twice",
        "every key once",
        "remove one of the two",
    )
}

fn text(tree: Tree<'_>) -> Result<Cow<'_, str>, Tree<'_>> {
    match tree {
        Tree::Text(text) => Ok(text),
        other => Err(other),
    }
}

fn boolean(tree: Tree<'_>) -> Result<bool, Tree<'_>> {
    match tree {
        Tree::Bool(value) => Ok(value),
        other => Err(other),
    }
}

fn number(tree: Tree<'_>) -> Result<f64, Tree<'_>> {
    match tree {
        Tree::Float(value) if value.is_finite() => Ok(value),
        Tree::Unsigned(value) => Ok(value as f64),
        Tree::Signed(value) => Ok(value as f64),
        other => Err(other),
    }
}

fn millis(tree: Tree<'_>) -> Result<Duration, Tree<'_>> {
    let value = number(tree)?;
    let nanos = (value * 1e6).round();
    if (0.0..u64::MAX as f64).contains(&nanos) {
        Ok(Duration::from_nanos(nanos as u64))
    } else {
        Err(Tree::Float(value))
    }
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
