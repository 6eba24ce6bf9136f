//! Hooks: what somebody wants to be done when something happens.

use super::action::Action;
use super::event::HookEvent;

/// A hook as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// On what it is run.
    pub event: HookEvent,
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
        self.event == HookEvent::BeforeCommand && matches!(self.action, Action::Function(_))
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
    /// What was asked for.
    pub definition: Definition,
    /// What became of it.
    pub figures: Figures,
}
