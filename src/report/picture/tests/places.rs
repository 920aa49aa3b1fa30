//! Reads paths back: every place that one goes to.

/// The places of a path in pixels. Fails where it is none.
pub(crate) fn places(d: &str) -> Result<Vec<(f64, f64)>, String> {
    let mut all = Vec::new();
    let (mut at, mut start) = ((0.0, 0.0), (0.0, 0.0));
    let mut rest = d;
    while let Some(command) = rest.chars().next() {
        rest = &rest[1..];
        let end = rest
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let mut numbers = numbers(&rest[..end])?.into_iter();
        rest = &rest[end..];
        let mut command = command;
        loop {
            let mut next = || {
                numbers
                    .next()
                    .ok_or_else(|| format!("too few numbers in {d:.60}"))
            };
            at = match command {
                'M' => (next()?, next()?),
                'm' | 'l' => (at.0 + next()?, at.1 + next()?),
                'h' => (at.0 + next()?, at.1),
                'v' => (at.0, at.1 + next()?),
                'z' => start,
                _ => return Err(format!("{command} in {d:.60}")),
            };
            if matches!(command, 'M' | 'm') {
                start = at;
                // What follows a relative move are relative lines; after an absolute one nothing follows here.
                command = if command == 'm' { 'l' } else { '?' };
            }
            all.push(at);
            if numbers.len() == 0 {
                break;
            }
        }
    }
    Ok(all)
}

fn numbers(text: &str) -> Result<Vec<f64>, String> {
    let spaced = text.replace('-', " -");
    let parsed = spaced
        .split_whitespace()
        .map(|number| number.parse::<f64>());
    parsed
        .map(|number| number.map_err(|_| format!("a strange number in {text:.60}")))
        .collect()
}

#[test]
fn places_are_read() {
    assert_eq!(
        places("M1 2h3v6l-.5-1 1 1m0 1 2 2z").unwrap().last(),
        Some(&(4.5, 9.0))
    );
    assert!(places("M1").is_err() && places("M1 2C3 4").is_err() && places("M1 x").is_err());
}
