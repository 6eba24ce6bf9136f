//! The field: all plots, some of them far more popular than the others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

use super::key::Key;
use super::plot::{Place, Plot};
use super::row::Row;

/// How many plots there are.
pub const PLOTS: u32 = 400;
/// How many of them get half of all reads and writes.
const POPULAR: u32 = 20;

/// Every plot, and the numbers of versions.
pub struct Field {
    plots: Vec<Mutex<Plot>>,
    versions: AtomicU32,
}

impl Field {
    /// With a row or two in each plot.
    pub fn new() -> Self {
        let field = Self {
            plots: (0..PLOTS).map(|number| Mutex::new(Plot::new(number))).collect(),
            versions: AtomicU32::new(1),
        };
        for (number, mut plot) in field.all().into_iter().enumerate() {
            for slot in 0..=number % 2 {
                plot.rows[slot] = Some(field.row(plot.id(slot), plot.free_emails()[0]));
            }
        }
        field
    }

    /// A version that never was.
    pub fn row(&self, id: u32, email: u32) -> Row {
        Row { id, email, version: self.versions.fetch_add(1, Ordering::Relaxed) }
    }

    /// Some plot that nobody is changing, if one was found soon.
    pub fn take(&self, rng: &mut fastrand::Rng) -> Option<Place<'_>> {
        (0..20).find_map(|_| self.plots[number(rng) as usize].try_lock().ok())
    }

    /// All plots, once each is free.
    pub fn all(&self) -> Vec<Place<'_>> {
        self.plots.iter().map(|plot| plot.lock().unwrap()).collect()
    }
}

/// Some plot.
fn number(rng: &mut fastrand::Rng) -> u32 {
    let plots = if rng.bool() { POPULAR } else { PLOTS };
    rng.u32(..plots)
}

/// Some key, of the plots that writers prefer too.
pub fn some_key(rng: &mut fastrand::Rng) -> Key {
    let keys: Vec<Key> = Plot::keys(number(rng)).collect();
    keys[rng.usize(..keys.len())]
}

/// Every key.
pub fn all_keys() -> impl Iterator<Item = Key> {
    (0..PLOTS).flat_map(Plot::keys)
}
