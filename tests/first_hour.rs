//! The first hour: scripts say in one line what is missing, and what `make run` prints can be pasted into a shell.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::process::{kill, spawn};
use support::{on_every_server, server};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

/// What a command that has to fail prints to its user.
fn refusal(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(!status.success(), "{command:?} should have failed: {said}");
    said
}

#[test]
fn an_unknown_server_gets_the_names_that_there_are() {
    for (name, arguments, variable) in
        [("servers.sh", &["nonsense"][..], ""), ("run.sh", &["nonsense"], ""), ("test.sh", &[], "redis-8 nonsense")]
    {
        let said = refusal(Command::new("bash").arg(script(name)).args(arguments).env("PGCACHE_SERVERS", variable));
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("unknown server nonsense; there are redis-"), "{said}");
        assert!(said.contains("valkey-8, "), "{said}");
    }
}

/// A machine on which nothing is installed but what every Debian has, and whose archive cannot be reached.
fn bare_machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for program in ["bash", "env", "id", "mktemp", "rm", "sed"] {
        symlink(which(program), folder.path().join(program)).unwrap();
    }
    let apt = "#!/bin/sh\nfor line in 1 2 3 4; do echo 'W: Failed to fetch a list' >&2; done\n\
               echo 'E: Unable to locate package' >&2\nexit 100\n";
    for (name, text) in [("apt-get", apt), ("sudo", "#!/bin/sh\n[ \"$1\" != -n ] || shift\nexec \"$@\"\n")] {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.exists()).unwrap()
}

#[test]
fn without_a_network_one_line_says_what_is_missing_and_how_to_get_it() {
    let machine = bare_machine();
    for (purpose, packages) in [("build", "gcc libc6-dev"), ("run", "redis-server redis-tools"), ("test", "jq")] {
        let mut install = Command::new("bash");
        install.arg(script("install.sh")).arg(purpose).env("PATH", machine.path()).env("LIBCLANG_PATH", "/");
        let said = refusal(&mut install);
        let refusals: Vec<&str> = said.lines().filter(|line| !line.starts_with("install: gcc ")).collect();
        assert_eq!(refusals.len(), 1, "{said}");
        let (what, how) = refusals[0].split_once("with a network: apt-get install ").unwrap();
        assert!(what.contains(packages) && how.contains(packages), "{said}");
        assert!(what.contains("(Failed to fetch a list)"), "{said}");
        // What only tests need is not asked of those who build or run.
        assert_eq!(how.contains("jq"), purpose == "test", "{said}");
        assert_eq!(how.contains("redis-server"), purpose != "build", "{said}");
    }
}

/// What `make run` with so many primaries (0: no cluster) prints until it waits for Ctrl-C, while `test` runs.
fn while_it_runs(server: &str, primaries: usize, test: impl FnOnce(&[String])) {
    let mut command = Command::new("bash");
    command.arg(script("run.sh")).arg(server).env("PGCACHE_MODULE", server::module());
    command.env("CLUSTER", primaries.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut run = spawn(command, "TERM");
    // Open until it has ended, since it still says so.
    let mut lines = BufReader::new(run.stdout()).lines().map(Result::unwrap);
    let printed: Vec<String> = lines.by_ref().take_while(|line| !is_last(line)).collect();
    test(&printed);
    // Ctrl-C, which whoever is in the background does not hear.
    kill(run.id(), libc::SIGTERM);
    assert!(run.wait().unwrap().success());
}

/// Whether `make run` prints nothing more after this line.
fn is_last(line: &str) -> bool {
    line.starts_with("http://") || line.starts_with("A cluster client ")
}

/// What a shell prints for a line that somebody pastes.
fn pasted(line: &str) -> String {
    let output = Command::new("bash").args(["-c", line]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Pastes all commands that were printed, and compares how they fare. How many there are.
fn paste_all(printed: &[String]) -> usize {
    let is_command = |line: &str| line.starts_with("  redis-cli ") || line.starts_with("  psql ");
    let mut commands = 0;
    for (at, line) in printed.iter().enumerate().filter(|(_, line)| is_command(line)) {
        let shown = printed.get(at + 1).map_or("", |next| next.trim());
        let answer = pasted(line);
        // The rows have moved on; an error stays one.
        assert_eq!(answer.starts_with("PGBADVALUE"), shown.starts_with("PGBADVALUE"), "{line}\n{answer}");
        assert!(!answer.starts_with("ERR") && !answer.starts_with("MOVED"), "{line}\n{answer}");
        commands += 1;
    }
    commands
}

#[test]
fn what_make_run_prints_can_be_pasted_into_a_shell() {
    on_every_server(|kind| {
        while_it_runs(&kind.name, 0, |printed| assert_eq!(paste_all(printed), 15, "{printed:#?}"));
    });
}

/// How many rows the primaries store together, in each of the tables that were printed.
fn stored(printed: &[String]) -> Vec<(usize, usize)> {
    let counts =
        printed.iter().map(|line| line.split_once(" stores ").map(|(_, count)| count.parse::<usize>().unwrap()));
    let counts: Vec<Option<usize>> = counts.collect();
    let tables = counts.split(Option::is_none).filter(|table| !table.is_empty());
    tables.map(|table| (table.len(), table.iter().flatten().sum())).collect()
}

#[test]
fn make_run_shows_a_cluster_that_loses_a_primary() {
    on_every_server(|kind| {
        while_it_runs(&kind.name, 3, |printed| {
            // Each row once, before and after.
            assert_eq!(stored(printed), [(3, 30), (3, 30)], "{printed:#?}");
            assert!(printed.iter().any(|line| line.ends_with(" is the primary now")), "{printed:#?}");
            assert_eq!(paste_all(printed), 12, "{printed:#?}");
        });
    });
}
