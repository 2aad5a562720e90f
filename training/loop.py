"""The loop every recipe runs in: resume, update, average, log, sample, save.

A run is a folder:

    recipe.json      the numbers that decide the weights
    run.json         on what, for how long and on which pictures; what a card wants to know
    state.pt         all it takes to go on exactly where the run stopped
    metrics.jsonl    a line of losses every few steps; the same curves for TensorBoard beside it
    samples/         the averaged network's pictures as it learns
    checkpoint/      config.json and model.safetensors of the averaged network, ready to publish
"""

import errno
import io
import json
import logging
import math
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from pickle import PickleError
from types import FrameType
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    Protocol,
    TypeVar,
    cast,
    get_origin,
    get_type_hints,
)

import torch
from accelerate import Accelerator, PartialState  # type: ignore[import-untyped]
from accelerate.utils import (  # type: ignore[import-untyped]
    broadcast_object_list,
    gather_object,
)
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch._dynamo.exc import BackendCompilerFailed
from torch.optim.swa_utils import AveragedModel
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid
from tqdm import tqdm

from training.data import Pack, Stream, open_pack
from training.recipe import Precision, Recipe, Run
from zoo import checkpoint, images
from zoo.errors import CheckpointError, DiskFullError, InputError
from zoo.files import write_atomic
from zoo.method import Method
from zoo.pipeline import device_name, fast_precision

log = logging.getLogger(__name__)
R = TypeVar("R", bound=Recipe)
M = TypeVar("M", bound=Method)
N = TypeVar("N", bound=nn.Module)
C = TypeVar("C", bound=Callable[..., Any])

RECIPE, RUN, STATE, METRICS, SAMPLES, CHECKPOINT = (
    "recipe.json",
    "run.json",
    "state.pt",
    "metrics.jsonl",
    "samples",
    "checkpoint",
)
# What may differ between a run and its continuation without making it another run.
MAY_CHANGE = {"steps", "cooldown", "warmup"}


class Stateful(Protocol):
    """Anything that can be put aside and taken up again."""

    def state_dict(self) -> Any: ...  # noqa: D102
    def load_state_dict(self, state: Any, /) -> Any: ...  # noqa: D102


