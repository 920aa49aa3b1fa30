//! A secret that is made for one run of the program.

use std::fmt::Write as _;

/// 128 random bits, in hexadecimal.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Makes a new one; `None` where the system has no randomness to give.
    pub fn new() -> Option<Self> {
        let mut bits = [0; 16];
        let random = rustls::crypto::ring::default_provider().secure_random;
        random.fill(&mut bits).ok()?;
        let mut text = String::with_capacity(32);
        bits.iter().for_each(|byte| {
            let _ = write!(text, "{byte:02x}");
        });
        Some(Self(text))
    }

    /// Its text, for who may know it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is the same, in a time that does not depend on where they differ.
    pub(super) fn is(&self, text: &str) -> bool {
        let (mine, theirs) = (self.0.as_bytes(), text.as_bytes());
        let pairs = mine.iter().zip(theirs);
        let different = pairs.fold(0, |all, (mine, theirs)| all | (mine ^ theirs));
        mine.len() == theirs.len() && different == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_only_itself() {
        let [one, other] = [Token::new().unwrap(), Token::new().unwrap()];
        assert_eq!(one.as_str().len(), 32);
        assert!(one.is(one.as_str()) && !one.is(other.as_str()));
        assert!(!one.is("") && !one.is(&one.as_str()[1..]));
    }
}
