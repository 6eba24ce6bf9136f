//! The record: the figures of every server, in a file beside what was built.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{json, Map, Value};

use crate::figure::Figure;
use crate::GROUPS;

/// What was measured last, server by server.
pub struct Record {
    servers: Vec<(String, Vec<Figure>)>,
}

impl Record {
    /// What the file holds; nothing when there is none.
    pub fn read() -> Self {
        let text = fs::read_to_string(path()).unwrap_or_else(|_| "{}".into());
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path().display()));
        let figures = |value: &Value| {
            let figures = value["figures"].as_array();
            figures.into_iter().flatten().filter_map(Figure::from_json).collect()
        };
        let servers = value.as_object().cloned().unwrap_or_default();
        let mut servers: Vec<_> = servers.iter().map(|(name, value)| (name.clone(), figures(value))).collect();
        // Redis 7.0 first: that is what stands alone in the chart.
        servers.sort_by_key(|(name, _)| (name != "redis-7.0", name.clone()));
        Self { servers }
    }

    /// Replaces what is known of a group on a server.
    pub fn put(&mut self, server: &str, group: &str, figures: Vec<Figure>) {
        let place = self.servers.iter().position(|(name, _)| name == server).unwrap_or_else(|| {
            self.servers.push((server.to_owned(), vec![]));
            self.servers.len() - 1
        });
        let all = &mut self.servers[place].1;
        all.retain(|figure| figure.group != group);
        all.extend(figures);
        let order = |figure: &Figure| GROUPS.iter().position(|(group, _)| *group == figure.group);
        all.sort_by_key(order);
    }

    /// Writes the file.
    pub fn write(&self) {
        let mut all = Map::new();
        for (name, figures) in &self.servers {
            let figures: Vec<Value> = figures.iter().map(Figure::to_json).collect();
            all.insert(name.clone(), json!({ "figures": figures }));
        }
        fs::create_dir_all(path().parent().unwrap()).unwrap();
        fs::write(path(), format!("{:#}\n", Value::Object(all))).unwrap();
    }

    /// Each server with its figures, Redis 7.0 first.
    pub fn servers(&self) -> &[(String, Vec<Figure>)] {
        &self.servers
    }
}

/// `bench/speed.json` in the folder of what cargo builds.
fn path() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench").join("speed.json")
}
