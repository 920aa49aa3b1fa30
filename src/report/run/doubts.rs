//! Doubts as reports tell them: what is the same of many parts of a run is not told of each.

use super::DoubtNote;
use crate::units::counted;

/// So many parts are told one by one.
const EACH: usize = 2;
/// So many more are told by their numbers.
const NUMBERED: usize = 12;

/// Tells doubts, each with the number of the part that it is about, if it is about one. The same doubt about several parts
/// is told in a row: of the first two in full, and together of the others. `parts` of a run names the doubts of each.
pub(super) fn told(doubts: impl IntoIterator<Item = (Option<u32>, DoubtNote)>) -> Vec<DoubtNote> {
    let mut groups: Vec<Vec<(Option<u32>, DoubtNote)>> = Vec::new();
    for (part, note) in doubts {
        let is_alike = |group: &&mut Vec<(Option<u32>, DoubtNote)>| {
            let (first_part, first) = &group[0];
            part.is_some()
                && first_part.is_some()
                && (&first.kind, &first.concerns, &first.hint)
                    == (&note.kind, &note.concerns, &note.hint)
        };
        match groups.iter_mut().find(is_alike) {
            Some(group) => group.push((part, note)),
            None => groups.push(vec![(part, note)]),
        }
    }
    groups.into_iter().flat_map(in_short).collect()
}

fn in_short(mut group: Vec<(Option<u32>, DoubtNote)>) -> Vec<DoubtNote> {
    // One more takes no more room than to say that there is one more.
    let more = match group.len() {
        all if all > EACH + 1 => group.split_off(EACH),
        _ => Vec::new(),
    };
    let together = more.first().map(|(_, first)| {
        let parts = more.iter().filter_map(|(part, _)| *part);
        let numbers: Vec<String> = parts.map(|part| part.to_string()).collect();
        let end = if numbers.len() > NUMBERED {
            ", …"
        } else {
            ""
        };
        let shown = numbers[..numbers.len().min(NUMBERED)].join(", ");
        DoubtNote {
            text: format!(
                "the same is so of {} ({shown}{end})",
                counted(more.len() as u64, "more part")
            ),
            ..first.clone()
        }
    });
    let first = group.into_iter().map(|(_, note)| note);
    first.chain(together).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(part: Option<u32>, kind: &str) -> (Option<u32>, DoubtNote) {
        let note = DoubtNote {
            kind: kind.to_owned(),
            text: format!("{kind} of {part:?}"),
            hint: None,
            concerns: Vec::new(),
            whole_run: true,
        };
        (part, note)
    }

    fn texts(doubts: Vec<(Option<u32>, DoubtNote)>) -> Vec<String> {
        told(doubts).into_iter().map(|note| note.text).collect()
    }

    #[test]
    fn the_same_of_many_parts_is_told_together() {
        let mut doubts = vec![doubt(None, "busy"), doubt(None, "busy")];
        doubts.extend((1..=50).map(|part| doubt(Some(part), "late")));
        doubts.insert(10, doubt(Some(7), "not_sent"));
        assert_eq!(
            texts(doubts),
            [
                "busy of None",
                "busy of None",
                "late of Some(1)",
                "late of Some(2)",
                "the same is so of 48 more parts (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, …)",
                "not_sent of Some(7)",
            ]
        );
    }

    #[test]
    fn of_few_parts_each_is_told() {
        let doubts: Vec<_> = (1..=3).map(|part| doubt(Some(part), "late")).collect();
        assert_eq!(texts(doubts).len(), 3);
        let mut other = doubt(Some(4), "late");
        other.1.concerns = vec!["a gate".to_owned()];
        let doubts = (1..=3).map(|part| doubt(Some(part), "late"));
        assert_eq!(told(doubts.chain([other])).len(), 4);
    }
}
