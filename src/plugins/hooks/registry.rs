//! The registry of hooks: all of them, and which are run on an event.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::hook::{Definition, Figures, Hook};
use crate::cache::Error;
use crate::settings::{glob, EventType, EventTypes};

/// How many hooks there may be.
pub const MAX_HOOKS: usize = 10_000;
/// For how many events and tables the answer is kept.
const MAX_KNOWN: usize = 10_000;

/// The hooks to be run, in their order.
pub type Ids = Rc<[u64]>;

/// What was found for an event and a table.
#[derive(Debug)]
struct CachedIds {
    /// The table's name then: a table keeps its number when it is renamed.
    name: Box<str>,
    ids: Ids,
}

/// What became of all hooks together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// How often hooks were run.
    pub runs: u64,
    /// How often that failed.
    pub errors: u64,
}

/// All hooks.
#[derive(Debug, Default)]
pub struct HookRegistry {
    hooks: BTreeMap<u64, Hook>,
    by_name: HashMap<String, u64>,
    /// By event and the table's number; 0 where an event is about none.
    known: HashMap<(EventType, u64), CachedIds>,
    next: u64,
    /// Those of hooks that are no more: a counter must not fall because somebody removes one.
    past: Totals,
}

impl HookRegistry {
    /// Adds a hook. `ERR` when there is one of that name, or too many.
    pub fn add(&mut self, definition: Definition) -> Result<(), Error> {
        if self.by_name.contains_key(&definition.name) {
            return Err(Error::malformed("a hook of that name exists: DEL it first"));
        }
        if self.hooks.len() >= MAX_HOOKS {
            return Err(Error::malformed(format!("there are {MAX_HOOKS} hooks, more are not allowed")));
        }
        self.put(Arc::new(definition), Figures::default());
        Ok(())
    }

    fn put(&mut self, definition: Arc<Definition>, figures: Figures) {
        self.next += 1;
        self.known.clear();
        self.by_name.insert(definition.name.clone(), self.next);
        self.hooks.insert(self.next, Hook { id: self.next, definition, figures });
    }

