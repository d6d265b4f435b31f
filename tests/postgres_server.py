"""A real PostgreSQL server for tests of stores; `make test-postgres` installs what it needs."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
_INITDB = next((folder / "initdb" for folder in _FOLDERS), None) or shutil.which("initdb")
PASSWORD = "p@ss:hush/%"
SHOWN_NOWHERE = ("p@ss", "p%40ss", "hush")
WITH_SERVER = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(_INITDB is None, reason="no PostgreSQL is installed; `make test-postgres` installs Debian's"),
]


class Server:
    """One that listens on a port of its own; `databases` are made as tests ask for them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self._as = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # it refuses to run as root
        self._databases = 0

    def command(self, name: str, *arguments: object) -> None:
        program = Path(str(_INITDB)).with_name(name)
        done = subprocess.run(
            [*self._as, program, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr + done.stdout

    def make(self) -> None:
        self.own_folder(self.folder)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.command(
            "initdb", "-D", self.folder / "data", "-U", "tts", "-A", "scram-sha-256", f"--pwfile={secret}",
            "-E", "UTF8", "--locale=C.UTF-8", "-N",
        )  # fmt: skip

    def own_folder(self, folder: Path) -> None:
        """A folder that the server may write."""
        folder.mkdir(exist_ok=True)
        if self._as:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        log = self.folder / "log"
        self.command("pg_ctl", "-D", self.folder / "data", "-l", log, "-w", "-t", 60, "-o", options, "start")

    def stop(self, how: str = "fast") -> None:
        """`immediate` is as a crash: it recovers when it starts again."""
        self.command("pg_ctl", "-D", self.folder / "data", "-w", "-t", 60, "-m", how, "stop")

    def url(self, database: str = "postgres") -> str:
        secret = PASSWORD.replace("%", "%25").replace("@", "%40").replace(":", "%3A").replace("/", "%2F")
        return f"postgresql://tts:{secret}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            found = connection.execute(sql)
            return found.fetchall() if found.description else []

    def new_database(self, more: str = "") -> str:
        """The URL of an empty one."""
        self._databases += 1
        name = f"store{self._databases}"
        self.execute(f"CREATE DATABASE {name} {more}")
        return self.url(name)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running() -> Iterator[Server]:
    """A server, as long as the block lasts."""
    pytest.importorskip("psycopg", reason="no psycopg; `pip install 'ttscale[postgres]'`")
    folder = Path(tempfile.mkdtemp(prefix="tts-postgres-"))  # the server's own user cannot enter pytest's
    folder.chmod(0o755)
    server = Server(folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
