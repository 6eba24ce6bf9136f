//! The record of all hooks, as it is saved and replicated: a JSON list.

use serde_json::{json, Value};

use super::action::Action;
use super::hook::{Definition, Hook};
use crate::settings::EventType;

/// The record of `hooks`, in the order in which they were added.
pub fn write(hooks: &[&Hook]) -> String {
    let mut hooks = hooks.to_vec();
    hooks.sort_by_key(|hook| hook.id);
    Value::Array(hooks.into_iter().map(|hook| described(&hook.definition)).collect()).to_string()
}

/// What a record says. An entry that a later version may have written, and this one cannot read, is left out; `None`:
/// it is no record.
pub fn read(record: &[u8]) -> Option<Vec<Definition>> {
    let entries: Vec<Value> = serde_json::from_slice(record).ok()?;
    Some(entries.iter().filter_map(definition).collect())
}

fn described(definition: &Definition) -> Value {
    json!({
        "name": definition.name,
        "event": definition.event.hook_name(),
        "table": definition.table,
        "priority": definition.priority,
        "enabled": definition.is_enabled,
        "action": definition.action.word(),
        "target": definition.action.target(),
        "maxlen": definition.action.max_len(),
    })
}

fn definition(entry: &Value) -> Option<Definition> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    Some(Definition {
        name: text("name")?.to_owned(),
        event: EventType::of_hook(text("event")?)?,
        table: text("table").map(str::to_owned),
        priority: entry.get("priority")?.as_i64()?.try_into().ok()?,
        is_enabled: entry.get("enabled")?.as_bool()?,
        action: action(text("action")?, text("target")?.to_owned(), entry.get("maxlen")?.as_u64())?,
    })
}

fn action(word: &str, target: String, max_len: Option<u64>) -> Option<Action> {
    Some(match word {
        "FUNCTION" => Action::Function(target),
        "PUBLISH" => Action::Publish(target),
        "STREAM" => Action::Stream { key: target, max_len },
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::plugins::hooks::hook::Figures;
    use proptest::prelude::*;

    fn actions() -> impl Strategy<Value = Action> {
        let stream = (any::<String>(), any::<Option<u64>>());
        prop_oneof![
            any::<String>().prop_map(Action::Function),
            any::<String>().prop_map(Action::Publish),
            stream.prop_map(|(key, max_len)| Action::Stream { key, max_len }),
        ]
    }

    proptest! {
        #[test]
        fn a_record_brings_back_what_was_written(
            name: String, event in 0..13usize, table: Option<String>, priority: i32, is_enabled: bool,
            action in actions(),
        ) {
            let event = EventType::for_hooks().nth(event).unwrap();
            let definition = Definition { name, event, table, priority, is_enabled, action };
            let hook = Hook { id: 1, definition: definition.clone().into(), figures: Figures::default() };
            prop_assert_eq!(read(write(&[&hook]).as_bytes()).unwrap(), [definition]);
        }

        #[test]
        fn no_record_is_too_strange_to_read(record: Vec<u8>) {
            let _ = read(&record);
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let later = r#"[{"name":"a","event":"new_event"},5,{"name":"b","event":"hit","table":null,"priority":0,
            "enabled":true,"action":"PUBLISH","target":"c","maxlen":null}]"#;
        let names: Vec<String> = read(later.as_bytes()).unwrap().into_iter().map(|hook| hook.name).collect();
        assert_eq!(names, ["b"]);
        assert_eq!(read(b"{}"), None);
    }
}