class Trainer(ABC, Generic[R]):
    """What a recipe gives the loop: networks, optimisers, and one step of them.

    A subclass makes its parts in ``__init__`` with :meth:`build`, :meth:`prepare`, :meth:`adam` and
    :meth:`stream`; all of them are then saved and resumed without more ado.

    Attributes:
        method: What is trained; set by the subclass through :meth:`build`.
        averaged: The same with averaged weights; sampled from, saved and published.
        done: Steps done so far, and so the position in the data.
        precision: The recipe's, as far as the device offers it.
    """

    columns: ClassVar[int] = 4  # pictures in a row of the sample grid
    method: Method
    averaged: AveragedModel

    def __init__(self, recipe: R, run: Run) -> None:
        self.recipe, self.run = recipe, run
        self.precision = offered(recipe.precision, PartialState(cpu=run.device == "cpu").device)
        mixed = "no" if self.precision == "fp32" else self.precision
        self.accelerator = Accelerator(mixed_precision=mixed, cpu=run.device == "cpu")
        self.device = self.accelerator.device
        self.done = 0
        self.shared: dict[str, Stateful] = {}  # alike in all processes
        self.local: dict[str, Stateful] = {}  # each process has its own
        self.packs: dict[str, Pack] = {}
        self.cited: dict[str, dict[str, Any]] = {}  # what cards say of the pictures, by stream
        self.contents: dict[str, str] = {}  # sha256 of all files that decide the weights, by name
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True  # every step has the same sizes
        torch.manual_seed(recipe.seed)

    @abstractmethod
    def step(self) -> dict[str, Tensor]:
        """Do one update and return its losses, scalars by name."""

    @abstractmethod
    def sample(self) -> Tensor:
        """Pictures of the averaged method for the eye: ``(B, 3, H, W)`` in [0, 1]."""

    @property
    def result(self) -> Method:
        """The method with its averaged weights."""
        return cast(Method, self.averaged.module)

    def build(self, method: M) -> M:
        """Put ``method`` on the device and make its averaged copy.

        Raises CheckpointError when the recipe starts from a checkpoint that does not fit, and
        InputError when its crops have sides that the network would not give back.
        """
        side, multiple = self.recipe.size, method.multiple
        if side % multiple:
            raise InputError(
                "--size is {side}; {title} needs a multiple of {multiple}, such as {next}.",
                side=side,
                title=method.title,
                multiple=multiple,
                next=-(-side // multiple) * multiple,
            )
        if self.recipe.start_from:
            start(method, self.recipe.start_from)
        method = method.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.method = method
        self.averaged = AveragedModel(method, multi_avg_fn=self._average)
        self.averaged.requires_grad_(False).eval()
        self.shared |= {"method": method, "averaged": self.averaged}
        return method

    def prepare(self, network: N) -> N:
        """Wrap a part of the method, or a network beside it, for all devices and the precision.

        Call the result in :meth:`step`; its inputs and outputs are float32.
        """
        # Not by accelerate's own plugin, which holds for all later trainers of a process.
        return self.compiled(self.accelerator.prepare(network))

    def compiled(self, function: C) -> C:
        """``function`` with its operations fused, if the run asks for it; sizes must stay the same.

        Prepared networks are compiled without it.
        """
        return cast(C, torch.compile(function, dynamic=False)) if self.run.compile else function

    def keep(self, *, local: bool = False, **parts: Stateful) -> None:
        """Save and resume ``parts`` as well; ``local`` where each process has its own."""
        (self.local if local else self.shared).update(parts)

    def adam(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        name: str = "optimizer",
        **options: Any,
    ) -> Any:
        """Adam over ``parameters``; its rate follows the recipe.

        A group of parameters may have a ``share``, which its rate is multiplied by.
        """
        fused = self.device.type == "cuda"
        optimizer = self.accelerator.prepare(
            torch.optim.Adam(parameters, lr=self.recipe.lr, fused=fused, **options)
        )
        self.keep(**{name: optimizer})
        return optimizer

    def adam_or_muon(self, network: nn.Module) -> Any:
        """What the recipe asks for, over what of ``network`` is trained."""
        if self.recipe.optimizer == "muon":
            return self.muon(network)
        return self.adam([p for p in network.parameters() if p.requires_grad])

    def muon(self, network: nn.Module, name: str = "optimizer") -> Any:
        """Muon over the inner kernels of ``network``, ten times as fast; Adam over all else.

        Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024): a step along
        all directions of a kernel alike, where Adam's follows the few that its gradients point in.
        Layers that see or make pictures, and norms, are not for it.
        """
        from timm.optim.muon import Muon  # imports all of timm's networks

        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        inner = [p for p in trained if p.ndim == 4 and min(p.shape[:2]) > 3]
        others = [p for p in trained if p.ndim != 4 or min(p.shape[:2]) <= 3]
        optimizer = self.accelerator.prepare(
            Muon(
                [
                    {"params": inner, "share": 10.0, "use_muon": True},
                    {"params": others, "use_fallback": True},
                ],
                lr=self.recipe.lr,
                adjust_lr_fn="original",
                nesterov=True,
                betas=(0.9, 0.999),
            )
        )
        self.keep(**{name: optimizer})
        return optimizer

    def stream(self, folder: Path, name: str, least: int = 2) -> Stream:
        """Endless crops of the pictures in ``folder``; ``name`` tells streams apart."""
        with self.accelerator.local_main_process_first():
            pack = open_pack(folder, self.recipe.load_size, self.run.packs, least)
        self.packs[name] = pack
        self.cite(name, pack.name, len(pack), pack.digest)
        seed = self.recipe.seed * 1000 + len(self.packs)
        return Stream(
            pack,
            self.recipe.size,
            self.recipe.batch_size,
            seed,
            self.accelerator.process_index,
            self.accelerator.num_processes,
        )

    def cite(self, stream: str, name: str, pictures: int, digest: str) -> None:
        """Let the card name pictures that the weights come from; ``digest`` is a sha256 in hex."""
        self.cited[stream] = {"name": name, "pictures": pictures, "sha256": digest}
        self.contents[stream] = digest

    def batch(self, stream: Stream) -> Tensor:
        """The stream's batch of this step on the device: ``(B, 3, s, s)`` in [0, 1]."""
        return self.to_device(stream(self.done))

    def to_device(self, pictures: Tensor) -> Tensor:
        """Bytes ``(B, 3, H, W)`` as float32 in [0, 1], channels last, on the device."""
        return pictures.to(self.device, non_blocking=True).float().div_(255)

    def examples(self, stream: Stream, count: int) -> Tensor:
        """The same ``count`` crops every time, from positions that training never comes to."""
        return self.to_device(stream.crops(10**12, count))

    @property
    def encoder_dtype(self) -> torch.dtype:
        """Precision for frozen encoders: they need no float32 copy of their weights."""
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[
            self.precision
        ]

    def update(self, loss: Tensor, optimizer: Any) -> None:
        """Step ``optimizer`` at this step's rate, with clipped gradients of all processes."""
        optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        self.apply(optimizer)

    def apply(self, optimizer: Any) -> None:
        """Step ``optimizer`` on the gradients that are there, at this step's rate."""
        if self.recipe.clip:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            self.accelerator.clip_grad_norm_(parameters, self.recipe.clip)
        for group in optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.done) * group.get("share", 1.0)
        optimizer.step()

    def _average(
        self, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int
    ) -> None:
        # Early on the average forgets faster, or it would long remember the random start. The steps
        # are counted here because asking `count` would make a GPU wait.
        decay = min(self.recipe.average, self.done / (9 + self.done))
        torch._foreach_lerp_(list(averaged), list(current), 1 - decay)


