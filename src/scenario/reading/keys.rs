//! Declares the tables and the words of a scenario. What a key is called, its type, its description and its default
//! stand in one place; reading, the JSON Schema, resolving and merging are made from it.

use schemars::Schema;
use serde::Serialize;
use serde_json::Value;

/// Declares a table: `Name = "Name in the JSON Schema" { key: Type = default, … }`. Every key may be left out. The keys
/// become fields that know their place; a key with a default also gets a method of its name, which yields its value.
macro_rules! keys {
    (
        $(#[$about:meta])*
        $name:ident = $title:tt {
            $($(#[$doc:meta])* $key:ident: $type:ty $(= $default:expr)?),* $(,)?
        }
    ) => {
        #[derive(Debug, Clone, Default, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(rename = $title, transform = $name::add_defaults)]
        $(#[$about])*
        pub(in crate::scenario) struct $name {
            $($(#[$doc])* pub(in crate::scenario) $key: $crate::scenario::reading::Key<$type>,)*
        }

        impl $name {
            $($(
                /// The value, or the default if the key was left out.
                pub(in crate::scenario) fn $key(&self) -> $type {
                    self.$key.as_ref().map_or($default, |at| at.value.clone())
                }
            )?)*

            /// Adds the defaults to the schema of the table.
            #[allow(unused_variables)]
            fn add_defaults(schema: &mut schemars::Schema) {
                $($(
                    let default: $type = $default;
                    $crate::scenario::reading::add_default(schema, stringify!($key), default);
                )?)*
            }
        }

        impl $crate::scenario::reading::Merge for $name {
            fn over(self, base: Self) -> Self {
                Self { $($key: self.$key.or(base.$key)),* }
            }
        }
    };
}
pub(in crate::scenario) use keys;

/// The names and places of some keys of a table, as [`super::Section::excluded`] takes them.
macro_rules! given {
    ($table:expr; $($key:ident),+) => {
        [$((
            stringify!($key).trim_start_matches("r#"),
            $table.$key.as_ref().map(|at| &at.place),
        )),+]
    };
}
pub(in crate::scenario) use given;

/// Declares words that a scenario may have as a value. They are written in snake case, unless a variant says otherwise.
macro_rules! words {
    ($(#[$about:meta])* pub enum $name:ident { $($variants:tt)* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[derive(schemars::JsonSchema, strum::IntoStaticStr, strum::VariantArray, strum::Display)]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        $(#[$about])*
        pub enum $name { $($variants)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

            /// The stable name, as in scenarios and reports.
            pub fn name(self) -> &'static str {
                self.into()
            }
        }
    };
}
pub(in crate::scenario) use words;

/// A table whose keys can be merged with those of another one.
pub(in crate::scenario) trait Merge {
    /// The keys of this table, and those of `base` where this one has none.
    #[must_use]
    fn over(self, base: Self) -> Self;
}

/// Adds a default to the schema of a key, and to the end of its description.
pub(in crate::scenario) fn add_default(schema: &mut Schema, key: &str, default: impl Serialize) {
    let default = serde_json::json!(default);
    let keys = schema.get_mut("properties").and_then(Value::as_object_mut);
    let Some(Value::Object(key)) = keys.and_then(|keys| keys.get_mut(key)) else {
        return;
    };
    if let Some(Value::String(text)) = key.get_mut("description") {
        text.push_str(&format!(" Default {default}."));
    }
    key.insert("default".into(), default);
}
