"""What a tab's buttons start: a run, or one in every style, shown on the page as it goes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from space import parts, status
from space.choice import Choice, Look
from space.controls import GLUE
from space.inputs import Inputs
from space.jobs import Finished, Job, Loading, Series, Started, Stopped, Working
from space.results import Result, save, together
from space.site import Site, Updates
from space.stage import Stage
from space.words import say, spoken, tell
from zoo.codes import alone
from zoo.errors import ZooError
from zoo.form import form_of

TRIED_AT = 512  # pixels: as large as a picture gets while all styles are tried
PREVIEW_EVERY = 1.0  # seconds between two previews


class Work:
    """Lays out the buttons where it is made; :meth:`wire` connects them.

    Args:
        site: What the tabs share.
        choice: The checkpoints.
        verb: What the button says.
    """

    def __init__(self, site: Site, choice: Choice, verb: str) -> None:
        self.site, self.choice, self.verb = site, choice, verb
        self.name, self.method = choice.name, choice.method
        self.note, self.go, self.stop = parts.run_bar(verb, self.name)

    def wire(self, inputs: Inputs, stage: Stage, style_parts: Sequence[Any]) -> None:
        """Connect the buttons.

        Args:
            inputs: Of the tab.
            stage: Where the results go.
            style_parts: What has the style that a result was made in.
        """
        self.inputs, self.stage = inputs, stage
        starts = [(self.go, self.run)]
        changed = [self.go, self.stop, self.note, *stage.changed]
        if self.choice.every:
            starts.append((self.choice.every, self.run_all))
            changed.append(self.choice.every)
        for button, work in starts:
            button.click(
                work,
                [stage.results, self.choice.picked, *inputs.components],
                [*changed, self.site.last_photo, *style_parts],
                show_progress="hidden",
                api_visibility="private",
                concurrency_id="studio",
                concurrency_limit=self.site.lane.longest + 2,
                trigger_mode="once",
            )
        self.stop.click(self.halt, None, None, **GLUE)

    def halt(self, request: gr.Request) -> None:
        """Stop this visitor's job in this tab."""
        if job := self.site.running.get((request.session_hash, self.name)):
            job.stop()

    def run(
        self, request: gr.Request, earlier: list[Result], checkpoint: str, *values: Any
    ) -> Iterator[Updates]:
        """Do the work, showing it as it goes."""
        yield from self._work(request, earlier, checkpoint, values)

    def run_all(
        self, request: gr.Request, earlier: list[Result], checkpoint: str, *values: Any
    ) -> Iterator[Updates]:
        """Do it in every style that is known by heart, each result as it comes."""
        yield from self._work(request, earlier, checkpoint, values, every=True)

    def _work(
        self,
        request: gr.Request,
        earlier: list[Result],
        checkpoint: str,
        values: Sequence[Any],
        *,
        every: bool = False,
    ) -> Iterator[Updates]:
        """As :meth:`run`; no exception leaves this.

        Gradio covers the result with the word "Error" when a handler raises, and leaves the
        buttons as they were.
        """
        language = spoken(request)
        key = (request.session_hash, self.name)
        idle = self._idle(language)
        before: Updates = {self.stage.status: ""}
        try:
            inputs = self.inputs.read(values)
            self.inputs.check(inputs)
            listed = self.choice.named(checkpoint)
            repo_id = listed.repo_id if listed else self.method.checkpoint
            job: Job | Series
            if every:
                looks = self.choice.looks(repo_id)
                tasks = [(look.repo_id, self._tried(inputs, look)) for look in looks]
                job = Series(self.site.lane, self.site.runtime, tasks)
                following = self._follow_all(job, looks, language, earlier)
            else:
                job = Job(self.site.lane, self.site.runtime, repo_id, inputs)
                picks = self.inputs.picks(values)
                following = self._follow(job, repo_id, language, earlier, picks)
        except ZooError as error:
            yield idle | {self.note: status.alert(tell(language, error))}
            return
        self.site.running[key] = job
        yield {part: gr.Button(interactive=False) for part in idle} | {
            self.go: gr.Button(say(language, "Working…"), interactive=False),
            self.stop: gr.Button(visible=True),
            self.note: "",
            self.site.last_photo: inputs.get("content") or gr.skip(),
        }
        try:
            for updates, last in following:
                if every and (results := updates.get(self.stage.results)):
                    before[self.stage.many] = self.stage.gallery(results[0])
                elif self.stage.preview in updates and not every:  # what is done in a style stays
                    before = self.stage.again(earlier)
                yield updates | idle if last else updates
        except ZooError as error:
            yield idle | before | {self.note: status.alert(tell(language, error))}
        except Exception:  # noqa: BLE001 logged with its reference
            yield idle | before | {self.note: status.alert(status.unexpected(language))}
        finally:
            job.stop()
            if self.site.running.get(key) is job:
                del self.site.running[key]

    def _idle(self, language: str) -> Updates:
        idle: Updates = {
            self.go: gr.Button(say(language, self.verb), interactive=True),
            self.stop: gr.Button(visible=False),
        }
        if self.choice.every:
            idle[self.choice.every] = gr.Button(interactive=True)
        return idle

    def _follow(
        self,
        job: Job,
        repo_id: str,
        language: str,
        earlier: list[Result],
        picks: Mapping[str, str],
    ) -> Iterator[tuple[Updates, bool]]:
        """What changes on the page, and whether it is the last change."""
        stage = self.stage
        told, previewed, drawn = "", 0, float("-inf")
        for state in job.follow():
            updates: Updates = {}
            if isinstance(state, Stopped):
                words = "Stopped. Nothing was changed."
                if previewed:
                    words = "Stopped. The last preview is kept."
                    # The way back to what stood there before.
                    updates[stage.history] = gr.Gallery(visible=bool(earlier))
                yield updates | {stage.status: status.plain(say(language, words))}, True
                return
            if isinstance(state, Finished):
                result = self._saved(state, language, picks)
                yield stage.keep(result, earlier, self._targets(language)), True
                return
            words = status.doing(language, state, repo_id)
            if words != told:
                told = updates[stage.status] = words
            if isinstance(state, Working) and state.progress.total > 1:
                progress, now = state.progress, time.monotonic()
                if now - drawn >= PREVIEW_EVERY and progress.number > previewed:
                    previewed, drawn = progress.number, now
                    updates |= stage.place(preview=progress.pictures()[0])
            yield updates or {stage.status: gr.skip()}, False

    def _follow_all(
        self, series: Series, looks: Sequence[Look], language: str, earlier: list[Result]
    ) -> Iterator[tuple[Updates, bool]]:
        """As :meth:`_follow`, with a result for each of ``looks``; what is done stays."""
        stage = self.stage
        made: list[Result] = []
        names = [say(language, look.name) for look in looks]
        told, began = "", time.monotonic()
        counts = {"total": len(looks)}
        for number, state in series.follow():
            updates: Updates = {}
            if isinstance(state, Stopped):
                words = say(language, "Stopped. Nothing was changed.")
                if made:
                    words = "Stopped after {count} of {total} styles, which are kept."
                    words = say(language, words, count=len(made), **counts)
                    updates[stage.many] = stage.gallery(together(made, names, ""))
                yield updates | {stage.status: status.plain(words)}, True
                return
            if isinstance(state, Finished):
                made.append(self._saved(state, language, {}))
                words = say(language, "{count} of {total} styles", count=len(made), **counts)
                last = len(made) == len(looks)
                if last:
                    words = "{total} styles in {seconds} s. Pick a picture to see it large."
                    seconds = f"{time.monotonic() - began:.1f}"
                    words = say(language, words, seconds=seconds, **counts)
                whole = together(made, names, status.plain(words))
                if last:
                    updates = stage.keep(whole, earlier, self._targets(language))
                else:  # small copies come sooner
                    updates = stage.file(whole, earlier, self._targets(language))
                    gallery = stage.gallery(replace(whole, files=whole.small))
                    # One that has been picked meanwhile stays.
                    updates |= {stage.many: gallery} if made[1:] else stage.place(many=gallery)
                yield updates, last
                continue
            words = status.doing(language, state, looks[number].repo_id)
            loads = isinstance(state, Loading) and not state.transfer
            if loads or isinstance(state, Started | Working):
                said = "Style {number} of {total}: {name}"
                said = say(language, said, number=number + 1, name=looks[number].name, **counts)
                words = status.bar(said, number / len(looks))
            if words != told:
                told = updates[stage.status] = words
            yield updates or {stage.status: gr.skip()}, False

    def _tried(self, inputs: Mapping[str, Any], look: Look) -> dict[str, Any]:
        """Inputs for one of all styles: no larger than :data:`TRIED_AT`, and nothing mixed in."""
        rest = dict(inputs)
        if self.choice.look:
            own = form_of(self.method.forward).by_name.keys() - {"content", "strength"}
            rest = {name: value for name, value in inputs.items() if name not in own}
        checked = self.inputs.form.check(rest)
        size = min(checked["size"] or TRIED_AT, TRIED_AT)
        return rest | {"size": size, **look.settings}

    def _saved(self, state: Finished, language: str, picks: Mapping[str, str]) -> Result:
        """Save a finished run, and learn how long it took."""
        progress = state.progress
        names = []
        if record := progress.record:
            self.site.speed.learn(record, progress.total)
            drawn = [alone(record.settings, index) for index in range(len(progress.tensors))]
            if len(drawn) > 1:
                names = [say(language, "seed {seed}", seed=one["seed"]) for one in drawn if one]
            if record.settings.get("way_back"):
                names = [say(language, "Result"), say(language, "And back again")]
        return save(progress, status.done(language, progress, state.loading), picks, names)

    def _targets(self, language: str) -> list[tuple[str, str]]:
        """Titles and names of the tabs that could take a result for their photo."""
        targets = self.site.targets(self.name)
        return [(say(language, tab.method.title), tab.name) for tab in targets]
