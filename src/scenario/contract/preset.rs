//! The preset of a contract: passes on its settings, and reports what is wrong with them, with the place in the file.

use std::collections::BTreeMap;
use std::time::Duration;

use strum::VariantArray as _;

use super::promise::PromiseKind;
use super::resolve::Written;
use super::table::TCP_END_WITHIN;
use crate::scenario::preset::{self, Expanded, PresetError, SERVER, Setting};
use crate::scenario::reading::{At, Check, hints};

impl Written<'_> {
    /// Expands the preset of this name.
    pub(super) fn preset(&self, check: &mut Check<'_>, name: &At<String>) -> Option<Expanded> {
        let mut settings = self.settings();
        let mut server = self.server();
        let mut wrong = false;
        loop {
            let error = match preset::expand(&name.value, server, &settings) {
                Ok(expanded) => return Some(expanded).filter(|_| !wrong),
                Err(error) => error,
            };
            wrong = true;
            // Leaves out the unknown setting and expands again, to find the next mistake.
            let unknown = self.preset_error(check, name, error)?;
            match unknown == SERVER {
                true => server = None,
                false => drop(settings.remove(&unknown)?),
            }
        }
    }

    /// The latest time of the server's first ping, according to the preset.
    pub(super) fn first_ping(&self) -> Option<Duration> {
        let preset = self.table.preset.as_ref()?;
        let expanded = preset::expand(&preset.value, self.server(), &self.settings()).ok()?;
        expanded.first_ping
    }

    /// The server that the contract names.
    fn server(&self) -> Option<&str> {
        Some(self.table.server.as_ref()?.value.as_str())
    }

    /// The settings that the contract gives to the preset.
    fn settings(&self) -> BTreeMap<String, Setting> {
        let given = self.table.settings.iter();
        given.map(|(name, at)| (name.clone(), at.value)).collect()
    }

    /// Notes what is wrong with a preset; returns the setting that it does not know, if that is what is wrong.
    fn preset_error(
        &self,
        check: &mut Check<'_>,
        name: &At<String>,
        error: PresetError,
    ) -> Option<String> {
        let others = &self.table.settings;
        let server = self.table.server.as_ref();
        let place = |setting: &str| match server {
            Some(server) if setting == SERVER => &server.place,
            _ => others.get(setting).map_or(&name.place, |at| &at.place),
        };
        match error {
            PresetError::UnknownPreset { nearest } => {
                let what = format_args!("is no preset: `{}`", name.value);
                let hint = match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("use {}", hints::one_of(preset::names())),
                };
                check.problem(&self.key("preset"), &name.place, what, hint);
            }
            PresetError::UnknownServer { known } => {
                let given = self.server().unwrap_or_default();
                let what = format_args!("is no server of `{}`: `{given}`", name.value);
                let hint = match hints::nearest(given, known.iter().copied()) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("use {}", hints::one_of(known)),
                };
                check.problem(&self.key(SERVER), place(SERVER), what, hint);
                return Some(SERVER.to_owned());
            }
            PresetError::UnknownSetting {
                name: setting,
                known,
            } => {
                let what = format_args!("is no promise, and no setting of `{}`", name.value);
                let near = known.iter().copied();
                let promises = PromiseKind::VARIANTS.iter().map(|kind| kind.key());
                let near = near.chain(promises).chain(["from", TCP_END_WITHIN]);
                let hint = match hints::nearest(&setting, near) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("use {}", hints::one_of(known)),
                };
                check.problem(&self.key(&setting), place(&setting), what, hint);
                return Some(setting);
            }
            PresetError::Missing {
                name: setting,
                example,
            } => {
                let hint = format!("write `{example}`, as the server has it");
                check.missing(self.place, &self.key(setting), &hint);
            }
            PresetError::Invalid { name: setting, why } => {
                check.problem(&self.key(setting), place(setting), why, None);
            }
        }
        None
    }
}
