//! Programs in Python beside the package of clients/python.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Python that Debian's libraries are for, which another one may hide. `PGCACHE_PYTHON` names one with other libraries.
const PYTHON: &str = "/usr/bin/python3";

/// Libraries that the Python of `PGCACHE_PYTHON` may have instead of redis-py.
pub fn library() -> String {
    std::env::var("PGCACHE_PYTHON_LIBRARY").unwrap_or("redis".into())
}

/// The package.
pub fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

/// Python with these arguments, beside the package.
pub fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("PGCACHE_PYTHON").unwrap_or(PYTHON.into()));
    command.args(arguments).current_dir(package().join("tests")).env("PYTHONPATH", package());
    // No compiled files among the sources.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program to its end, does what it asks for in lines that begin with `do `, each of which it is told of once that is done, and
/// returns the last line that it printed.
pub fn run(mut command: Command, mut on_request: impl FnMut(&str)) -> String {
    let mut program = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; see scripts/install.sh"));
    let mut last = String::new();
    for line in BufReader::new(program.stdout.take().unwrap()).lines() {
        last = line.unwrap();
        if let Some(request) = last.strip_prefix("do ") {
            on_request(request);
            program.stdin.as_mut().unwrap().write_all(b"done\n").unwrap();
        }
    }
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    last
}

/// Runs a program that asks for nothing.
pub fn run_alone(command: Command) -> String {
    run(command, |request| panic!("nothing was to be done, and it asks for {request}"))
}
