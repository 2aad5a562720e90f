"""Methods from and to checkpoints: what ``Method.from_pretrained`` and its like do."""

import tempfile
from pathlib import Path
from typing import TypeVar

import torch

from zoo import card, checkpoint
from zoo.card import CardFacts
from zoo.errors import CheckpointError, RepoNotFoundError
from zoo.files import write_atomic
from zoo.hub.client import HUGGING_FACE, HubClient
from zoo.method import Method
from zoo.runtime import shipped

M = TypeVar("M", bound=Method)


def load(cls: type[M], source: str | Path, revision: str, client: HubClient) -> M:
    """Rebuild a method from a folder, from what ships with the code, or from a hub.

    Args:
        cls: Method that it has to be; ``Method`` itself takes any.
        source: Folder, or ``repo_id``.
        revision: Of the ``repo_id``.
        client: Hub to ask.

    Raises CheckpointError when it is of another method, and what :func:`zoo.checkpoint.load` and
    :meth:`zoo.hub.client.HubClient.snapshot` raise.
    """
    method = checkpoint.load(_folder(source, revision, client))
    if not isinstance(method, cls):
        raise CheckpointError(
            "{source} is a checkpoint of {found}, not of {wanted}.",
            source=source,
            found=method.name,
            wanted=cls.name,
        )
    return method


def _folder(source: str | Path, revision: str, client: HubClient) -> Path:
    if Path(source).is_dir():
        return Path(source)
    # Where no hub of one's own is named, our names mean our checkpoints: on huggingface.co
    # somebody else may be called "zoo".
    if client.endpoint == HUGGING_FACE and revision == "main":
        try:
            return shipped(str(source))[0]
        except RepoNotFoundError:
            pass
    return client.snapshot(str(source), revision)[0]


def save(
    method: Method, folder: Path, facts: CardFacts | None = None, dtype: torch.dtype = torch.float32
) -> None:
    """Write a checkpoint with its card.

    Args:
        method: What to save.
        folder: Where.
        facts: For the card; without them, a card that is there stays, else one is made of what
            is known of the method.
        dtype: Precision on disk.
    """
    checkpoint.save(method, folder, dtype)
    path = folder / checkpoint.CARD
    if facts or not path.exists():
        write_atomic(path, card.render(facts or checkpoint.facts_of(method)).encode())


def push(
    method: Method,
    repo_id: str,
    client: HubClient,
    *,
    facts: CardFacts | None = None,
    message: str = "Upload checkpoint",
    private: bool = False,
    dtype: torch.dtype = torch.float32,
) -> str:
    """Publish a checkpoint with its card, and return the commit.

    Without ``facts``, a card that the repository has already stays as it is. The other arguments
    and the errors are those of :func:`save` and :meth:`zoo.hub.client.HubClient.push`.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "checkpoint"
        save(method, folder, facts or checkpoint.facts_of(method, repo_id), dtype)
        if facts is None and _has_card(repo_id, client):
            (folder / checkpoint.CARD).unlink()
        return client.push(folder, repo_id, message=message, private=private)


def _has_card(repo_id: str, client: HubClient) -> bool:
    try:
        return any(file.path == checkpoint.CARD for file in client.info(repo_id).files)
    except RepoNotFoundError:
        return False
