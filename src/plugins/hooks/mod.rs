//! Hooks: what is added at run time to be done when something happens: functions, messages, stream entries.
//!
//! Functions that are asked before a command are called at once. Everything else waits until the command has been
//! answered, and runs while the engine is free.

pub mod action;
pub mod hook;
mod input;
pub mod queue;
pub mod record;
pub mod registry;

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

use prometheus::proto::MetricFamily;

use action::Action;
use hook::Hook;
use queue::{HookQueue, QueuedHook};
use registry::{HookRegistry, Totals};

use super::call::CommandEnd;
use super::command_start::CommandStart;
use super::event::Event;
use super::metrics::family::Family;
use super::page::{Page, Report, JSON};
use super::plugin::{EventContext, Plugin};
use crate::cache::timings::micros;
use crate::cache::{Error, ErrorKind};
use crate::server::context::replicas_are_paused;
use crate::server::publish::publish;
use crate::server::{call, wakeup, Context, Text};
use crate::settings::{EventType, EventTypes, PluginName, Settings};

/// The hooks, shared by the plugin and the command that changes them.
#[derive(Debug, Default, Clone)]
pub struct Hooks(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    registry: RefCell<HookRegistry>,
    queue: RefCell<HookQueue>,
    /// Whether a hook is being run: what it causes runs no others.
    is_running: Cell<bool>,
}

/// Marks that hooks are being run, until it is dropped.
struct Running<'a>(&'a Cell<bool>);

impl<'a> Running<'a> {
    fn begin(flag: &'a Cell<bool>) -> Self {
        flag.set(true);
        Self(flag)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Hooks {
    /// The hooks as they stand.
    pub fn registry(&self) -> Ref<'_, HookRegistry> {
        self.0.registry.borrow()
    }

    /// The same, to be changed.
    pub fn registry_mut(&self) -> RefMut<'_, HookRegistry> {
        self.0.registry.borrow_mut()
    }

    /// All of them, in the order in which they are run, event by event.
    pub fn all(&self) -> Vec<Hook> {
        self.0.registry.borrow().all().into_iter().cloned().collect()
    }

    /// How many wait to be run.
    pub fn due(&self) -> usize {
        self.0.queue.borrow().len()
    }

    /// Runs what is due, for about as long as `slice`. Returns whether nothing is left that could be run now. The
    /// engine must be free.
    pub fn run_due(&self, ctx: Context<'_>, slice: Duration) -> bool {
        let started = Instant::now();
        loop {
            // While replicas are paused the server aborts on a write.
            if self.0.is_running.get() || replicas_are_paused() {
                return true;
            }
            let Some(due) = self.0.queue.borrow_mut().pop() else { return true };
            self.run_one(ctx, &due);
            if started.elapsed() > slice {
                return self.0.queue.borrow().is_empty();
            }
        }
    }

    fn run_one(&self, ctx: Context<'_>, due: &QueuedHook) {
        let hook = self.0.registry.borrow().get(due.hook).map(|hook| hook.definition.action.clone());
        // It may have been removed since.
        let Some(action) = hook else { return };
        let started = Instant::now();
        let result = {
            let _running = Running::begin(&self.0.is_running);
            perform(ctx, &action, due)
        };
        self.keep_figures(due.hook, started, &result);
    }

    fn keep_figures(&self, hook: u64, started: Instant, result: &Result<(), String>) {
        if let Some(figures) = self.0.registry.borrow_mut().figures(hook) {
            figures.ran(micros(started.elapsed()), result);
        }
    }

    /// Has the hooks on `event` run a little later; `make` makes the keys and the event for all of them.
    fn queue(&self, event: EventType, table: Option<(u64, &str)>, make: impl FnOnce() -> (queue::Keys, Rc<str>)) {
        if self.0.is_running.get() {
            return;
        }
        let mut registry = self.0.registry.borrow_mut();
        let ids = registry.on(event, table);
        // Functions that are asked before a command have been called when it runs.
        let is_later = |id: &&u64| registry.get(**id).is_some_and(|hook| !hook.definition.may_veto());
        let later: Vec<u64> = ids.iter().filter(is_later).copied().collect();
        if later.is_empty() {
            return;
        }
        let (keys, json) = make();
        let mut queue = self.0.queue.borrow_mut();
        for hook in later {
            let due = QueuedHook { hook, keys: Rc::clone(&keys), json: Rc::clone(&json) };
            if let (Err(refusal), Some(figures)) = (queue.push(due), registry.figures(hook)) {
                figures.failed(refusal);
            }
        }
        wakeup::wake();
    }

