"""Housekeeping: what nothing refers to any more is removed, with a day's grace."""

import logging
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.hub.server.xet import remove_old_xorbs

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub

log = logging.getLogger(__name__)

# Longer than any upload's permission is valid, so that what is on its way is never taken away.
_GRACE_SECONDS = 36 * 3600


@dataclass
class Collected:
    """What was removed: objects, their bytes, and git folders without a repository."""

    objects: int = 0
    bytes: int = 0
    folders: int = 0


def collect(hub: "Hub", *, grace: float = _GRACE_SECONDS) -> Collected:
    """Remove large files that no repository holds, old xorbs, and forgotten git folders.

    Args:
        hub: The hub; it may be serving at the same time.
        grace: Age in seconds below which nothing is removed: an upload is linked only after its
            bytes are in place.
    """
    done = Collected()
    before = time.time() - grace
    for oid, size, changed in hub.objects.list():
        if changed < before:
            with hub.linking:
                if hub.store.row("SELECT 1 FROM lfs_links WHERE oid = ?", oid):
                    continue
                hub.objects.delete(oid)
            done.objects += 1
            done.bytes += size
    remove_old_xorbs(hub)
    for path in hub.repositories.root.iterdir():
        uid = re.fullmatch(r"([0-9a-f]{24})\.git", path.name)
        if uid and path.stat().st_mtime < before and hub.store.repo_by_uid(uid[1]) is None:
            shutil.rmtree(path, ignore_errors=True)
            done.folders += 1
    for path in hub.temporary.iterdir():
        if path.is_dir() and path.stat().st_mtime < before:
            shutil.rmtree(path, ignore_errors=True)
    for repo in hub.store.repos():
        try:
            _pack(hub, repo.uid)
        except Exception:
            # Damaged or just deleted; the others are still to be looked after.
            log.exception("%s cannot be packed.", repo.id)
    # Cached listings of commits that are no longer a head are seldom asked for again.
    hub.store.run(
        "DELETE FROM last_commits WHERE head NOT IN (SELECT head FROM repos)"
        " AND rowid NOT IN (SELECT rowid FROM last_commits ORDER BY rowid DESC LIMIT 10000)"
    )
    return done


def _pack(hub: "Hub", uid: str) -> None:
    """Put many git objects or packs into one: it is smaller, and quicker to look into."""
    with hub.repositories.writing(uid) as repository:
        packed = repository.pack()
    if packed:
        hub.repositories.rest(uid)
        log.info("Packed the objects of %s.", uid)
