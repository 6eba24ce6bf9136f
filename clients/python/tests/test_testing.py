"""Throwaway servers: what is started, and what is said when something is missing. tests/python_client.rs starts real ones."""

import contextlib
import os
import stat
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from pgcache import testing

LISTENER = """#!/bin/sh
exec /usr/bin/env python3 -c 'import socket, sys, time
words = " ".join(sys.argv[1:])
port = int(open(words).read().split()[1]) if words.endswith(".conf") else int(words.split("-p ")[1].split()[0])
one = socket.socket(); one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); one.bind(("127.0.0.1", port)); one.listen()
time.sleep(60)' "$@"
"""


class Throwaway(unittest.TestCase):
    """Programs that only listen stand for the servers."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)
        self.addCleanup(testing.shutil.rmtree, self.folder)
        self.program("server", LISTENER)
        self.program("postgres", LISTENER)
        self.program("initdb", "#!/bin/sh\n")
        self.program("psql", f'#!/bin/sh\necho "$@" >>{self.folder}/asked\n')
        (self.folder / "asked").touch()

    def program(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IEXEC | stat.S_IXGRP | stat.S_IXOTH)

    def running(self, **options):
        return testing.running("module.so", server=str(self.folder / "server"), postgres=self.folder, **options)

    def test_both_are_started_and_ended(self):
        with mock.patch("os.geteuid", return_value=1000), self.running(sql="SELECT 2", settings={"default_ttl": 5}) as servers:
            self.assertNotEqual(servers.redis_port, servers.postgres_port)
            self.assertIn(f"port={servers.postgres_port} ", servers.dsn)
        self.assertIn("SELECT 2", (self.folder / "asked").read_text())
        with contextlib.closing(testing.socket.socket()) as one:
            self.assertNotEqual(one.connect_ex(("127.0.0.1", servers.redis_port)), 0)

    def test_what_does_not_start_says_why(self):
        for name in ("initdb", "server"):
            self.setUp()
            self.program(name, "#!/bin/sh\necho it is broken >&2\nexit 1\n")
            with mock.patch("os.geteuid", return_value=1000), self.assertRaisesRegex(RuntimeError, "it is broken"), self.running():
                pass

    def test_what_does_not_come_to_be_is_given_up(self):
        with mock.patch.object(testing, "_SECONDS", 0.01), self.assertRaisesRegex(RuntimeError, "nothing comes"):
            testing._until(lambda: False, "nothing comes")

    def test_a_program_that_does_not_end_is_killed(self):
        program = mock.Mock()
        program.wait.side_effect = [testing.subprocess.TimeoutExpired("x", 1), None]
        testing._end(program)
        program.kill.assert_called_once()

    def test_the_module_and_the_programs_have_to_be_somewhere(self):
        with mock.patch.dict(os.environ, clear=True), self.assertRaises(RuntimeError), testing.running():
            pass
        nowhere = mock.patch.multiple(testing, glob=mock.Mock(glob=lambda _: []), shutil=mock.Mock(which=lambda _: None))
        with nowhere, self.assertRaises(RuntimeError):
            testing._programs()
        self.assertTrue(str(testing._programs()).endswith("bin"))

    def test_pytest_has_a_fixture_of_them(self):
        try:
            import pytest  # noqa: F401
        except ImportError:
            self.assertFalse(hasattr(testing, "pgcache_servers"))
        else:
            self.assertTrue(hasattr(testing, "pgcache_servers"))