    fn veto(&self, ctx: Context<'_>, hook: u64, asked: &CommandStart<'_>, due: &QueuedHook) -> Result<(), Error> {
        let Some((name, action)) = self.0.registry.borrow().get(hook).and_then(|hook| {
            let definition = &hook.definition;
            definition.may_veto().then(|| (definition.name.clone(), definition.action.clone()))
        }) else {
            return Ok(());
        };
        let started = Instant::now();
        let result = if asked.in_script {
            Err("ERR a function cannot be asked from inside a script".into())
        } else if replicas_are_paused() {
            Err("PGBUSY the server is failing over or paused: try again".into())
        } else {
            let _running = Running::begin(&self.0.is_running);
            perform(ctx, &action, due)
        };
        self.keep_figures(hook, started, &result);
        result.map_err(|error| refusal(&name, &error))
    }
}

/// What the client is told when a function refuses its command: the function's own error, whose first word is the code.
fn refusal(hook: &str, error: &str) -> Error {
    let (code, text) = error.split_once(' ').unwrap_or(("ERR", error));
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let (code, text) = if is_code { (code, text) } else { ("ERR", error) };
    Error::new(ErrorKind::Vetoed(code.to_owned()), format!("{text} (hook {hook})"))
}

fn perform(ctx: Context<'_>, action: &Action, due: &QueuedHook) -> Result<(), String> {
    match action {
        Action::Function(name) => call::function(ctx, name, &due.keys, &due.json),
        Action::Publish(channel) => {
            let _listeners = publish(ctx, &Text::new(channel.as_bytes()), due.json.as_bytes());
            Ok(())
        }
        Action::Stream { key, max_len } => call::add_to_stream(ctx, key, *max_len, &due.json),
    }
}

impl Plugin for Hooks {
    fn name(&self) -> PluginName {
        PluginName::Hooks
    }

    fn subscribes_to(&self, _: &Settings) -> EventTypes {
        self.0.registry.borrow().subscriptions()
    }

    fn pages(&self, _: &Report) -> Vec<Page> {
        let all = self.all();
        vec![Page::new("/hooks.json", JSON, move |_| hook::list(&all).to_json())]
    }

    fn metrics(&self) -> Vec<MetricFamily> {
        let registry = self.0.registry.borrow();
        let Totals { runs, errors } = registry.totals();
        let single = |family: Family, value: u64| family.with(&[], value as f64).done();
        vec![
            single(Family::gauge("pgcache_hooks", "Hooks."), registry.len() as u64),
            single(Family::counter("pgcache_hook_runs_total", "Times that hooks were run."), runs),
            single(Family::counter("pgcache_hook_errors_total", "Times that running a hook failed."), errors),
        ]
    }

    fn before_command(&self, context: EventContext<'_>, asked: &CommandStart<'_>) -> Result<(), Error> {
        if self.0.is_running.get() {
            return Ok(());
        }
        let table = asked.subject.map(|subject| (subject.table, &*subject.table_name));
        let ids = self.0.registry.borrow_mut().on(EventType::BeforeCommand, table);
        if ids.is_empty() {
            return Ok(());
        }
        let (keys, json) = input::before(asked);
        for hook in ids.iter().copied() {
            let due = QueuedHook { hook, keys: Rc::clone(&keys), json: Rc::clone(&json) };
            self.veto(context.ctx, hook, asked, &due)?;
        }
        self.queue(EventType::BeforeCommand, table, || (keys, json));
        Ok(())
    }

    fn after_command(&self, context: EventContext<'_>, call: &CommandEnd<'_>) {
        let table = call.subject.map(|subject| (subject.table, &*subject.table_name));
        self.queue(EventType::AfterCommand, table, || input::after(context.ctx, call));
    }

    fn on_event(&self, _: EventContext<'_>, event: &Event<'_>) {
        self.queue(event.kind, event.table, || input::of(event));
    }

    fn on_startup(&self, _: EventContext<'_>) {
        self.queue(EventType::Startup, None, || input::plain(EventType::Startup));
    }

    fn on_shutdown(&self, _: EventContext<'_>) {
        self.queue(EventType::Shutdown, None, || input::plain(EventType::Shutdown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_code_that_the_function_gave() {
        assert_eq!(refusal("quota", "QUOTA too many reads").to_string(), "QUOTA too many reads (hook quota)");
        assert_eq!(refusal("q", "not now").to_string(), "ERR not now (hook q)");
        assert_eq!(refusal("q", "no").to_string(), "ERR no (hook q)");
    }
}
