//! A sketch of the most frequent of many keys, in bounded memory: the space-saving algorithm of Metwally, Agrawal and El Abbadi.

use foldhash::HashMap;

/// How many keys are followed at a time.
const FOLLOWED: usize = 500;

/// A key that is followed, with what it is about.
#[derive(Debug, Clone)]
pub struct Followed<T> {
    /// The key.
    pub key: Box<[u8]>,
    /// What it is about.
    pub about: T,
    count: u64,
    /// How much of `count` may be others', whose place it has taken.
    doubt: u64,
}

impl<T> Followed<T> {
    /// How often it was seen at least.
    pub fn count(&self) -> u64 {
        self.count - self.doubt
    }
}

/// The sketch.
#[derive(Debug)]
pub struct Sketch<T> {
    places: HashMap<Box<[u8]>, usize>,
    followed: Vec<Followed<T>>,
}

impl<T> Default for Sketch<T> {
    fn default() -> Self {
        Self { places: HashMap::default(), followed: Vec::new() }
    }
}

impl<T> Sketch<T> {
    /// A key was seen `weight` times; `about` says what it is about where it is not followed yet.
    pub fn add(&mut self, key: &[u8], weight: u64, about: impl FnOnce() -> T) {
        let known = self.places.get(key).and_then(|place| self.followed.get_mut(*place));
        if let Some(known) = known {
            known.count += weight;
            return;
        }
        let (place, doubt) = self.free_place();
        let new = Followed { key: key.into(), about: about(), count: doubt + weight, doubt };
        self.places.insert(key.into(), place);
        if let Some(old) = self.followed.get_mut(place) {
            self.places.remove(&old.key);
            *old = new;
        } else {
            self.followed.push(new);
        }
    }

    /// The place of a new key, and how often the rarest one was seen that it takes it from.
    fn free_place(&self) -> (usize, u64) {
        if self.followed.len() < FOLLOWED {
            return (self.followed.len(), 0);
        }
        let rarest = self.followed.iter().enumerate().min_by_key(|(_, one)| one.count);
        rarest.map_or((0, 0), |(place, one)| (place, one.count))
    }

    /// Those that are followed, the most frequent first.
    pub fn top(&self) -> Vec<&Followed<T>> {
        let mut top: Vec<_> = self.followed.iter().collect();
        top.sort_by(|a, b| b.count().cmp(&a.count()).then_with(|| a.key.cmp(&b.key)));
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_keys_stay_among_any_number_of_rare_ones() {
        let mut sketch = Sketch::default();
        for round in 0..20_000_u64 {
            sketch.add(format!("rare{round}").as_bytes(), 1, || ());
            if round % 20 == 0 {
                sketch.add(b"hot", 10, || ());
            }
            if round % 50 == 0 {
                sketch.add(b"warm", 10, || ());
            }
        }
        let top = sketch.top();
        let told: Vec<_> = top.iter().take(2).map(|one| (&*one.key, one.count())).collect();
        assert_eq!(told, [(&b"hot"[..], 10_000), (b"warm", 4000)]);
        assert!(sketch.followed.len() == FOLLOWED && sketch.places.len() == FOLLOWED);
        assert!(top.iter().skip(2).all(|one| one.count() == 1), "rare keys are told as what they are");
    }

    #[test]
    fn few_keys_are_counted_one_by_one() {
        let mut sketch = Sketch::default();
        [&b"a"[..], b"b", b"a", b"c", b"a", b"b"].iter().for_each(|key| sketch.add(key, 1, || ()));
        let told: Vec<_> = sketch.top().iter().map(|one| (&*one.key, one.count())).collect();
        assert_eq!(told, [(&b"a"[..], 3), (b"b", 2), (b"c", 1)]);
    }
}
