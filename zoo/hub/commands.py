"""The commands that exchange checkpoints with a hub: push, pull, verify, and what it lists."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from huggingface_hub.utils import tqdm  # type: ignore[attr-defined]  # loaded lazily

from zoo.errors import ChecksumError, InputError
from zoo.hub.cache import Report, Transfer
from zoo.hub.client import HubClient, connect

_ENDPOINT = click.option(
    "--endpoint", help="Address of the hub; else HF_ENDPOINT, else huggingface.co."
)
_TOKEN = click.option("--token", help="The hub's token; else ZOO_HUB_TOKEN.")


def _on_hub(function: Callable[..., Any]) -> Callable[..., Any]:
    return _ENDPOINT(_TOKEN(function))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("repo_id")
@click.option("-m", "--message", default="Upload checkpoint", show_default=True)
@click.option("--private", is_flag=True, help="Make a new repository a private one.")
@click.option(
    "--revision", default="main", show_default=True, help="Branch to commit to; made if need be."
)
@_on_hub
def push(
    folder: Path,
    repo_id: str,
    message: str,
    private: bool,
    revision: str,
    endpoint: str | None,
    token: str | None,
) -> None:
    """Upload the checkpoint in FOLDER to REPO_ID."""
    client = connect(endpoint, token=token)
    commit = client.push(folder, repo_id, message=message, private=private, revision=revision)
    click.echo(f"{client.endpoint}/{repo_id}@{commit}")


@click.command()
@click.argument("repo_id", metavar="REPO_ID[@REVISION]")
@click.option("--to", type=click.Path(path_type=Path), help="Copy it to this new folder.")
@_on_hub
def pull(repo_id: str, to: Path | None, endpoint: str | None, token: str | None) -> None:
    """Download a checkpoint, check its hashes and print its folder."""
    if to is not None and to.exists():
        raise InputError("To: “{name}” is there already. Name a new folder.", name=str(to))
    client = connect(endpoint, token=token)
    with progress_bar(repo_id) as report:
        folder, _ = client.snapshot(repo_id, report=report)
    click.echo(copy_folder(folder, to) if to else folder)


@click.command()
@click.argument("repo_ids", metavar="[REPO_ID]...", nargs=-1)
@_on_hub
def verify(repo_ids: tuple[str, ...], endpoint: str | None, token: str | None) -> None:
    """Hash the downloaded checkpoints again, all or those named; exit code 2 if one is damaged."""
    cache = connect(endpoint, token=token).cache
    here = cache.checkpoints()
    for repo_id in repo_ids:
        if repo_id not in dict(here):
            raise InputError("{name} is not on this machine.", name=repo_id)
    damaged = []
    for repo_id, commit in here:
        if repo_ids and repo_id not in repo_ids:
            continue
        wrong = cache.verify(repo_id, commit)
        damaged += wrong
        click.echo(f"{repo_id}@{commit[:8]}  {'damaged: ' + ', '.join(wrong) if wrong else 'ok'}")
    if damaged:
        raise ChecksumError(
            "{count} files are damaged. They are replaced when the checkpoint is used next.",
            count=len(damaged),
        )


def print_models(client: HubClient, words: str = "", *tags: str, as_json: bool = False) -> None:
    """Print what the hub has, a line for each checkpoint, and whether it is on this machine."""
    rows = [
        {
            "repo_id": model.repo_id,
            "method": model.facts.method,
            "revision": model.commit,
            "license": model.facts.license,
            "state": client.cache.where(model.repo_id, model.commit)[0],
        }
        for model in client.search(words, *tags)
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max((len(row["repo_id"]) for row in rows), default=0)
    for row in rows:
        click.echo(
            f"{row['repo_id']:<{width}}  {row['method']:<16}  {row['revision'][:8]}  {row['state']}"
        )


def print_model(client: HubClient, repo_id: str) -> None:
    """Print what the hub says of one checkpoint: card, files, sizes and hashes."""
    model = client.info(repo_id)
    facts = model.facts
    click.echo(f"{model.repo_id}@{model.commit[:8]}")
    for name, value in (
        ("method", facts.method),
        ("summary", facts.summary),
        ("license", facts.license),
        ("tags", ", ".join(model.tags)),
        ("state", client.cache.where(model.repo_id, model.commit)[0]),
    ):
        if value:
            click.echo(f"{name:<9} {value}")
    for file in model.files:
        click.echo(f"  {file.size:>12}  {file.content}  {file.path}")


@contextmanager
def progress_bar(repo_id: str) -> Iterator[Report]:
    """Show a download on a terminal; nothing where there is none, or nothing to download."""
    bar: Any = None

    def report(transfer: Transfer) -> None:
        nonlocal bar
        if bar is None:
            # disable=None: only where standard error is a terminal
            bar = tqdm(total=transfer.total, desc=repo_id, unit="B", unit_scale=True, disable=None)  # type: ignore[no-untyped-call]
        bar.update(transfer.done - bar.n)

    try:
        yield report
    finally:
        if bar is not None:
            bar.close()


def copy_folder(source: Path, target: Path) -> Path:
    """Copy a checkpoint to a new folder, whole or not at all."""
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as fresh:
        copy = Path(fresh) / "copy"
        shutil.copytree(source, copy)
        copy.rename(target)
    return target