def offered(wanted: Precision, device: torch.device) -> Precision:
    """``wanted``, or "fp32" where ``device`` only emulates bfloat16, and is far slower with it."""
    if wanted == "bf16" and fast_precision(device) == torch.float32:
        log.info("%s is not known to multiply bfloat16: training in float32", device_name(device))
        return "fp32"
    return wanted


def fit(trainer: Trainer[R]) -> Method:
    """Train until the recipe's last step, or as long as the run allows.

    A run whose folder holds a state goes on from it: on a CPU the weights come out bit for bit as
    without the interruption. Interrupting the process (Ctrl+C or SIGTERM) lets it finish the
    step and save first; where it is killed, the last saved state is the one to go on from.

    Returns:
        The method with its averaged weights.

    Raises:
        CheckpointError: The state in the folder belongs to another recipe, or is damaged.
        DiskFullError: There is no room; what was saved before is untouched.
        InputError: The losses are no numbers any more, or this machine cannot compile.
    """
    recipe, run, accelerator = trainer.recipe, trainer.run, trainer.accelerator
    if run.dry_run:
        _rehearse(trainer)
        return trainer.result
    main = accelerator.is_main_process
    elapsed = resume(trainer)
    if main:
        run.out.mkdir(parents=True, exist_ok=True)
        write(run.out / RECIPE, json.dumps(plain(recipe), indent=2).encode() + b"\n")
        forget_after(run.out / METRICS, trainer.done)
    accelerator.wait_for_everyone()
    started = time.monotonic()
    first = trainer.done
    global_batch = recipe.batch_size * accelerator.num_processes
    writer = (
        SummaryWriter(str(run.out / "tensorboard"), purge_step=trainer.done + 1) if main else None
    )
    progress = tqdm(
        total=recipe.steps * global_batch,
        initial=trainer.done * global_batch,
        unit="img",
        unit_scale=True,
        desc=run.out.name,
        disable=not main,
        mininterval=0.5 if sys.stderr.isatty() else 60,
        dynamic_ncols=True,
    )
    sums: dict[str, Tensor] = {}
    count = 0
    with stopping() as asked, progress:
        while trainer.done < recipe.steps:
            losses = _step(trainer)
            trainer.done += 1
            trainer.averaged.update_parameters(trainer.method)
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0) + loss.detach().float()
            count += 1
            progress.update(global_batch)
            spent = time.monotonic() - started
            late = bool(run.minutes) and spent > 60 * run.minutes
            last = trainer.done == recipe.steps or _agree(trainer, late or bool(asked))
            saving = last or trainer.done % run.save_every == 0
            if saving or trainer.done % run.log_every == 0:
                means = _means(trainer, sums, count)
                sums, count = {}, 0
                if main and writer:
                    line = {
                        "step": trainer.done,
                        **means,
                        "lr": recipe.rate(trainer.done - 1),
                        "images_per_second": (trainer.done - first) * global_batch / spent,
                        "seconds": elapsed + spent,
                    }
                    _log(run.out / METRICS, writer, line)
                    progress.set_postfix(
                        {name: f"{value:.3g}" for name, value in means.items()}, refresh=False
                    )
                _finite(means, trainer.done, run.out)
            if main and (last or trainer.done % run.sample_every == 0):
                _sample(trainer, run.out / SAMPLES / f"step-{trainer.done:07d}.png")
            if saving:
                save(trainer, elapsed + spent)
            if last:
                break
    if main and writer:
        writer.close()
    return trainer.result


