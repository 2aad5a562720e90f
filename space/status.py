"""What stands under the result: progress while it is made, and how it was made."""

import html
import logging
import uuid
from typing import Any

from space.jobs import Loading, Started, State, Waiting, Working
from space.words import say, tell
from zoo.hub.cache import Transfer
from zoo.pipeline import Progress

log = logging.getLogger(__name__)

FIRST_USE = 0.1  # seconds of loading from which on they are told


def doing(
    language: str, state: State, checkpoint: str, step: str = "Step {number} of {total}"
) -> str:
    """A progress bar with words, for a job under way; ``step`` are those of its steps."""
    match state:
        case Waiting(ahead):
            return bar(say(language, "Waiting; {ahead} before you", ahead=ahead))
        case Loading(None):
            return bar(say(language, "Loading {checkpoint}", checkpoint=short(checkpoint)))
        case Loading(Transfer() as transfer):
            words = "First use: downloading {checkpoint} — {done} of {total} MB"
            return arriving(language, transfer, words)
        case Started():
            return bar(painting(language, checkpoint))
        case Working(progress, seconds):
            words = say(language, step, number=progress.number, total=progress.total)
            left = seconds / max(progress.number, 1) * (progress.total - progress.number)
            if seconds > 2 and left >= 1:
                words += " · " + say(language, "about {seconds} s left", seconds=round(left))
            return bar(words, progress.number / max(progress.total, 1))
    return ""


def painting(language: str, checkpoint: str) -> str:
    """What is told of work that has begun."""
    return say(language, "Painting with {checkpoint}", checkpoint=short(checkpoint))


def arriving(
    language: str,
    transfer: Transfer,
    words: str = "Downloading {checkpoint} — {done} of {total} MB",
) -> str:
    """How far a download is."""
    said = say(
        language,
        words,
        checkpoint=short(transfer.repo_id),
        done=f"{transfer.done / 10**6:.1f}",
        total=f"{transfer.total / 10**6:.1f}",
    )
    return bar(said, transfer.done / max(transfer.total, 1))


def bar(words: str, share: float | None = None) -> str:
    """Words over a bar that is filled to ``share``, or moves where that is not known."""
    value = "" if share is None else f' value="{share:.3f}"'
    words = html.escape(words)
    return (
        f'<div class="sz-doing"><span>{words}</span>'
        f'<progress max="1"{value} aria-label="{words}"></progress></div>'
    )


def done(language: str, progress: Progress, loading: float) -> str:
    """Seconds, device, size, checkpoint@revision, code or seed, precision: in this order."""
    record = progress.record
    if record is None:
        raise ValueError("only a finished result has a status line")
    words: dict[str, Any] = {"device": record.device, "seconds": f"{record.seconds:.2f}"}
    first = say(language, "Done in {seconds} s on {device}", **words)
    if loading >= FIRST_USE:
        words["seconds"] = f"{record.seconds + loading:.2f}"
        first = say(
            language,
            "Done in {seconds} s ({loading} s of it downloading and loading) on {device}",
            loading=f"{loading:.2f}",
            **words,
        )
    parts = [html.escape(first), f"{record.width}×{record.height} px"]
    name = f"{short(record.checkpoint)}@{record.revision[:8]}"
    parts.append(f"<code>{html.escape(name)}</code>")
    if code := record.settings.get("code"):
        parts.append(f"{html.escape(say(language, 'Code'))} <code>{html.escape(code)}</code>")
    elif "seed" in record.settings:
        parts.append(html.escape(say(language, "seed {seed}", seed=record.settings["seed"])))
    if record.precision != "fp32":
        parts.append(html.escape(record.precision))
    line = f'<p class="sz-done">{" · ".join(parts)}</p>'
    notices = "".join(
        f'<p class="sz-notice">{html.escape(tell(language, notice))}</p>'
        for notice in progress.notices
    )
    return line + notices


def plain(words: str) -> str:
    """One sentence."""
    return f'<p class="sz-done">{html.escape(words)}</p>' if words else ""


def alert(words: str) -> str:
    """A sentence about something that did not work."""
    return f'<p class="sz-alert" role="alert">{html.escape(words)}</p>' if words else ""


def missing(language: str, checkpoint: str) -> str:
    """A link, or a picture's file, asks for a checkpoint that is not here."""
    words = "This site has no checkpoint {name}; the one that is picked makes other pictures."
    return alert(say(language, words, name=checkpoint))


def short(repo_id: str) -> str:
    """A checkpoint's name as people read it: ours go without their owner."""
    return repo_id.removeprefix("zoo/")


def unexpected(language: str) -> str:
    """What to tell of an error that is nobody's mistake; the log has the same reference."""
    reference = uuid.uuid4().hex[:8]
    log.exception("reference %s", reference)
    return say(
        language,
        "Something went wrong on our side and your picture was not changed. Please try again; if "
        "it happens again, report reference {reference}.",
        reference=reference,
    )
