//! Many figures in one.

/// The median, with the lowest and the highest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// `None` without figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, low, high })
    }
}

/// Whom to measure next, of so many: in each round everybody once, and each goes first at some time.
pub(crate) fn turns(rounds: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..rounds).flat_map(move |round| (0..count).map(move |turn| (round + turn) % count))
}

/// The figure that `share` (0 to 1) of the sorted `figures` does not exceed; `None` of none.
pub(crate) fn percentile(figures: &[u64], share: f64) -> Option<u64> {
    let rank = (figures.len() as f64 * share).ceil() as usize;
    figures.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_two() {
        let odd = Spread { median: 2.0, low: 1.0, high: 9.0 };
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(odd));
        assert_eq!(Spread::of([4.0, 1.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn everybody_is_once_in_each_round_and_first_at_some_time() {
        assert_eq!(turns(3, 2).collect::<Vec<_>>(), [0, 1, 1, 0, 0, 1]);
        assert_eq!(turns(2, 0).count(), 0);
    }

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let figures: Vec<u64> = (1..=100).collect();
        assert_eq!((percentile(&figures, 0.5), percentile(&figures, 0.99)), (Some(50), Some(99)));
        assert_eq!((percentile(&[7], 0.99), percentile(&[], 0.5)), (Some(7), None));
    }
}