    /// Removes a hook. Returns whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.known.clear();
        let removed = self.by_name.remove(name).and_then(|id| self.hooks.remove(&id));
        removed.map(|hook| self.keep(&hook)).is_some()
    }

    /// Switches a hook on or off. Returns whether there is one.
    pub fn enable(&mut self, name: &str, is_enabled: bool) -> bool {
        self.known.clear();
        let hook = self.by_name.get(name).and_then(|id| self.hooks.get_mut(id));
        hook.map(|hook| Arc::make_mut(&mut hook.definition).is_enabled = is_enabled).is_some()
    }

    /// Puts others in the place of all. Those that stay what they are keep their figures.
    pub fn replace(&mut self, definitions: Vec<Definition>) {
        let mut before = std::mem::take(&mut self.hooks);
        let names = std::mem::take(&mut self.by_name);
        for definition in definitions {
            let known = names.get(&definition.name).and_then(|id| before.remove(id));
            let figures = known.map(|hook| hook.figures).unwrap_or_default();
            self.put(Arc::new(definition), figures);
        }
        before.values().for_each(|hook| self.keep(hook));
        self.known.clear();
    }

    fn keep(&mut self, gone: &Hook) {
        self.past.runs += gone.figures.runs;
        self.past.errors += gone.figures.errors;
    }

    /// What became of all of them, those that are no more included.
    pub fn totals(&self) -> Totals {
        self.hooks.values().fold(self.past, |sum, hook| Totals {
            runs: sum.runs + hook.figures.runs,
            errors: sum.errors + hook.figures.errors,
        })
    }

    /// All hooks, in the order in which they are run, event by event.
    pub fn all(&self) -> Vec<&Hook> {
        let mut all: Vec<&Hook> = self.hooks.values().collect();
        all.sort_by_key(|hook| (hook.definition.event as u8, hook.definition.priority, hook.id));
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.hooks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<&Hook> {
        self.hooks.get(&id)
    }

    /// The figures of one of them.
    pub fn figures(&mut self, id: u64) -> Option<&mut Figures> {
        self.hooks.get_mut(&id).map(|hook| &mut hook.figures)
    }

    /// The events that have to be told for them to be run. What a command is about is only known at its end where somebody
    /// was asked before.
    pub fn subscriptions(&self) -> EventTypes {
        let enabled = self.hooks.values().filter(|hook| hook.definition.is_enabled);
        enabled.fold(EventTypes::empty(), |all, hook| match hook.definition.event {
            EventType::AfterCommand => all | EventType::BeforeCommand | EventType::AfterCommand,
            event => all | event,
        })
    }

    /// Those to be run on an event about a table, given by its number and name, or about none.
    pub fn on(&mut self, event: EventType, table: Option<(u64, &str)>) -> Ids {
        let place = (event, table.map_or(0, |(id, _)| id));
        let name = table.map_or("", |(_, name)| name);
        if let Some(known) = self.known.get(&place).filter(|known| &*known.name == name) {
            return Rc::clone(&known.ids);
        }
        let matches = |hook: &&Hook| {
            let wanted = &hook.definition;
            let fits = wanted.table.as_ref().is_none_or(|pattern| table.is_some_and(|(_, name)| glob(pattern, name)));
            wanted.is_enabled && wanted.event == event && fits
        };
        let mut found: Vec<&Hook> = self.hooks.values().filter(matches).collect();
        found.sort_by_key(|hook| (hook.definition.priority, hook.id));
        let ids: Ids = found.into_iter().map(|hook| hook.id).collect();
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(place, CachedIds { name: name.into(), ids: Rc::clone(&ids) });
        ids
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::action::Action;
    use super::*;

    fn definition(name: &str, table: Option<&str>, priority: i32) -> Definition {
        Definition {
            name: name.into(),
            event: EventType::Hit,
            table: table.map(Into::into),
            priority,
            is_enabled: true,
            action: Action::Publish("c".into()),
        }
    }

    fn names(registry: &mut HookRegistry, table: Option<(u64, &str)>) -> Vec<String> {
        let ids = registry.on(EventType::Hit, table);
        ids.iter().map(|id| registry.get(*id).unwrap().definition.name.clone()).collect()
    }

    #[test]
    fn hooks_are_found_by_event_and_table_in_order_of_priority_and_age() {
        let mut registry = HookRegistry::default();
        registry.add(definition("late", None, 5)).unwrap();
        registry.add(definition("users", Some("user?"), 0)).unwrap();
        registry.add(definition("any", None, 0)).unwrap();
        registry.add(definition("early", Some("*"), -1)).unwrap();
        assert_eq!(names(&mut registry, Some((1, "users"))), ["early", "users", "any", "late"]);
        assert_eq!(names(&mut registry, Some((2, "orders"))), ["early", "any", "late"]);
        assert_eq!(names(&mut registry, None), ["any", "late"], "no table matches no pattern");
        assert!(registry.on(EventType::Miss, Some((1, "users"))).is_empty());
    }

    #[test]
    fn a_dropped_tag_runs_hooks_without_a_table_alone() {
        let mut registry = HookRegistry::default();
        let on_tag = |name: &str, table| Definition { event: EventType::TagInvalidate, ..definition(name, table, 0) };
        registry.add(on_tag("any", None)).unwrap();
        registry.add(on_tag("every table", Some("*"))).unwrap();
        registry.add(definition("hit", None, 0)).unwrap();
        let ids = registry.on(EventType::TagInvalidate, None);
        let names: Vec<&str> = ids.iter().map(|id| &*registry.get(*id).unwrap().definition.name).collect();
        assert_eq!(names, ["any"]);
        assert!(
            registry.subscriptions().contains(EventType::TagInvalidate)
                && !registry.subscriptions().contains(EventType::TableFlush)
        );
    }

    #[test]
    fn what_was_found_is_found_anew_once_something_changes() {
        let mut registry = HookRegistry::default();
        registry.add(definition("a", Some("users"), 0)).unwrap();
        assert_eq!(names(&mut registry, Some((1, "users"))), ["a"]);
        assert!(names(&mut registry, Some((1, "renamed"))).is_empty());
        registry.add(definition("b", None, 0)).unwrap();
        assert_eq!(names(&mut registry, Some((1, "users"))), ["a", "b"]);
        assert!(registry.enable("a", false) && !registry.enable("c", false));
        assert_eq!(names(&mut registry, Some((1, "users"))), ["b"]);
        assert!(registry.remove("b") && !registry.remove("b"));
        assert!(names(&mut registry, Some((1, "users"))).is_empty());
    }

    #[test]
    fn a_name_stands_once() {
        let mut registry = HookRegistry::default();
        registry.add(definition("a", None, 0)).unwrap();
        assert_eq!(registry.add(definition("a", None, 1)).unwrap_err().code(), "ERR");
    }

    #[test]
    fn what_stays_keeps_its_figures() {
        let mut registry = HookRegistry::default();
        registry.add(definition("a", None, 0)).unwrap();
        let id = registry.all()[0].id;
        registry.figures(id).unwrap().ran(7, &Err("no".into()));
        registry.replace(vec![definition("b", None, 0), definition("a", None, 3)]);
        let told: Vec<_> =
            registry.all().iter().map(|hook| (hook.definition.name.clone(), hook.figures.runs)).collect();
        assert_eq!(told, [("b".to_owned(), 0), ("a".to_owned(), 1)]);
        registry.replace(vec![]);
        assert_eq!(registry.totals(), Totals { runs: 1, errors: 1 }, "a counter never falls");
    }

    #[test]
    fn nothing_is_told_for_hooks_that_are_off() {
        let mut registry = HookRegistry::default();
        assert_eq!(registry.subscriptions(), EventTypes::empty());
        registry.add(definition("a", None, 0)).unwrap();
        assert!(registry.subscriptions().contains(EventType::Hit));
        registry.enable("a", false);
        assert_eq!(registry.subscriptions(), EventTypes::empty());
    }
}
