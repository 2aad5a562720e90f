"""A checkpoint on disk: a folder of ``config.json``, ``model.safetensors`` and a model card."""

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize

from zoo import card
from zoo.card import CardFacts
from zoo.errors import CheckpointError
from zoo.files import write_atomic
from zoo.method import Method
from zoo.methods import get_method

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"
SHIPPED = Path(__file__).parent / "checkpoints"


def save(method: Method, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write ``method`` to ``folder``; at every moment, what is there is a whole checkpoint.

    Earlier weights are replaced, and other files in the folder (card, samples) stay.

    Args:
        method: What to save; a method without weights of its own leaves only its config.
        folder: Where; its parents are made.
        dtype: Precision on disk; float16 halves the size.
    """
    config = {"method": method.name, "config": asdict(method.config)}
    state = {
        name: tensor.to(dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in method.state_dict().items()
    }
    files = {WEIGHTS: serialize(state)} if state else {}
    files[CONFIG] = json.dumps(config, indent=2).encode() + b"\n"
    if folder.exists():
        for name, data in files.items():
            write_atomic(folder / name, data)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, data in files.items():
            write_atomic(fresh / name, data)
        fresh.chmod(0o755)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def read_config(folder: Path) -> dict[str, Any]:
    """The ``config.json`` of a checkpoint: its method's name and the method's Config.

    Raises CheckpointError when there is none or it is not ours.
    """
    try:
        config = json.loads((folder / CONFIG).read_text())
        if isinstance(config["method"], str) and isinstance(config["config"], dict):
            return config
        reason: object = "it names no method and config"
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error
    raise CheckpointError(
        "{name} is no checkpoint: its config.json is missing or damaged ({reason}).",
        name=folder.name,
        reason=reason,
    )


def load(folder: Path) -> Method:
    """Rebuild the method saved in ``folder``: float32, on the CPU, frozen.

    Raises CheckpointError when a file is missing or the weights do not fit, UnknownMethodError
    when this version has no such method.
    """
    config = read_config(folder)
    cls = get_method(config["method"])
    try:
        method = cls(cls.Config(**config["config"]))
        state = load_file(folder / WEIGHTS) if method.state_dict() else {}
        method.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except (OSError, TypeError, RuntimeError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            "{name} cannot be loaded: {reason}", name=folder.name, reason=error
        ) from error
    return method.eval().requires_grad_(False)


def digest(folder: Path) -> str:
    """A name for exactly this content: 40 hex digits over the names and bytes of all files."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\0".encode())
    return whole.hexdigest()[:40]


def facts_of(method: Method | type[Method], repo_id: str = "") -> CardFacts:
    """What a card can say of a method without knowing how it was trained."""
    paper = method.paper
    takes_photo = "content" in method.forward.__annotations__
    return CardFacts(
        repo_id=repo_id,
        method=method.name,
        title=method.title,
        summary=method.summary,
        paper=f"{paper.authors}: {paper.title} ({paper.year})",
        paper_url=paper.url,
        pipeline_tag=card.IMAGE_TO_IMAGE if takes_photo else card.UNCONDITIONAL,
        config=asdict(method.config) if isinstance(method, Method) else {},
    )
