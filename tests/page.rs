//! The live page in a real browser, with a real server behind it.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::http::await_snapshot;
use support::{eventually, on_every_server, port, Client, Kind, Postgres, Reply, Server};

/// A table whose name is HTML that would run a script.
const HOSTILE: &str = r#""<img src=x onerror=alert(1)>""#;

/// Headless Chromium with a profile of its own.
struct Browser {
    profile: tempfile::TempDir,
}

impl Browser {
    fn new() -> Self {
        Self { profile: tempfile::tempdir().unwrap() }
    }

    fn run(&self, options: &[&str], url: &str) -> String {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        // The sandbox does not run as root, which tests in containers do.
        let always =
            ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--virtual-time-budget=4000"];
        let output = Command::new("chromium-headless-shell").args(always).arg(profile).args(options).arg(url).output();
        let output = output.unwrap_or_else(|error| panic!("chromium-headless-shell: {error}; see scripts/install.sh"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The page as it stands after some seconds.
    fn page(&self, url: &str) -> Page {
        Page { html: self.run(&["--dump-dom"], url) }
    }

    /// The same in a window of that size.
    fn page_in(&self, size: &str, url: &str) -> Page {
        Page { html: self.run(&["--dump-dom", &format!("--window-size={size}")], url) }
    }

    fn screenshot(&self, url: &str, size: &str, file: &Path) {
        self.run(&[&format!("--screenshot={}", file.display()), &format!("--window-size={size}")], url);
        assert!(file.metadata().unwrap().len() > 10_000, "{} is empty", file.display());
    }
}

/// What a browser has made of the page.
struct Page {
    html: String,
}

impl Page {
    /// The opening tag that holds `mark`.
    fn tag(&self, html: &str, mark: &str) -> String {
        let at = html.find(mark).unwrap_or_else(|| panic!("no {mark} in {html}"));
        let start = html[..=at].rfind('<').unwrap();
        html[start..].split_once('>').unwrap().0.to_owned()
    }

    fn attribute(tag: &str, name: &str) -> String {
        let (_, rest) = tag.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {tag}"));
        rest.split_once('"').unwrap().0.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }

    fn of_root(&self, name: &str) -> String {
        Self::attribute(&self.tag(&self.html, "<html"), name)
    }

    /// The exact value behind what the page shows under an id.
    fn value(&self, id: &str) -> String {
        Self::attribute(&self.tag(&self.html, &format!("id=\"{id}\"")), "data-value")
    }

    /// What is said above all figures.
    fn banner(&self) -> String {
        let (_, rest) = self.html.split_once("id=\"banner\"").unwrap();
        let (_, text) = rest.split_once('>').unwrap();
        text.split("</div>").next().unwrap().to_owned()
    }

    /// The exact value in a row's cell.
    fn cell(&self, row: &str, field: &str) -> String {
        let at = self.html.find(row).unwrap_or_else(|| panic!("no {row} in {}", self.html));
        let row = self.html[at..].split("</tr>").next().unwrap();
        Self::attribute(&self.tag(row, &format!("data-field=\"{field}\"")), "data-value")
    }
}

/// What STATS says, as the page writes numbers.
fn told(client: &mut Client, path: &[&str]) -> String {
    let stats = client.call(&["PGCACHE.STATS"]);
    match path.iter().fold(stats, |reply, name| reply.field(name)) {
        Reply::Integer(number) => number.to_string(),
        Reply::Bulk(text) => String::from_utf8(text).unwrap(),
        other => panic!("{path:?}: {other:?}"),
    }
}

fn with_traffic(kind: &Kind, test: impl FnOnce(&Server, &mut Client, &str)) {
    let database = Postgres::shared().database();
    database.with_users(50);
    database.execute(&format!("CREATE TABLE {HOSTILE} (id int PRIMARY KEY)"));
    let port = port::free();
    let server = Server::setup(kind)
        .on(&database)
        .setting("http_port", &port.to_string())
        .setting("slowlog_log_slower_than", "0")
        .start();
    let mut client = server.client();
    for id in 1..=40 {
        let key = format!(r#"{{"id":{}}}"#, id % 10);
        client.read("users", &key);
    }
    client.read(HOSTILE, r#"{"id":1}"#);
    client.read("nothing", r#"{"id":1}"#);
    client.call(&["PGCACHE.HOOK", "ADD", "<b>hook</b>", "hit", "TABLE", "users", "PUBLISH", "c"]);
    client.read("users", r#"{"id":1}"#);
    test(&server, &mut client, &format!("http://127.0.0.1:{port}/"));
}

fn port_of(url: &str) -> u16 {
    url.trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn the_page_shows_what_the_server_says() {
    on_every_server(|kind| {
        with_traffic(&kind, |_, client, url| {
            await_snapshot(port_of(url));
            let page = Browser::new().page(url);
            assert_eq!((page.of_root("data-ready"), page.of_root("data-state")), ("1".into(), "live".into()));
            for (id, field) in [
                ("hits", "hits"),
                ("misses", "misses"),
                ("statements", "statements"),
                ("keys-loaded", "keys_loaded"),
                ("tables", "tables"),
                ("hit-ratio", "hit_ratio"),
                ("errors", "errors"),
            ] {
                let (shown, told): (f64, f64) =
                    (page.value(id).parse().unwrap(), told(client, &[field]).parse().unwrap());
                assert!((shown - told).abs() < 1e-9, "{id}: {shown} is shown, {told} is told");
            }
            for field in ["hits", "misses", "loads", "writes"] {
                assert_eq!(
                    page.cell("data-table=\"users\"", field),
                    told(client, &["busiest_tables", "users", field]),
                    "{field}"
                );
            }
            assert_eq!(
                page.cell("data-command=\"pgcache.read\"", "calls"),
                told(client, &["commands", "pgcache.read", "calls"])
            );
            assert_eq!(page.value("source-default-state"), "up");
            assert_eq!(page.cell("data-hook=", "runs"), "1");
        });
    });
}

#[test]
fn names_are_text_and_nothing_comes_from_elsewhere() {
    on_every_server(|kind| {
        with_traffic(&kind, |_, _, url| {
            await_snapshot(port_of(url));
            let page = Browser::new().page(url);
            assert_eq!(page.of_root("data-ready"), "1");
            assert!(page.html.contains("&lt;img src=x onerror"), "the table is not shown");
            assert!(page.html.contains("&lt;b&gt;hook"), "the hook is not shown");
            for foreign in ["<img", "<b>hook", "src=\"http", "href=\"http", "@import", "url(http"] {
                assert!(!page.html.contains(foreign), "{foreign}");
            }
        });
    });
}

#[test]
fn the_page_says_when_nobody_answers() {
    // From a file there is nobody to ask.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/page.html");
    let page = Browser::new().page(&format!("file://{}", file.display()));
    assert_eq!(page.of_root("data-state"), "unreachable");
    assert!(!page.banner().is_empty());
}

#[test]
fn the_page_says_when_the_server_hangs() {
    on_every_server(|kind| {
        with_traffic(&kind, |server, _, url| {
            await_snapshot(port_of(url));
            let mut sleeper = server.client();
            sleeper.send(&["DEBUG", "SLEEP", "20"]);
            let browser = Browser::new();
            let page = eventually("the snapshot is old", || {
                let page = browser.page(url);
                (page.of_root("data-state") == "old").then_some(page)
            });
            assert!(page.banner().contains("snapshot") || page.banner().contains("old"), "{}", page.banner());
        });
    });
}

#[test]
fn the_page_can_be_looked_at_in_light_in_dark_and_on_a_phone() {
    on_every_server(|kind| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
        std::fs::create_dir_all(&folder).unwrap();
        with_traffic(&kind, |_, _, url| {
            await_snapshot(port_of(url));
            let browser = Browser::new();
            for (look, size) in [("light", "1400,2400"), ("dark", "1400,2400"), ("phone", "390,3000")] {
                let theme = if look == "dark" { "dark" } else { "light" };
                let file = folder.join(format!("{}-{look}.png", kind.name));
                browser.screenshot(&format!("{url}?theme={theme}"), size, &file);
            }
        });
    });
}

#[test]
fn nothing_is_wider_than_the_window_on_a_desk_and_on_a_phone_in_light_and_in_dark() {
    on_every_server(|kind| {
        with_traffic(&kind, |_, client, url| {
            client.call(&["PGCACHE.DEFINE", "top", "SELECT 1 AS n"]);
            client.call(&["PGCACHE.QUERY", "NAME", "top"]);
            await_snapshot(port_of(url));
            let browser = Browser::new();
            for size in ["1400,2400", "390,3000"] {
                for theme in ["light", "dark"] {
                    let page = browser.page_in(size, &format!("{url}?theme={theme}"));
                    assert_eq!(page.of_root("data-state"), "live");
                    let main = page.tag(&page.html, "id=\"main\"");
                    assert_eq!(Page::attribute(&main, "data-wide"), "", "{size} {theme}");
                }
            }
        });
    });
}

#[test]
fn history_entries_and_queries_are_there_when_the_page_is_opened() {
    on_every_server(|kind| {
        with_traffic(&kind, |_, client, url| {
            client.call(&["PGCACHE.WATCH", "ADD", "users"]);
            client.call(&["PGCACHE.DEFINE", "top", "SELECT 1 AS n"]);
            client.call(&["PGCACHE.QUERY", "NAME", "top"]);
            eventually("the server has a history", || {
                let history = support::http::get(port_of(url), "/history.json").json();
                (history["seconds"].as_array()?.len() > 8).then_some(())
            });
            for _reload in 0..2 {
                let page = Browser::new().page(url);
                let seconds = Page::attribute(&page.tag(&page.html, "id=\"chart-grid\""), "data-seconds");
                assert!(seconds.parse::<u64>().unwrap() > 8, "{seconds}");
                assert_eq!(page.cell("data-query=\"top\"", "misses"), "1");
                assert!(page.value("entries").parse::<u64>().unwrap() > 0);
                assert!(page.html.contains("watched: users"), "the watched table is not named");
            }
        });
    });
}
