//! Addresses that are written together: ranges and networks.

use std::net::IpAddr;

/// The addresses of a range such as "10.0.0.1-10.0.0.9", or of an address, at most `most`; `None` if the text is neither.
pub(super) fn range(text: &str, most: usize) -> Option<Vec<IpAddr>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    between(first.trim().parse().ok()?, last.trim().parse().ok()?, most)
}

/// The addresses of a network such as "203.0.113.0/24", at most `most`; `None` if the text is none.
pub(super) fn network(text: &str, most: usize) -> Option<Vec<IpAddr>> {
    let (first, last) = ends(text)?;
    between(first, last, most)
}

/// Whether a text is a network that has this address.
pub(super) fn is_network_of(text: &str, address: IpAddr) -> bool {
    ends(text).is_some_and(|(first, last)| {
        first.is_ipv4() == address.is_ipv4() && first <= address && address <= last
    })
}

/// The first and the last address of a network.
fn ends(text: &str) -> Option<(IpAddr, IpAddr)> {
    let (address, bits) = text.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(address) if bits <= 32 => {
            let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
            let [first, last] = [address.to_bits() & !rest, address.to_bits() | rest];
            Some((IpAddr::V4(first.into()), IpAddr::V4(last.into())))
        }
        IpAddr::V6(address) if bits <= 128 => {
            let rest = u128::MAX.checked_shr(bits).unwrap_or(0);
            let [first, last] = [address.to_bits() & !rest, address.to_bits() | rest];
            Some((IpAddr::V6(first.into()), IpAddr::V6(last.into())))
        }
        _ => None,
    }
}

/// From the first address to the last; `None` if that comes before the first, or is of the other family.
fn between(first: IpAddr, last: IpAddr, most: usize) -> Option<Vec<IpAddr>> {
    Some(match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            let all = (first.to_bits()..=last.to_bits()).take(most);
            all.map(|bits| IpAddr::V4(bits.into())).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            let all = (first.to_bits()..=last.to_bits()).take(most);
            all.map(|bits| IpAddr::V6(bits.into())).collect()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_goes_over_the_ends_of_parts() {
        let addresses = range("127.0.0.254-127.0.1.1", 9).unwrap();
        let texts: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
        let expected = ["127.0.0.254", "127.0.0.255", "127.0.1.0", "127.0.1.1"];
        assert_eq!(texts, expected);
        assert_eq!(range("::1 - ::3", 9).unwrap().len(), 3);
        assert_eq!(range("::-ffff::", 9).unwrap().len(), 9);
    }

    #[test]
    fn networks_and_ranges_are_counted_out() {
        const MOST: usize = 300;
        let count = |text: &str| {
            let all = network(text, MOST).or_else(|| range(text, MOST));
            all.map(|all| all.len())
        };
        assert_eq!(count("203.0.113.0/24"), Some(256));
        assert_eq!(count("10.0.0.1-10.0.0.9"), Some(9));
        assert_eq!(count("10.0.0.1"), Some(1));
        assert_eq!(count("10.0.0.7/32"), Some(1));
        assert_eq!(count("2001:db8::/120"), Some(256));
        assert_eq!(count("::/0"), Some(MOST));
        for none in [
            "10.0.0.0/33",
            "10.0.0.9-10.0.0.1",
            "x",
            "10.0.0.1/",
            "::1-10.0.0.1",
        ] {
            assert_eq!(count(none), None, "{none}");
        }
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_as_it_does() {
        let has = |text: &str, address: &str| is_network_of(text, address.parse().unwrap());
        assert!(has("10.0.0.0/8", "10.255.0.1") && has("fd00::/8", "fd12::1"));
        assert!(has("0.0.0.0/0", "192.0.2.1"));
        for (text, address) in [
            ("10.0.0.0/8", "11.0.0.0"),
            ("0.0.0.0/0", "::1"),
            ("10.0.0.0", "10.0.0.0"),
        ] {
            assert!(!has(text, address), "{text} {address}");
        }
    }
}
