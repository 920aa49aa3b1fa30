//! Random numbers that can be repeated.

/// The seed of all random numbers of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// Makes a seed from any number.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the number it was made from.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Returns the random numbers of a connection's steps.
    pub fn draws(self, connection: u32) -> Draws {
        Draws(self.stream(connection, Draws::STEPS))
    }

    /// Returns a seed for one purpose of one connection. It does not depend on the number of workers.
    pub fn stream(self, connection: u32, purpose: u32) -> u64 {
        mix(self.0 ^ mix((u64::from(connection) << 32) | u64::from(purpose)))
    }
}

/// The random numbers of one connection's steps.
#[derive(Debug, Clone, Copy)]
pub struct Draws(u64);

impl Draws {
    /// Above the numbers of the streams that values use.
    const STEPS: u32 = 1 << 17;

    /// The number that a step draws, where `count` numbers were drawn before.
    pub fn at(self, slot: usize, count: u64) -> u64 {
        mix(mix(self.0 ^ slot as u64) ^ count)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_and_repeat() {
        let seed = Seed::new(7);
        assert_eq!(seed.stream(1, 2), Seed::new(7).stream(1, 2));
        assert_ne!(seed.stream(1, 2), seed.stream(2, 1));
        assert_ne!(seed.stream(1, 2), Seed::new(8).stream(1, 2));
    }
}
