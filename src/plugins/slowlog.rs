//! The slow log: commands that took long, and where their time went.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::call::CommandEnd;
use super::page::{Page, Report, JSON};
use super::plugin::{EventContext, Plugin};
use crate::cache::{Timings, Value};
use crate::clock::unix_ms;
use crate::settings::{EventType, EventTypes, PluginName, Settings};

/// How many commands the page shows at most: it is made every second.
const SHOWN: usize = 128;
/// How many arguments of each: the table and the key. What comes after them may be row data.
const SHOWN_ARGUMENTS: usize = 2;

/// A slow command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowCommand {
    /// Counts up for as long as the module is loaded.
    pub id: u64,
    /// When it was answered, in milliseconds since 1970.
    pub at_ms: u64,
    /// From its arrival to its answer, in microseconds.
    pub duration_us: u64,
    /// Where that went.
    pub timings: Timings,
    /// Its name in lower case.
    pub command: &'static str,
    /// Its first arguments, each cut.
    pub arguments: Vec<Box<[u8]>>,
    /// The client's id.
    pub client: u64,
    /// The code of the error that it was answered with.
    pub error: Option<String>,
}

impl SlowCommand {
    /// What is told of it, with at most so many of its arguments.
    pub fn described(&self, arguments: usize) -> Value {
        let arguments = self.arguments.iter().take(arguments);
        Value::map([
            ("id", Value::from(self.id)),
            ("time_ms", Value::from(self.at_ms)),
            ("duration_us", Value::from(self.duration_us)),
            ("queue_us", Value::from(self.timings.queue_us)),
            ("postgres_us", Value::from(self.timings.postgres_us)),
            ("catalog_us", Value::from(self.timings.catalog_us)),
            ("main_us", Value::from(self.timings.main_us)),
            ("command", Value::from(self.command)),
            ("arguments", Value::List(arguments.map(|argument| Value::Bytes(argument.to_vec())).collect())),
            ("client", Value::from(self.client)),
            ("error", Value::from(self.error.as_deref())),
        ])
    }
}

/// What is kept, the latest first.
#[derive(Debug, Default)]
struct Kept {
    next: u64,
    commands: VecDeque<Arc<SlowCommand>>,
}

impl Kept {
    fn add(&mut self, call: &CommandEnd<'_>, max_len: usize, at_ms: u64) {
        let command = SlowCommand {
            id: self.next,
            at_ms,
            duration_us: call.duration_us,
            timings: Timings { main_us: call.main_us(), ..call.timings.unwrap_or_default() },
            command: call.command,
            arguments: call.arguments.keep(),
            client: call.client,
            error: call.error.map(str::to_owned),
        };
        self.next += 1;
        self.commands.push_front(Arc::new(command));
        self.commands.truncate(max_len);
    }
}

/// The log, shared by the plugin and the command that shows it.
#[derive(Debug, Default, Clone)]
pub struct SlowLog(Rc<RefCell<Kept>>);

impl SlowLog {
    /// The latest ones, the latest first.
    pub fn latest(&self, count: usize) -> Vec<Arc<SlowCommand>> {
        self.0.borrow().commands.iter().take(count).cloned().collect()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.0.borrow().commands.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets them all.
    pub fn reset(&self) {
        self.0.borrow_mut().commands.clear();
    }
}

impl Plugin for SlowLog {
    fn name(&self) -> PluginName {
        PluginName::SlowLog
    }

    fn subscribes_to(&self, settings: &Settings) -> EventTypes {
        settings.slowlog_log_slower_than_us.map(|_| EventType::AfterCommand).into_iter().collect()
    }

    fn after_command(&self, context: EventContext<'_>, call: &CommandEnd<'_>) {
        let settings = context.settings;
        if settings.slowlog_log_slower_than_us.is_some_and(|least_us| call.duration_us >= least_us) {
            self.0.borrow_mut().add(call, settings.slowlog_max_len, unix_ms());
        }
    }

    fn pages(&self, _: &Report) -> Vec<Page> {
        let latest = self.latest(SHOWN);
        vec![Page::new("/slowlog.json", JSON, move |_| {
            Value::List(latest.iter().map(|slow| slow.described(SHOWN_ARGUMENTS)).collect()).to_json()
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::Args;
    use super::*;

    #[test]
    fn the_latest_are_kept_and_numbered_on() {
        let mut kept = Kept::default();
        for duration_us in 0..5 {
            let timings = Some(Timings { queue_us: 1, postgres_us: 1, main_us: 1, catalog_us: 0 });
            let arguments = Args::Kept(&[]);
            let call = CommandEnd {
                command: "pgcache.read",
                is_write: false,
                client: 9,
                subject: None,
                at_s: 0,
                duration_us,
                timings,
                error: None,
                arguments,
            };
            kept.add(&call, 2, 7);
        }
        let ids: Vec<u64> = kept.commands.iter().map(|command| command.id).collect();
        assert_eq!(ids, [4, 3]);
        assert_eq!(kept.commands.front().map(|command| (command.timings.main_us, command.at_ms)), Some((1, 7)));
    }

    #[test]
    fn row_data_is_on_no_page() {
        let words: Vec<Box<[u8]>> = [&b"users"[..], b"{\"id\":\xff}", b"secret"].map(Box::from).into();
        let call = CommandEnd {
            command: "pgcache.write",
            is_write: true,
            subject: None,
            client: 1,
            at_s: 0,
            duration_us: 1,
            timings: None,
            error: None,
            arguments: Args::Kept(&words),
        };
        let log = SlowLog::default();
        (0..SHOWN + 10).for_each(|_| log.0.borrow_mut().add(&call, usize::MAX, 0));
        let pages = log.pages(&Report { overview: Arc::default(), metrics: Arc::new([]) });
        let text = pages.first().map(|page| page.text(std::time::Duration::ZERO)).unwrap_or_default();
        assert!(text.contains(r#""arguments":["users","{\"id\":�}"]"#) && !text.contains("secret"), "{text}");
        assert_eq!(text.matches("duration_us").count(), SHOWN);
    }
}
