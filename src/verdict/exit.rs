//! The exit codes of wsbench: a documented, stable type.
//! If several apply, the greatest is reported, so `max` combines them.

use std::process::ExitCode;

/// How a call of wsbench ended. Ordered by precedence: of two, report the greater (`max`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// 0: every gate and contract held.
    Passed,
    /// 3: a gate or a contract failed (one without data counts as failed), and no doubt concerns it.
    Failed,
    /// 4: a doubt concerns the run, or it concerns some gates and promises while none of the others failed.
    Untrusted,
    /// 1: something unexpected happened after the start: a system error, or a bug.
    Unexpected,
    /// 2: found before the first connection: usage, scenario, a path that cannot be written, too few descriptors or
    /// ports.
    Invalid,
    /// 130: interrupted by a signal; the reports are written.
    Interrupted,
}

impl Exit {
    /// All exit codes, from the lowest precedence to the highest.
    pub const ALL: &'static [Self] = &[
        Self::Passed,
        Self::Failed,
        Self::Untrusted,
        Self::Unexpected,
        Self::Invalid,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Unexpected => 1,
            Self::Invalid => 2,
            Self::Failed => 3,
            Self::Untrusted => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_precedence_is_130_then_1_4_3_0() {
        let all = [
            Exit::Passed,
            Exit::Failed,
            Exit::Untrusted,
            Exit::Unexpected,
            Exit::Interrupted,
        ];
        let strongest_first: Vec<u8> = {
            let mut sorted = all;
            sorted.sort_by(|a, b| b.cmp(a));
            sorted.iter().map(|exit| exit.code()).collect()
        };
        assert_eq!(strongest_first, [130, 1, 4, 3, 0]);
        assert_eq!(Exit::Failed.max(Exit::Untrusted).code(), 4);
    }

    #[test]
    fn the_codes_are_those_of_the_manual() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 1, 2, 3, 4, 130]);
    }
}