def _step(trainer: Trainer[R]) -> dict[str, Tensor]:
    try:
        return trainer.step()
    except BackendCompilerFailed as error:
        raise InputError(
            "--compile does not work on this machine ({reason}). Install a C++ compiler and "
            "Python's headers, or leave it out.",
            reason=str(error.inner_exception).strip().partition("\n")[0],
        ) from error


def save(trainer: Trainer[R], seconds: float) -> None:
    """Write the state and the averaged checkpoint; called by all processes, written by one."""
    local = {
        "rng": _random_states(trainer.device),
        "parts": {name: part.state_dict() for name, part in trainer.local.items()},
    }
    locals_ = gather_object([local])
    if not trainer.accelerator.is_main_process:
        return
    # The state is last: until it is there, a run goes on from the one before and saves all again.
    try:
        checkpoint.save(trainer.result, trainer.run.out / CHECKPOINT, torch.float16)
    except OSError as error:
        raise _no_room(trainer.run.out / CHECKPOINT, error) from error
    facts = {
        "method": trainer.method.name,
        "step": trainer.done,
        "seconds": round(seconds),
        "device": device_name(trainer.device),
        "precision": trainer.precision,
        "processes": trainer.accelerator.num_processes,
        "data": trainer.cited,
    }
    write(trainer.run.out / RUN, json.dumps(facts, indent=2).encode() + b"\n")
    scaler = trainer.accelerator.scaler
    state = {
        "method": trainer.method.name,
        "recipe": comparable(trainer.recipe),
        "data": trainer.contents,
        "step": trainer.done,
        "seconds": seconds,
        "shared": {name: part.state_dict() for name, part in trainer.shared.items()},
        "local": locals_,
        "scaler": scaler.state_dict() if scaler else None,
    }
    buffer = io.BytesIO()  # torch's own writer hides why it could not write
    torch.save(state, buffer)
    write(trainer.run.out / STATE, buffer.getvalue())


