//! The grammar: distinct statements, the same for one seed.

use std::collections::HashSet;

use super::clause::{CLAUSES, COMPARISONS};
use super::effect::{EFFECTS, VOLATILITIES};
use super::random::Random;
use super::spelling;

/// Which way the effects are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By the name of a function, of an aggregate or of a view.
    Name,
    /// By what a type is made of.
    Type,
}

/// `count` statements: each effect in each clause, then others by chance.
pub fn statements(by: By, seed: u64, count: usize) -> Vec<String> {
    let mut random = Random::new(seed);
    let mut seen = HashSet::new();
    let clauses: Vec<&str> = match by {
        By::Name => CLAUSES.to_vec(),
        By::Type => [&CLAUSES[..], &COMPARISONS, &COMPARISONS].concat(),
    };
    let mut found = Vec::with_capacity(count);
    for turn in 0.. {
        if found.len() == count {
            break;
        }
        let clause = clauses[turn % clauses.len()];
        let effect = EFFECTS[(turn / clauses.len() + turn) % EFFECTS.len()];
        let (letter, _) = random.pick(&VOLATILITIES);
        let sql = filled(&mut random, by, clause, &format!("{}_{letter}", effect.name));
        if seen.insert(sql.clone()) {
            found.push(sql);
        }
    }
    found
}

fn filled(random: &mut Random, by: By, clause: &str, id: &str) -> String {
    let mut sql = clause.replace("{I}", id).replace("{C}", &spelling::call(random, id));
    while sql.contains("{E}") {
        let expression = match by {
            By::Name => spelling::expression(random, id),
            By::Type => spelling::typed(random, id),
        };
        sql = sql.replacen("{E}", &expression, 1);
    }
    sql
}
