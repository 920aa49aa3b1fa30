//! Rows that belong to a cohort, in their stored form: with the name of the cohort, because an index is valid only
//! beside the list of cohorts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A row that may belong to a cohort. Its own stored form leaves the cohort out.
pub trait OfCohort: Clone {
    /// The index of its cohort; `None` if it belongs to none.
    fn cohort(&self) -> Option<usize>;

    /// The same row in this cohort; `None` if rows of this type must have a cohort, and there is none.
    fn in_cohort(self, cohort: Option<usize>) -> Option<Self>;
}

/// Rows with the names of their cohorts. Serializing them copies nothing.
#[derive(Debug, Clone)]
pub struct NamedRows<'a, T: OfCohort> {
    rows: Cow<'a, [T]>,
    /// The names behind the indices of the rows.
    names: Cow<'a, [String]>,
}

/// Stored rows name a cohort that is not known. Fits after "it has".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cohort `{0}`")]
pub struct UnknownCohort(String);

impl<'a, T: OfCohort> NamedRows<'a, T> {
    /// These rows, whose indices belong to these names.
    pub fn of(rows: &'a [T], names: &'a [String]) -> Self {
        Self {
            rows: Cow::Borrowed(rows),
            names: Cow::Borrowed(names),
        }
    }

    /// The rows with the indices of `names`.
    ///
    /// # Errors
    /// If a row belongs to none of these cohorts.
    pub fn into_rows(self, names: &[String]) -> Result<Vec<T>, UnknownCohort> {
        let index_of = |name: &String| {
            let index = names.iter().position(|known| known == name);
            index.ok_or_else(|| UnknownCohort(name.clone()))
        };
        let indices: Vec<usize> = self.names.iter().map(index_of).collect::<Result<_, _>>()?;
        let rows = self.rows.into_owned().into_iter();
        let rows = rows.filter_map(|row| {
            let index = row.cohort().map(|stored| indices[stored]);
            row.in_cohort(index)
        });
        Ok(rows.collect())
    }
}

#[derive(Serialize)]
struct Lent<'a, T> {
    cohort: Option<&'a str>,
    #[serde(flatten)]
    row: &'a T,
}

impl<T: OfCohort + Serialize> Serialize for NamedRows<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| {
            let name = row.cohort().and_then(|index| self.names.get(index));
            Lent {
                cohort: name.map(String::as_str),
                row,
            }
        }))
    }
}

#[derive(Deserialize)]
struct Stored<T> {
    cohort: Option<String>,
    #[serde(flatten)]
    row: T,
}

impl<'de, T: OfCohort + Deserialize<'de>> Deserialize<'de> for NamedRows<'_, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut indices = BTreeMap::new();
        let mut names = Vec::new();
        let stored = Vec::<Stored<T>>::deserialize(deserializer)?;
        let rows = stored.into_iter().map(|Stored { cohort, row }| {
            let index = cohort.map(|name| {
                *indices.entry(name).or_insert_with_key(|name: &String| {
                    names.push(name.clone());
                    names.len() - 1
                })
            });
            let row = row.in_cohort(index);
            row.ok_or_else(|| D::Error::custom("a row names no cohort"))
        });
        let rows: Vec<T> = rows.collect::<Result<_, _>>()?;
        Ok(Self {
            rows: Cow::Owned(rows),
            names: Cow::Owned(names),
        })
    }
}