def resume(trainer: Trainer[R]) -> float:
    """Take up the state in the run's folder, if there is one; return the seconds spent so far.

    Raises CheckpointError when it is damaged or belongs to other settings or data.
    """
    path = trainer.run.out / STATE
    accelerator = trainer.accelerator
    if not path.is_file():
        # Alike until here, so that all processes start from the same weights.
        torch.manual_seed(trainer.recipe.seed + 7919 * (1 + accelerator.process_index))
        return 0.0
    state = read_state(path)
    made = {"method": state["method"], **state["recipe"], **state["data"]}
    made["processes"] = len(state["local"])
    now = {"method": trainer.method.name, **comparable(trainer.recipe)}
    # A field that is newer than the state had no other value than its default then.
    made = {f.name: f.default for f in fields(trainer.recipe) if f.name in now} | made
    now |= trainer.contents
    now["processes"] = accelerator.num_processes
    differing = sorted(k for k in made.keys() | now.keys() if made.get(k) != now.get(k))
    if differing:
        raise CheckpointError(
            "The run in {folder} was made with other settings ({fields}); it cannot be resumed "
            "with these. Give the same ones, or another folder.",
            folder=trainer.run.out,
            fields=", ".join(f"{k}: {made.get(k)}, now {now.get(k)}" for k in differing),
        )
    for name, part in trainer.shared.items():
        part.load_state_dict(state["shared"][name])
    mine = state["local"][accelerator.process_index]
    for name, part in trainer.local.items():
        part.load_state_dict(mine["parts"][name])
    if state["scaler"] and accelerator.scaler:
        accelerator.scaler.load_state_dict(state["scaler"])
    torch.set_rng_state(mine["rng"]["cpu"])
    if trainer.device.type == "cuda" and "cuda" in mine["rng"]:
        torch.cuda.set_rng_state(mine["rng"]["cuda"], trainer.device)
    trainer.done = state["step"]
    return state["seconds"]


def read_state(path: Path) -> dict[str, Any]:
    """What :func:`save` put into ``path``, on the CPU.

    Raises CheckpointError when that is damaged, or something else.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if missing := {"method", "recipe", "data", "shared", "local"} - set(state):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return state
    except (
        OSError,
        RuntimeError,
        ValueError,
        LookupError,
        EOFError,
        TypeError,
        PickleError,
    ) as error:
        raise CheckpointError(
            "{path} is no state of a training, or a damaged one ({reason}). Move it away to start "
            "anew, or choose another folder.",
            path=path,
            reason=error,
        ) from error


def start(method: Method, folder: Path) -> None:
    """Give ``method`` the weights of the checkpoint, or of the run, in ``folder``.

    Raises CheckpointError when there is none or it does not fit.
    """
    made = folder / CHECKPOINT if (folder / STATE).is_file() else folder
    try:
        if differing := _differing(method, checkpoint.read_config(made)):
            raise ValueError(f"it was made with other settings ({', '.join(differing)})")
        method.load_state_dict(load_file(made / checkpoint.WEIGHTS))
    except (CheckpointError, OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            "Training cannot start from {folder}: {reason}", folder=folder, reason=error
        ) from error


def _differing(method: Method, found: dict[str, Any]) -> list[str]:
    """Switches that give weights another meaning and not another shape; labels may differ."""
    if found["method"] != method.name:
        return [f"method: {found['method']}, now {method.name}"]
    differing = []
    for name, kind in get_type_hints(type(method.config)).items():
        now = getattr(method.config, name)
        # A field that is newer than the checkpoint had no other value than its default then.
        before = found["config"].get(name, getattr(type(method.config), name))
        switch = kind is bool or get_origin(kind) is Literal
        if switch and before != now:
            differing.append(f"{name}: {before}, now {now}")
    return differing


def plain(settings: Any) -> dict[str, Any]:
    """A dataclass of settings as values that JSON knows."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items()}


def comparable(recipe: Recipe) -> dict[str, Any]:
    """What must be equal in a continuation: no paths, for the pictures count by their content."""
    return {
        field.name: getattr(recipe, field.name)
        for field in fields(recipe)
        if field.name not in MAY_CHANGE and not isinstance(getattr(recipe, field.name), Path)
    }


