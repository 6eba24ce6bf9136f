//! Hooks: what somebody wants to be done when something happens.

use std::sync::Arc;

use super::action::Action;
use crate::cache::Value;
use crate::settings::EventType;

/// A hook as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// On what it is run.
    pub event: EventType,
    /// Only for tables whose names, as they stand in cache keys, match this pattern.
    pub table: Option<String>,
    /// Those with smaller numbers are run first.
    pub priority: i32,
    /// Whether it is run at all.
    pub is_enabled: bool,
    /// What it does.
    pub action: Action,
}

impl Definition {
    /// Whether only an error of it can refuse a command: functions that are asked before.
    pub fn may_veto(&self) -> bool {
        self.event == EventType::BeforeCommand && matches!(self.action, Action::Function(_))
    }
}

/// How a hook has fared since it was added, or since the server started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often it was run.
    pub runs: u64,
    /// How often that failed, or was refused because too much was waiting.
    pub errors: u64,
    /// The latest failure.
    pub last_error: Option<String>,
    /// How long it ran in all, in microseconds.
    pub total_us: u64,
}

impl Figures {
    /// It was run for so long.
    pub fn ran(&mut self, duration_us: u64, result: &Result<(), String>) {
        self.runs += 1;
        self.total_us += duration_us;
        if let Err(error) = result {
            self.failed(error);
        }
    }

    /// It failed, or could not be run.
    pub fn failed(&mut self, error: &str) {
        self.errors += 1;
        self.last_error = Some(error.to_owned());
    }
}

/// A hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Counts up for as long as the module is loaded.
    pub id: u64,
    /// What was asked for. Shared with whoever shows it, on whatever thread.
    pub definition: Arc<Definition>,
    /// What became of it.
    pub figures: Figures,
}

/// Hooks, as LIST shows them.
pub fn list(hooks: &[Hook]) -> Value {
    Value::List(hooks.iter().map(Hook::described).collect())
}

impl Hook {
    fn described(&self) -> Value {
        let Self { definition, figures, .. } = self;
        Value::map([
            ("name", Value::from(definition.name.as_str())),
            ("event", Value::from(definition.event.hook_name())),
            ("table", Value::from(definition.table.as_deref())),
            ("priority", Value::Integer(definition.priority.into())),
            ("enabled", Value::Bool(definition.is_enabled)),
            ("action", Value::from(definition.action.word())),
            ("target", Value::from(definition.action.target())),
            ("maxlen", definition.action.max_len().map_or(Value::Nil, Value::from)),
            ("runs", Value::from(figures.runs)),
            ("errors", Value::from(figures.errors)),
            ("last_error", Value::from(figures.last_error.as_deref())),
            ("total_us", Value::from(figures.total_us)),
        ])
    }
}
