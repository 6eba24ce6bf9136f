//! Changes in their order: one number for each, which only grows. What was loaded for several tables at once is compared
//! with them by it.

use std::cell::Cell;

/// Counts changes.
#[derive(Debug, Default)]
pub struct ChangeClock {
    last: Cell<u64>,
}

impl ChangeClock {
    /// The number of the last change.
    pub fn now(&self) -> u64 {
        self.last.get()
    }

    /// The number of a change that happens now: no other has it.
    pub fn next(&self) -> u64 {
        let next = self.last.get() + 1;
        self.last.set(next);
        next
    }
}

/// The changes of one table, by the number of the last one.
#[derive(Debug, Default)]
pub struct Changes {
    last: Cell<u64>,
    redefined: Cell<u64>,
}

impl Changes {
    /// Of a table that is known since change `number`: what it was before is not known.
    pub fn since(number: u64) -> Self {
        Self { last: Cell::new(number), redefined: Cell::new(number) }
    }

    /// A row of it, or all of it, has changed.
    pub fn add(&self, number: u64) {
        self.last.set(number);
    }

    /// Its definition has changed, or it is gone.
    pub fn add_definition(&self, number: u64) {
        self.last.set(number);
        self.redefined.set(number);
    }

    /// The last change of any kind.
    pub fn last(&self) -> u64 {
        self.last.get()
    }

    /// The last change of its definition.
    pub fn redefined(&self) -> u64 {
        self.redefined.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_later_than_all_before() {
        let clock = ChangeClock::default();
        let (users, orders) = (Changes::since(clock.next()), Changes::since(clock.next()));
        let began = clock.now();
        assert!(users.last() <= began && orders.last() <= began);
        users.add(clock.next());
        assert!(users.last() > began && users.redefined() <= began && orders.last() <= began);
        orders.add_definition(clock.next());
        assert!(orders.redefined() > users.last());
    }
}