def write(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, whole or not at all, and durably.

    Raises DiskFullError when there is no room; the earlier file is then still there.
    """
    try:
        write_atomic(path, data)
    except OSError as error:
        raise _no_room(path, error) from error


def _no_room(path: Path, error: OSError) -> DiskFullError:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise error
    return DiskFullError(
        "There is no room for {path} ({reason}). What was saved before is untouched: make room "
        "and start again to go on from there.",
        path=path,
        reason=error.strerror,
    )


def forget_after(path: Path, step: int) -> None:
    """Drop the lines of ``metrics.jsonl`` that a killed run wrote after its last state."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except ValueError:
            log.info("dropped a torn line of %s", path.name)
    write(path, "".join(f"{line}\n" for line in kept).encode())


@contextmanager
def stopping() -> Iterator[list[int]]:
    """Collect requests to stop instead of obeying them in the middle of a step."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:  # asked twice: the person does not want to wait
            raise KeyboardInterrupt
        log.info("finishing the step and saving")
        asked.append(number)

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _agree(trainer: Trainer[R], stop: bool) -> bool:
    """Whether the main process wants to stop; all processes must leave at the same step."""
    if trainer.accelerator.num_processes == 1:
        return stop
    (agreed,) = broadcast_object_list([stop])
    return bool(agreed)


def _means(trainer: Trainer[R], sums: dict[str, Tensor], count: int) -> dict[str, float]:
    values = torch.stack(list(sums.values())) / count
    values = trainer.accelerator.reduce(values, "mean")
    return dict(zip(sums, values.tolist(), strict=True))


def _finite(means: dict[str, float], step: int, run: Path) -> None:
    wrong = [name for name, value in means.items() if not math.isfinite(value)]
    if wrong:
        raise InputError(
            "At step {step} the losses {names} are no numbers any more. Start anew with a lower "
            "--lr or with --clip, and another --out; --start-from {run} goes on from what was "
            "saved.",
            step=step,
            names=", ".join(wrong),
            run=run,
        )


def _log(path: Path, writer: SummaryWriter, line: dict[str, float]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    for name, value in line.items():
        if name not in ("step", "seconds"):
            writer.add_scalar(name, value, line["step"])


def _sample(trainer: Trainer[R], path: Path) -> None:
    # Drawing samples must not move the random state that training goes on with.
    with torch.random.fork_rng(), torch.no_grad():
        grid = make_grid(trainer.sample().float().cpu(), nrow=trainer.columns, padding=4)
    path.parent.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    images.to_pil(grid[None])[0].save(buffer, "PNG")
    write(path, buffer.getvalue())


def _random_states(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _rehearse(trainer: Trainer[R]) -> None:
    """Do three steps and say what a run would take."""
    # After any warm-up, whose steps take less.
    before = max(getattr(trainer.recipe, name, 0) for name in ("warmup", "judge_warmup"))
    trainer.done = before if before + 3 <= trainer.recipe.steps else 0
    _step(trainer)  # pays for what is done once
    started = time.monotonic()
    for _ in range(2):
        trainer.done += 1
        losses = _step(trainer)
        _finite({n: loss.item() for n, loss in losses.items()}, trainer.done, trainer.run.out)
    seconds = (time.monotonic() - started) / 2
    recipe, processes = trainer.recipe, trainer.accelerator.num_processes
    log.info(
        "%s: %.2f M weights on %s, %d process(es), %s",
        trainer.method.title,
        sum(p.numel() for p in trainer.method.parameters()) / 1e6,
        trainer.device,
        processes,
        trainer.precision,
    )
    for name, pack in trainer.packs.items():
        log.info("%s: %d pictures, content %s", name, len(pack), pack.digest[:16])
    log.info(
        "%.2f s a step, %.2f images/s; %d steps take %.1f h",
        seconds,
        recipe.batch_size * processes / seconds,
        recipe.steps,
        seconds * recipe.steps / 3600,
    )
    if trainer.device.type == "cuda":
        log.info("%.2f GB of GPU memory", torch.cuda.max_memory_allocated(trainer.device) / 1e9)
