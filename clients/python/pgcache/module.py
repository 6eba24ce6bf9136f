"""Loads the module into a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .maps import text, to_map

Config = Mapping[str, Any]
_NAMES = {"host": "pg_host", "port": "pg_port", "database": "pg_database", "dbname": "pg_database", "user": "pg_user"}
_PASSWORDS = ("password", "pg_password")


def arguments_of(pg_config: Config) -> list[str]:
    """Returns the module's arguments: `host`, `port`, `database` and `user`, or any setting by its own name.

    Raises `ValueError` for a password: MODULE LIST would show it to everybody. Set `pg_password_file`, or PGCACHE_PG_PASSWORD
    where the server starts.
    """
    if any(name in pg_config for name in _PASSWORDS):
        raise ValueError(
            "MODULE LIST would show the password: give pg_password_file, or set PGCACHE_PG_PASSWORD where the server starts"
        )
    return [str(word) for name, value in pg_config.items() if value is not None for word in (_NAMES.get(name, name), value)]


def load_pgcache_module(client: Any, pg_config: Config, path: str | os.PathLike[str] | None = None) -> bool:
    """Loads the module, and returns whether it was not there yet.

    `client` is one of redis-py or valkey-py that blocks; its user needs MODULE, and the server `enable-module-command yes` or
    `local`. `path` is the server's path of `libpgcache.so` (by default the environment's PGCACHE_MODULE). Raises the client's error
    where the server refuses.
    """
    if any(_name_of(module) == "pgcache" for module in client.execute_command("MODULE", "LIST")):
        return False
    found = path or os.environ.get("PGCACHE_MODULE")
    if found is None:
        raise ValueError("where is libpgcache.so on the server? give its path, or set PGCACHE_MODULE")
    client.execute_command("MODULE", "LOAD", os.fspath(found), *arguments_of(pg_config))
    return True


def _name_of(module: Any) -> str:
    fields = to_map(module) if not isinstance(module, dict) else {text(name): text(value) for name, value in module.items()}
    return str(fields["name"])
