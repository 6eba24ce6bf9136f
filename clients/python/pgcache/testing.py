"""Throwaway servers for tests: a PostgreSQL and a server with the module, on free ports of the loopback and in a temporary folder.

With pytest: `pytest_plugins = ["pgcache.testing"]`, and tests take `pgcache_servers`.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SECONDS = 30.0


@dataclass(frozen=True)
class Servers:
    """Servers that run."""

    redis_port: int
    postgres_port: int

    @property
    def dsn(self) -> str:
        """What psycopg and libpq take to connect to PostgreSQL."""
        return f"host=127.0.0.1 port={self.postgres_port} user=postgres dbname=postgres"


@contextlib.contextmanager
def running(
    module: str | os.PathLike[str] | None = None,
    *,
    sql: str = "",
    settings: Mapping[str, Any] | None = None,
    server: str = "redis-server",
    postgres: str | os.PathLike[str] | None = None,
) -> Iterator[Servers]:
    """Starts both, runs `sql` in PostgreSQL, and ends both when the block is left.

    `module` is `libpgcache.so` (by default the environment's PGCACHE_MODULE), `settings` are its settings, and `server` is the
    server's program. `postgres` is the folder of PostgreSQL's programs (by default the newest below /usr/lib/postgresql, or
    what PATH has). Raises `RuntimeError` where something does not start, with what it has said.
    """
    found = module or os.environ.get("PGCACHE_MODULE")
    if found is None:
        raise RuntimeError("where is libpgcache.so? give its path, or set PGCACHE_MODULE")
    with tempfile.TemporaryDirectory(prefix="pgcache-") as name, contextlib.ExitStack() as ends:
        folder = Path(name)
        folder.chmod(0o755)
        postgres_port = _start_postgres(ends, folder, Path(postgres) if postgres else _programs(), sql)
        redis_port = _start_server(ends, folder, server, os.path.abspath(found), postgres_port, settings or {})
        yield Servers(redis_port, postgres_port)


def _programs() -> Path:
    versions = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(Path(path).parent.name))
    there = versions[-1] if versions else os.path.dirname(shutil.which("initdb") or "")
    if not there:
        raise RuntimeError("PostgreSQL's programs are not there: install postgresql, or say in which folder they are")
    return Path(there)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _start_postgres(ends: contextlib.ExitStack, folder: Path, programs: Path, sql: str) -> int:
    data, port = folder / "postgres", _free_port()
    data.mkdir()
    # PostgreSQL does not run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        os.chown(data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    options = {"user": user, "cwd": data} if user else {"cwd": data}
    _run([programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions"], options)
    words = [programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    _spawn(ends, [*words, "-c", "unix_socket_directories="], folder / "postgres.log", port, options)
    psql = [programs / "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-c"]
    _until(lambda: _succeeds([*psql, "SELECT 1"]), "PostgreSQL does not answer")
    if sql:
        _run([*psql, sql], {})
    return port


def _start_server(
    ends: contextlib.ExitStack, folder: Path, server: str, module: str, postgres_port: int, settings: Mapping[str, Any]
) -> int:
    port = _free_port()
    source = {"pg_host": "127.0.0.1", "pg_port": postgres_port, "pg_user": "postgres", "pg_database": "postgres"}
    arguments = " ".join(f'{name} "{value}"' for name, value in {**source, **settings}.items())
    lines = [f"port {port}", "bind 127.0.0.1", 'save ""', f"dir {folder}", f"loadmodule {module} {arguments}"]
    (folder / "server.conf").write_text("\n".join(lines) + "\n")
    _spawn(ends, [server, folder / "server.conf"], folder / "server.log", port, {"cwd": folder})
    return port


def _spawn(ends: contextlib.ExitStack, words: list[Any], log: Path, port: int, options: dict[str, Any]) -> None:
    """Starts a program, waits until it listens, and has it end with the block."""
    with log.open("wb") as said:
        program = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=said, stderr=said, **options)
    ends.callback(_end, program)

    def is_there() -> bool:
        if program.poll() is not None:
            raise RuntimeError(f"{words[0]} has ended: {log.read_text(errors='replace')}")
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    _until(is_there, f"{words[0]} does not listen")


def _end(program: subprocess.Popen[bytes]) -> None:
    # To PostgreSQL it means: do not wait for clients.
    program.send_signal(signal.SIGINT)
    try:
        program.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _run(words: list[Any], options: dict[str, Any]) -> None:
    done = subprocess.run(
        [str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options
    )
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]}: {done.stderr}")


def _succeeds(words: list[Any]) -> bool:
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def _until(is_so: Any, otherwise: str) -> None:
    end = time.monotonic() + _SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError(otherwise)
        time.sleep(0.02)


try:
    import pytest
except ImportError:  # it is needed for the fixture alone
    pass
else:

    @pytest.fixture(scope="session")
    def pgcache_servers() -> Iterator[Servers]:
        """Servers that run for as long as the tests do. PGCACHE_MODULE says where the module is."""
        with running() as servers:
            yield servers
