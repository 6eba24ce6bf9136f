//! What a hook is run with: the cache keys, and the event as JSON.

use std::rc::Rc;

use super::queue::Keys;
use crate::clock::unix_ms;
use crate::plugins::call::CommandEnd;
use crate::plugins::command_start::CommandStart;
use crate::plugins::event_json::EventJson;
use crate::plugins::subject::{Subject, SubjectKey};
use crate::plugins::{event_json, Event};
use crate::server::{client, Context};
use crate::settings::EventType;

/// Keys and event.
pub(super) type HookInput = (Keys, Rc<str>);

/// That of an occurrence. A function gets the cache key of a query like that of a row.
pub(super) fn of(what: &Event<'_>) -> HookInput {
    let key = Some(what.cache_key).filter(|key| !key.is_empty());
    (key.into_iter().map(Into::into).collect(), event_json::json(what, unix_ms()).into())
}

/// That of an event about nothing.
pub(super) fn plain(kind: EventType) -> HookInput {
    (Keys::from([]), EventJson::new(kind.name()).number("ts", unix_ms()).finish().into())
}

/// That of a command that is about to run.
pub(super) fn before(asked: &CommandStart<'_>) -> HookInput {
    let event = about(EventType::BeforeCommand, asked.command, asked.subject);
    let event = by_client(event, asked.client, asked.user.name()).flag("is_write", asked.is_write);
    (keys(asked.subject), event.finish().into())
}

/// That of a command that was answered.
pub(super) fn after(ctx: Context<'_>, call: &CommandEnd<'_>) -> HookInput {
    let event = about(EventType::AfterCommand, call.command, call.subject);
    let user = client::user(ctx, call.client);
    let event = by_client(event, call.client, user).flag("is_write", call.is_write);
    let event = event.number("duration_us", call.duration_us);
    let event = match call.error {
        Some(error) => event.text("error", error),
        None => event,
    };
    (keys(call.subject), event.finish().into())
}

fn keys(subject: Option<&Subject>) -> Keys {
    let keys = subject.into_iter().flat_map(|subject| &subject.keys);
    keys.map(|key| key.cache_key.clone()).collect()
}

fn about(kind: EventType, command: &str, subject: Option<&Subject>) -> EventJson {
    let event = EventJson::new(kind.name());
    let event = match subject {
        Some(subject) => event.text("source", &subject.source).text("table", &subject.table_name),
        None => event,
    };
    let event = match subject.map(|subject| &*subject.keys) {
        None | Some([]) => event,
        Some([key]) => event.key(key.lookup_key()),
        Some(keys) => event.keys(keys.iter().map(SubjectKey::lookup_key)),
    };
    event.number("ts", unix_ms()).text("command", command)
}

fn by_client(event: EventJson, id: u64, user: Option<String>) -> EventJson {
    let event = event.number("client", id);
    let event = match client::address(id) {
        Some(address) => event.text("address", &address),
        None => event,
    };
    match user {
        Some(user) => event.text("user", &user),
        None => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::EventType;

    #[test]
    fn a_query_has_its_cache_key_and_a_tag_has_none() {
        let what = Event { query: Some("top"), ..Event::new(EventType::Hit) };
        let (keys, json) = of(&what.key(b"pg_cache:@query:top:[1]", 20));
        assert_eq!(keys.iter().map(|key| &**key).collect::<Vec<_>>(), [b"pg_cache:@query:top:[1]"]);
        assert!(json.contains(r#""query":"top""#) && !json.contains(r#""key""#), "{json}");
        let (keys, json) = of(&Event { tag: Some("t"), ..Event::new(EventType::TagInvalidate) });
        assert!(keys.is_empty() && json.contains(r#""tag":"t""#), "{json}");
    }
}
