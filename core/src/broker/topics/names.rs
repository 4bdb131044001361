//! Names that cannot be told apart: Kafka's metrics write `.` and `_` alike (`Topic.hasCollision`).

use alloc::collections::BTreeSet;
use alloc::string::String;

/// The name of a topic that differs from `name` in nothing but `.` and `_`, or is the same and has one of
/// them. `next_from` gives the first name at or above one.
///
/// Goes along the name, with all its variants that some topic's name begins with. As a rule that is one.
pub(super) fn colliding<'a>(
    name: &str,
    next_from: impl Fn(&str) -> Option<&'a str>,
) -> Option<&'a str> {
    if !name.bytes().any(is_alike) {
        return None;
    }
    let mut fronts = BTreeSet::from([String::new()]);
    for part in name.split_inclusive(is_alike_char) {
        let (plain, alike) = match part.strip_suffix(is_alike_char) {
            Some(plain) => (plain, true),
            None => (part, false),
        };
        let mut longer = BTreeSet::new();
        for front in fronts {
            let endings: &[&str] = if alike { &[".", "_"] } else { &[""] };
            longer.extend(endings.iter().map(|ending| alloc::format!("{front}{plain}{ending}")));
        }
        longer.retain(|front| next_from(front).is_some_and(|found| found.starts_with(front)));
        fronts = longer;
    }
    fronts.iter().find_map(|front| next_from(front).filter(|found| found == front))
}

fn is_alike(byte: u8) -> bool {
    matches!(byte, b'.' | b'_')
}

fn is_alike_char(letter: char) -> bool {
    matches!(letter, '.' | '_')
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use core::ops::Bound;

    use super::colliding;

    fn find<'a>(topics: &'a BTreeSet<&'a str>, name: &str) -> Option<&'a str> {
        let next_from =
            |from: &str| topics.range::<str, _>((Bound::Included(from), Bound::Unbounded)).next();
        colliding(name, |from| next_from(from).copied())
    }

    #[test]
    fn names_collide_when_only_dots_and_underscores_differ() {
        let topics = BTreeSet::from(["a", "ab", "a.b", "a.b.c", "k.k", "x-y"]);
        for (name, expected) in [
            ("a_b", Some("a.b")),
            ("a.b", Some("a.b")),
            ("a_b.c", Some("a.b.c")),
            ("a.b_c", Some("a.b.c")),
            ("a_b_c", Some("a.b.c")),
            ("k_k", Some("k.k")),
            ("a_", None),
            ("_a", None),
            ("a_b_", None),
            ("a_b_c_d", None),
            ("a", None),
            ("x-y", None),
            ("x_y", None),
        ] {
            assert_eq!(find(&topics, name), expected, "{name}");
        }
    }

    #[test]
    fn a_long_name_of_such_letters_is_looked_up_in_no_time() {
        let dots = ".".repeat(249);
        let topics = BTreeSet::from([dots.as_str(), "a"]);
        assert_eq!(find(&topics, &"_".repeat(249)), Some(dots.as_str()));
        assert_eq!(find(&topics, &"_".repeat(248)), None);
    }
}
