//! Questions to PostgreSQL under way, each with those who wait for its answer and until when.

use std::collections::HashMap;
use std::hash::Hash;

use crate::cache::{Error, ErrorKind};

/// Questions of one sort. `K` says what is asked, `W` stands for whoever waits.
pub struct Questions<K, W> {
    under_way: HashMap<K, Question<W>>,
}

struct Question<W> {
    waiting: Vec<W>,
    deadline_ms: u64,
}

impl<K, W> Default for Questions<K, W> {
    fn default() -> Self {
        Self { under_way: HashMap::new() }
    }
}

impl<K, W> std::fmt::Debug for Questions<K, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Questions({})", self.under_way.len())
    }
}

impl<K: Eq + Hash + Clone, W> Questions<K, W> {
    /// Waits for the answer to `key`. Gives `waiting` back when nobody has asked yet.
    pub fn join(&mut self, key: &K, waiting: W) -> Result<(), W> {
        match self.under_way.get_mut(key) {
            Some(question) => {
                question.waiting.push(waiting);
                Ok(())
            }
            None => Err(waiting),
        }
    }

    /// `key` was asked for `waiting`, who gives up at `deadline_ms` of a clock that only goes forward.
    pub fn ask(&mut self, key: K, waiting: W, deadline_ms: u64) {
        self.under_way.insert(key, Question { waiting: vec![waiting], deadline_ms });
    }

    /// The question equal to `key`, as it was asked.
    pub fn find(&self, key: &K) -> Option<&K> {
        self.under_way.get_key_value(key).map(|(key, _)| key)
    }

    /// The first of those who wait for `key`.
    pub fn first_mut(&mut self, key: &K) -> Option<&mut W> {
        self.under_way.get_mut(key)?.waiting.first_mut()
    }

    /// `key` was answered: returns who waited; `None`: it was given up before.
    pub fn answered(&mut self, key: &K) -> Option<Vec<W>> {
        Some(self.under_way.remove(key)?.waiting)
    }

    /// Gives up what has a deadline at or before `now_ms`. Returns who waited.
    pub fn expire(&mut self, now_ms: u64) -> Vec<W> {
        let is_late = |question: &Question<W>| question.deadline_ms <= now_ms;
        let late: Vec<K> =
            self.under_way.iter().filter(|(_, question)| is_late(question)).map(|(key, _)| key.clone()).collect();
        late.iter().filter_map(|key| self.answered(key)).flatten().collect()
    }
}

/// `PGTIMEOUT`.
pub fn timed_out() -> Error {
    Error::new(ErrorKind::Timeout, "load_timeout_ms passed before PostgreSQL answered: try again, or raise it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_joins_waits_for_the_same_answer() {
        let mut questions = Questions::default();
        assert_eq!(questions.join(&"t", 1), Err(1));
        questions.ask("t", 1, 10);
        assert_eq!(questions.join(&"t", 2), Ok(()));
        assert_eq!((questions.answered(&"t"), questions.answered(&"t")), (Some(vec![1, 2]), None));
    }

    #[test]
    fn a_question_is_given_up_at_its_deadline_and_no_other_is() {
        let mut questions = Questions::default();
        questions.ask("early", 1, 10);
        questions.ask("late", 2, 11);
        assert_eq!((questions.expire(9), questions.expire(10)), (vec![], vec![1]));
        assert_eq!((questions.find(&"early"), questions.find(&"late")), (None, Some(&"late")));
    }
}
