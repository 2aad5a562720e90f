"""Everything that git does not hold: users, tokens, repositories, links to large files, caches.

One SQLite file in WAL mode and one connection behind a lock: statements take microseconds, and a
second process (``zoo token create`` beside a running server) is SQLite's to arrange.
"""

import hashlib
import json
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.hub.server.errors import ConflictError

log = logging.getLogger(__name__)

Role = Literal["read", "write"]
Row = sqlite3.Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY COLLATE NOCASE, kind TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS members (
    organization TEXT NOT NULL COLLATE NOCASE REFERENCES users ON DELETE CASCADE,
    user TEXT NOT NULL COLLATE NOCASE REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (organization, user));
CREATE TABLE IF NOT EXISTS tokens (
    hash TEXT PRIMARY KEY, user TEXT NOT NULL COLLATE NOCASE REFERENCES users ON DELETE CASCADE,
    name TEXT NOT NULL, role TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS repos (
    uid TEXT PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL COLLATE NOCASE,
    private INTEGER NOT NULL DEFAULT 0, gated TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL, modified REAL NOT NULL, head TEXT NOT NULL DEFAULT '',
    downloads INTEGER NOT NULL DEFAULT 0, sdk TEXT, card TEXT NOT NULL DEFAULT '{}',
    tags TEXT NOT NULL DEFAULT '[]', library TEXT, pipeline TEXT, UNIQUE (kind, id));
CREATE TABLE IF NOT EXISTS aliases (
    kind TEXT NOT NULL, id TEXT NOT NULL COLLATE NOCASE,
    uid TEXT NOT NULL REFERENCES repos ON DELETE CASCADE, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS lfs_links (
    uid TEXT NOT NULL REFERENCES repos ON DELETE CASCADE, oid TEXT NOT NULL,
    size INTEGER NOT NULL, created REAL NOT NULL, PRIMARY KEY (uid, oid));
CREATE INDEX IF NOT EXISTS lfs_links_by_oid ON lfs_links (oid);
CREATE TABLE IF NOT EXISTS lfs_locks (
    id TEXT PRIMARY KEY, uid TEXT NOT NULL REFERENCES repos ON DELETE CASCADE,
    path TEXT NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL, UNIQUE (uid, path));
CREATE TABLE IF NOT EXISTS likes (
    uid TEXT NOT NULL REFERENCES repos ON DELETE CASCADE,
    user TEXT NOT NULL COLLATE NOCASE REFERENCES users ON DELETE CASCADE,
    created REAL NOT NULL, PRIMARY KEY (uid, user));
CREATE TABLE IF NOT EXISTS discussions (
    uid TEXT NOT NULL REFERENCES repos ON DELETE CASCADE, num INTEGER NOT NULL,
    title TEXT NOT NULL, author TEXT NOT NULL, status TEXT NOT NULL, pull INTEGER NOT NULL,
    target TEXT, merged TEXT, created REAL NOT NULL, PRIMARY KEY (uid, num));
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, uid TEXT NOT NULL, num INTEGER NOT NULL, kind TEXT NOT NULL,
    author TEXT NOT NULL, created REAL NOT NULL, data TEXT NOT NULL,
    FOREIGN KEY (uid, num) REFERENCES discussions ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS events_by_discussion ON events (uid, num);
CREATE TABLE IF NOT EXISTS space_values (
    uid TEXT NOT NULL REFERENCES repos ON DELETE CASCADE, kind TEXT NOT NULL,
    key TEXT NOT NULL, value TEXT NOT NULL, description TEXT NOT NULL, updated REAL NOT NULL,
    PRIMARY KEY (uid, kind, key));
-- Facts about immutable git objects: safe to lose, never to be corrected.
CREATE TABLE IF NOT EXISTS blobs (
    sha TEXT PRIMARY KEY, size INTEGER NOT NULL, lfs_oid TEXT, lfs_size INTEGER);
CREATE TABLE IF NOT EXISTS last_commits (
    uid TEXT NOT NULL REFERENCES repos ON DELETE CASCADE, head TEXT NOT NULL,
    folder TEXT NOT NULL, entries TEXT NOT NULL, PRIMARY KEY (uid, head, folder));
-- An empty file has one name; other rows like it were made of submodules.
DELETE FROM blobs WHERE size = 0 AND sha != 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391';
"""


@dataclass(frozen=True)
class Repo:
    """One repository's row.

    Attributes:
        uid: 24 hex digits that never change, not even when the repository is renamed.
        kind: ``"model"``, ``"dataset"`` or ``"space"``.
        id: ``namespace/name`` as its owner spelled it.
        private: Only members of the namespace may know of it.
        gated: ``""``, ``"auto"`` or ``"manual"``; files are for members of the namespace.
        created: Seconds since 1970, as is ``modified``.
        head: Commit of ``main`` that the card's fields below were read from.
        card: The front matter of its README.
        tags: What filters match: the card's tags, library, task, licence and so on.
    """

    uid: str
    kind: str
    id: str
    private: bool
    gated: str
    created: float
    modified: float
    head: str
    downloads: int
    sdk: str | None
    card: dict[str, Any]
    tags: list[str]
    library: str | None
    pipeline: str | None
    likes: int

    @property
    def namespace(self) -> str:
        """The user or organisation it belongs to."""
        return self.id.partition("/")[0]

    @property
    def prefix(self) -> str:
        """What stands before the id in addresses: ``""``, ``"datasets/"`` or ``"spaces/"``."""
        return "" if self.kind == "model" else f"{self.kind}s/"


_REPO = "SELECT r.*, (SELECT COUNT(*) FROM likes l WHERE l.uid = r.uid) AS likes FROM repos r"


def _repo(row: Row) -> Repo:
    values = dict(row)
    values["private"] = bool(values["private"])
    values["card"] = json.loads(values["card"])
    values["tags"] = json.loads(values["tags"])
    return Repo(**values)


def token_hash(value: str) -> str:
    """Return what is stored of a token; tokens are random, so one round of SHA-256 suffices."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


class Store:
    """The hub's SQLite file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        path.chmod(0o600)
        self._db.row_factory = sqlite3.Row
        with self._lock:
            self._db.execute("PRAGMA journal_mode = WAL")
            # An acknowledged commit or upload must outlive a power cut.
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.executescript(_SCHEMA)
        self.secret = bytes.fromhex(self.setting("secret", secrets.token_hex(32)))

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the statements inside one change that happens entirely or not at all."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise

    def attempt(self, sql: str, *rows: tuple[object, ...]) -> None:
        """Run a statement that only counts or caches; where it fails, reading goes on without."""
        try:
            with self.transaction():
                self._db.executemany(sql, rows)
        except sqlite3.OperationalError as error:
            log.warning("Not stored: %s", error)

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Return every row of a query."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query."""
        rows = self.rows(sql, *values)
        return rows[0] if rows else None

    def run(self, sql: str, *values: object) -> int:
        """Run a statement and return how many rows it changed."""
        with self._lock:
            return self._db.execute(sql, values).rowcount

    def setting(self, name: str, default: str) -> str:
        """Return a setting, storing ``default`` if it has no value yet."""
        with self.transaction():
            self.run("INSERT OR IGNORE INTO settings VALUES (?, ?)", name, default)
            row = self.row("SELECT value FROM settings WHERE name = ?", name)
        assert row is not None  # noqa: S101 - inserted above
        return str(row["value"])

    # People

    def add_user(self, name: str, kind: str = "user", members: Iterable[str] = ()) -> None:
        """Create a user, or an organisation with ``members``; an existing one is kept."""
        with self.transaction():
            self.run("INSERT OR IGNORE INTO users VALUES (?, ?, ?)", name, kind, time.time())
            for member in members:
                self.run("INSERT OR IGNORE INTO members VALUES (?, ?)", name, member)

    def user(self, name: str) -> Row | None:
        """Return the row of a user or organisation."""
        return self.row("SELECT * FROM users WHERE name = ?", name)

    def organizations(self, user: str) -> list[str]:
        """Return the names of the organisations ``user`` belongs to."""
        sql = """SELECT u.name FROM members m JOIN users u ON u.name = m.organization
                 WHERE m.user = ? ORDER BY u.name"""
        return [str(row["name"]) for row in self.rows(sql, user)]

    def add_token(self, value: str, user: str, name: str, role: Role) -> None:
        """Remember a token by its hash; the same value given again takes the new role.

        Raises:
            ConflictError: It is another user's, whose uploads would become this one's.
        """
        with self.transaction():
            known = self.token(value)
            if known and known["user"].lower() != user.lower():
                raise ConflictError("This token is another user's.")
            self.run(
                "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)",
                *(token_hash(value), user, name, role, time.time()),
            )

    def token(self, value: str) -> Row | None:
        """Return user, name and role of a token.

        The look-up is by hash, so its timing says nothing about how much of a guess is right.
        """
        return self.row("SELECT * FROM tokens WHERE hash = ?", token_hash(value))

    # Repositories

    def add_repo(self, uid: str, kind: str, repo_id: str, private: bool, sdk: str | None) -> bool:
        """Create a repository's row; ``False`` if its name is taken."""
        now = time.time()
        with self.transaction():
            added = self.run(
                "INSERT OR IGNORE INTO repos (uid, kind, id, private, sdk, created, modified)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(uid, kind, repo_id, private, sdk, now, now),
            )
            if added:
                self.run("DELETE FROM aliases WHERE kind = ? AND id = ?", kind, repo_id)
        return bool(added)

    def repo(self, kind: str, repo_id: str) -> Repo | None:
        """Return the repository of that name, or the one that was once called so."""
        row = self.row(f"{_REPO} WHERE r.kind = ? AND r.id = ?", kind, repo_id) or self.row(
            f"{_REPO} JOIN aliases a ON a.uid = r.uid WHERE a.kind = ? AND a.id = ?", kind, repo_id
        )
        return _repo(row) if row else None

    def repo_by_uid(self, uid: str) -> Repo | None:
        """Return the repository with that ``uid``."""
        row = self.row(f"{_REPO} WHERE r.uid = ?", uid)
        return _repo(row) if row else None

    def repos(self, kind: str | None = None) -> list[Repo]:
        """Return every repository, or those of one kind."""
        if kind is None:
            return [_repo(row) for row in self.rows(_REPO)]
        return [_repo(row) for row in self.rows(f"{_REPO} WHERE r.kind = ?", kind)]

    def rename_repo(self, repo: Repo, new_id: str) -> bool:
        """Rename, keeping the old name as an alias; ``False`` if the new name is taken."""
        with self.transaction():
            taken = self.row(
                "SELECT uid FROM repos WHERE kind = ? AND id = ? AND uid != ?",
                *(repo.kind, new_id, repo.uid),
            )
            if taken:
                return False
            self.run("UPDATE repos SET id = ? WHERE uid = ?", new_id, repo.uid)
            self.run("DELETE FROM aliases WHERE kind = ? AND id = ?", repo.kind, new_id)
            if new_id.lower() != repo.id.lower():
                self.run(
                    "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", repo.kind, repo.id, repo.uid
                )
        return True

    def update_repo(self, uid: str, **values: object) -> None:
        """Set columns of a repository's row; lists and dictionaries become JSON."""
        columns = ", ".join(f"{name} = ?" for name in values)
        encoded = [json.dumps(v) if isinstance(v, dict | list) else v for v in values.values()]
        self.run(f"UPDATE repos SET {columns} WHERE uid = ?", *encoded, uid)  # noqa: S608 - own names

    # Large files

    def link(self, uid: str, oid: str, size: int) -> None:
        """Allow a repository to hold the large file ``oid``."""
        sql = "INSERT OR IGNORE INTO lfs_links VALUES (?, ?, ?, ?)"
        self.run(sql, uid, oid, size, time.time())

    def linked(self, uid: str, oid: str) -> int | None:
        """Return the size in bytes of ``oid`` if this repository may hold it."""
        row = self.row("SELECT size FROM lfs_links WHERE uid = ? AND oid = ?", uid, oid)
        return int(row["size"]) if row else None

    def used_storage(self, uid: str) -> int:
        """Return how many bytes of large files a repository holds."""
        row = self.row("SELECT COALESCE(SUM(size), 0) AS n FROM lfs_links WHERE uid = ?", uid)
        return int(row["n"]) if row else 0

    # What is known of git blobs

    def blobs(self, shas: Iterable[str]) -> dict[str, Row]:
        """Return the known rows among ``shas``."""
        wanted, found = list(set(shas)), {}
        for start in range(0, len(wanted), 500):  # SQLite limits the variables of one statement
            part = wanted[start : start + 500]
            marks = ",".join("?" * len(part))
            sql = f"SELECT * FROM blobs WHERE sha IN ({marks})"  # noqa: S608 - question marks only
            found.update({row["sha"]: row for row in self.rows(sql, *part)})
        return found

    def add_blobs(self, rows: Mapping[str, tuple[int, str | None, int | None]]) -> None:
        """Remember size, and oid and size of the large file it points to, by blob sha."""
        sql = "INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?)"
        self.attempt(sql, *((sha, *values) for sha, values in rows.items()))
