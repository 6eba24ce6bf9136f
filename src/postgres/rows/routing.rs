//! Row routing: which lookup keys of a statement a row belongs to.

use super::load::{integer, KeyValues};

/// The keys of a statement, by what the first column of its result says.
#[derive(Debug)]
pub enum RowRouting {
    /// Their place among them, counted from 1. Holds how many there are.
    ByOrdinal(usize),
    /// The key itself: each with its place, in their order. A key may have been asked for more than once.
    ByKey(Vec<(i64, usize)>),
}

impl RowRouting {
    /// Of a statement that counts its keys, `count` of them.
    pub fn by_ordinal(count: usize) -> Self {
        Self::ByOrdinal(count)
    }

    /// Of a statement for keys of one integer.
    pub fn by_key(keys: &[&KeyValues]) -> Self {
        let value = |key: &&KeyValues| key.first().and_then(|text| integer(text));
        let mut by_key: Vec<(i64, usize)> =
            keys.iter().enumerate().filter_map(|(place, key)| Some((value(key)?, place))).collect();
        by_key.sort_unstable();
        Self::ByKey(by_key)
    }

    /// The keys, in their order.
    pub fn keys(&self) -> Vec<i64> {
        match self {
            Self::ByOrdinal(_) => Vec::new(),
            Self::ByKey(by_key) => by_key.iter().map(|(key, _)| *key).collect(),
        }
    }

    /// The places of those who asked for the row whose first column is `first`.
    pub fn of(&self, first: i64) -> impl Iterator<Item = usize> + '_ {
        let (ordinal, same) = match self {
            Self::ByOrdinal(count) => (
                first.checked_sub(1).and_then(|place| usize::try_from(place).ok()).filter(|place| place < count),
                &[][..],
            ),
            Self::ByKey(by_key) => {
                let from = by_key.partition_point(|(key, _)| *key < first);
                let len = by_key[from..].partition_point(|(key, _)| *key == first);
                (None, &by_key[from..from + len])
            }
        };
        ordinal.into_iter().chain(same.iter().map(|(_, place)| *place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(routing: &RowRouting, first: i64) -> Vec<usize> {
        routing.of(first).collect()
    }

    #[test]
    fn an_ordinal_names_one_place() {
        let routing = RowRouting::by_ordinal(2);
        assert_eq!([1, 2].map(|first| places(&routing, first)), [[0], [1]]);
        assert!([i64::MIN, -1, 0, 3, i64::MAX].iter().all(|first| places(&routing, *first).is_empty()));
    }

    #[test]
    fn a_key_names_everyone_who_asked_for_it() {
        let keys: Vec<KeyValues> =
            ["7", "-3", "7", "9223372036854775807", "none"].map(|text| KeyValues::from([text.into()])).into();
        let routing = RowRouting::by_key(&keys.iter().collect::<Vec<_>>());
        assert_eq!(routing.keys(), [-3, 7, 7, i64::MAX]);
        assert_eq!([-3, 7, i64::MAX, 8].map(|first| places(&routing, first)), [vec![1], vec![0, 2], vec![3], vec![]]);
    }
}
