"""What listings know of a repository, read from its main branch after every change."""

import logging
from typing import TYPE_CHECKING, Any

from zoo.hub.server.formats import clamped, front_matter, tags_of, wrong_fields
from zoo.hub.server.repository import MAIN, Repository

if TYPE_CHECKING:
    from zoo.hub.server.store import Store

log = logging.getLogger(__name__)


def index_head(store: "Store", repository: Repository, uid: str) -> None:
    """Bring the row of repository ``uid`` up to date with the head of its main branch."""
    head = repository.ref(MAIN)
    if head is None:
        return
    card: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    modified = 0.0
    try:
        modified = clamped(repository.commit(head).commit_time)
        if (readme := repository.read(head, "README.md")) is not None:
            card = front_matter(readme.decode("utf-8", "replace"))
            wrong = wrong_fields(card)
    except Exception as error:  # noqa: BLE001 - of damaged objects, too
        # Pushed with git, where nothing checks it first. The files are served all the same.
        log.warning("README.md of %s at %s: %r", uid, head, error)
    library, pipeline, sdk = (
        value if isinstance(value := card.get(name), str) else None
        for name in ("library_name", "pipeline_tag", "sdk")
    )
    values: dict[str, object] = {
        "head": head,
        "modified": modified,
        "card": {name: value for name, value in card.items() if name not in wrong},
        "tags": tags_of(card),
        "library": library,
        "pipeline": pipeline,
    }
    if sdk:
        values["sdk"] = sdk
    store.update_repo(uid, **values)
