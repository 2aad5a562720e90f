"""Small components that Gradio lacks, or has in a form that a keyboard cannot use.

Their texts are translated in the browser by ``sz.t``, which ``static/first.js`` defines; Gradio's
own catalogue reaches labels only. All texts in these templates are the project's own.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import gradio as gr

from space.components import Preview
from space.pictures import Preset
from space.words import LANGUAGES, t, translated
from zoo.method import Paper


def header(tagline: str) -> gr.HTML:
    """Name, one sentence, and the links to the other languages."""
    return gr.HTML(
        value="",
        tagline=tagline,
        languages=[{"tag": tag, "name": name} for tag, name in LANGUAGES.items()],
        elem_id="masthead",
        html_template="""<header class="sz-masthead">
          <svg class="sz-mark" viewBox="0 0 48 48" aria-hidden="true" focusable="false">
            <path d="M24 5C13 5 4 13.200 4 23.500 4 34 12.500 43 23 43c3 0 4.500-1.800 4.500-4.200
              0-2.800-2.300-3.800-2.300-6.300 0-2.300 1.900-3.700 4.600-3.700H35c5.500 0 9-3.600
              9-8.600C44 11.600 35 5 24 5Z" fill="currentColor"/>
            <circle cx="14" cy="19" r="3.600" fill="#f2b544"/><circle cx="23" cy="12.500" r="3.600"
              fill="#e4572e"/><circle cx="33" cy="16" r="3.600" fill="#4ea5d9"/>
            <circle cx="13.500" cy="29" r="3.600" fill="#7bb662"/></svg>
          <div class="sz-title"><h1>Style Zoo</h1><p>${sz.t(tagline)}</p></div>
          <nav class="sz-languages" aria-label="${sz.t('Language')}">${languages.map(l =>
            `<a href="${sz.inLanguage(l.tag)}" lang="${l.tag}" hreflang="${l.tag}"
              ${l.tag === sz.lang ? 'aria-current="true"' : ''}>${l.name}</a>`).join('')}</nav>
        </header>""",
        js_on_load="",
    )


def before_after(name: str, label: str, **options: Any) -> gr.ImageSlider:
    """Two pictures, one over the other, with a line between them that can be moved."""
    return gr.ImageSlider(
        label=label,
        type="filepath",
        format="png",
        interactive=False,
        max_height=560,
        buttons=["fullscreen"],
        elem_id=f"{name}-slider",
        **options,
    )


def preview(name: str, **options: Any) -> Preview:
    """A result while it is made."""
    return Preview(
        label=t("Result"),
        interactive=False,
        format="jpeg",
        buttons=["fullscreen"],
        elem_classes="sz-preview",
        elem_id=name,
        **options,
    )


def about(name: str, summary: str, paper: Paper) -> gr.HTML:
    """The head of a tab: what the method does, and the paper it comes from."""
    return gr.HTML(
        value="",
        name=name,
        summary=summary,
        paper=paper.title,
        authors=paper.authors,
        year=paper.year,
        url=paper.url,
        html_template="""<div class="sz-about"><h2 class="sz-unseen">${sz.t(name)}</h2>
          <p>${sz.t(summary)}</p><p class="sz-paper">${authors},
          <a href="${url}" target="_blank" rel="noreferrer">${paper}</a>, ${year}</p></div>""",
        js_on_load="",
    )


def empty_result(text: str) -> gr.HTML:
    """What stands in the place of a result before there is one."""
    return gr.HTML(
        value="",
        elem_classes="sz-empty-block",
        html_template="""<div class="sz-empty"><svg viewBox="0 0 64 48" aria-hidden="true">
          <rect x="3" y="3" width="58" height="42" rx="3" fill="none" stroke="currentColor"
          stroke-width="2.500"/><circle cx="19" cy="16" r="5" fill="currentColor" opacity=".55"/>
          <path d="M5 42 23 25l11 9 10-11 15 17" fill="none" stroke="currentColor"
          stroke-width="2.500" stroke-linejoin="round"/></svg><p>"""
        f"${{sz.t({literal(text)})}}</p></div>",
        js_on_load="",
    )


def aside(text: str) -> gr.HTML:
    """A sentence in small print."""
    return gr.HTML(
        value="",
        elem_classes="sz-quiet",
        html_template=f"""<p class="sz-hint-text">${{sz.t({literal(text)})}}</p>""",
        js_on_load="",
    )


def opening(name: str, *, caption: str) -> gr.HTML:
    """The head of a tab that is no method's."""
    return gr.HTML(
        value="",
        name=name,
        caption=caption,
        html_template="""<div class="sz-about"><h2 class="sz-unseen">${sz.t(name)}</h2>
          <p>${sz.t(caption)}</p></div>""",
        js_on_load="",
    )


def photo_strip(photos: Sequence[Preset], elem_id: str) -> gr.HTML:
    """Example photos as a row of buttons; ``.click`` gets EventData with the ``id``."""
    return gr.HTML(
        value="",
        caption="Or try one of these",
        photos=[{"id": p.id, "name": p.name, "src": p.thumbnail} for p in photos],
        elem_id=elem_id,
        html_template="""<div class="sz-strip" role="group" aria-label="${sz.t(caption)}">
          <span class="sz-strip-caption" aria-hidden="true">${sz.t(caption)}</span>
          <div>${photos.map(p => `<button type="button" data-id="${p.id}" title="${sz.t(p.name)}">
          <img src="${p.src}" alt="${sz.t(p.name)}" width="64" height="48" loading="lazy"></button>`
          ).join('')}</div></div>""",
        js_on_load="""element.addEventListener('click', (event) => {
            const button = event.target.closest('button[data-id]');
            if (button) trigger('click', {id: button.dataset.id});
        });""",
    )


def run_bar(verb: str, tab: str) -> tuple[gr.HTML, gr.Button, gr.Button]:
    """What starts work in a ``tab``: a place for what it lacks, the button, and Stop."""
    with gr.Column(elem_classes="sz-run-bar", elem_id=f"{tab}-run-bar"):
        note = gr.HTML("", elem_classes="sz-quiet", elem_id=f"{tab}-note")
        with gr.Row():
            go = gr.Button(t(verb), variant="primary", elem_id=f"{tab}-go", min_width=100)
            stop = gr.Button(
                t("Stop"), variant="stop", visible=False, elem_id=f"{tab}-stop", min_width=100
            )
    return note, go, stop


def literal(words: str) -> str:
    """``words`` as a string for the script inside a template."""
    return json.dumps(words).replace("`", "\\u0060").replace("<", "\\u003c")


def inert(words: str) -> str:
    """``words``, which may be a stranger's, as text that is no part of the template around it."""
    return "".join(one if one.isalnum() or one in " ,.-_()" else f"&#{ord(one)};" for one in words)


def radio(option: dict[str, str], group: str) -> str:
    """One thumbnail of a picker."""
    picture = "<i></i>"
    if src := inert(option["src"]):
        picture = f'<img src="{src}" alt="" width="96" height="72" loading="lazy">'
    name = option["name"]
    # What has no translation needs no script, and may come from a stranger's checkpoint.
    name = f"${{sz.t({literal(name)})}}" if translated(name) else inert(name)
    return (
        f'<label title="{name}"><input type="radio" name="{group}" value="{inert(option["id"])}">'
        f"{picture}<span>{name}</span></label>"
    )


def choices_of(label: str, options: Sequence[dict[str, str]], elem_id: str) -> dict[str, Any]:
    """Properties of a :func:`picker` with these options, to make one or to update it."""
    # The value is not in the template: a re-render would take the focus away. All else is
    # written into it, for Gradio forgets the properties of an HTML component that is among an
    # event's outputs before its tab has been opened.
    template = f"""<fieldset class="sz-picker"><legend>${{sz.t({literal(label)})}}</legend>
          <div>{"".join(radio(option, elem_id) for option in options)}</div></fieldset>"""
    # Gradio draws another template only where a value or a property changes as well.
    return {"html_template": template, "drawn": hashlib.sha256(template.encode()).hexdigest()}


def picker(
    label: str, options: Sequence[dict[str, str]], value: str | None, elem_id: str
) -> gr.HTML:
    """Thumbnails to pick one from: real radio buttons, one Tab stop, arrow keys.

    Args:
        label: Legend of the group.
        options: Each with ``id``, ``name`` and ``src``, the address of its thumbnail, or "".
        value: The ``id`` picked at first.
        elem_id: Also names the group of radio buttons.
    """
    return gr.HTML(
        value=value,
        label=t(label),
        elem_id=elem_id,
        **choices_of(label, options, elem_id),
        js_on_load="""const sync = () => element.querySelectorAll('input').forEach((input) => {
            input.checked = input.value === props.value;
        });
        sync();
        const [first, drawn] = [props.value, performance.now()];
        let picked = first;
        element.addEventListener('change', (event) => {
            if (event.target.value === props.value) return;
            picked = event.target.value;
            props.value = picked;
            trigger('input');
            trigger('change');
            requestAnimationFrame(() => {
                sync();
                const input = element.querySelector('input:checked');
                if (input && document.activeElement === document.body) {
                    input.focus({preventScroll: true});
                }
            });
        });
        watch('value', () => {
            // A frame after it has drawn a tab, Gradio gives it its first values once more.
            if (props.value === first && performance.now() - drawn < 1000) props.value = picked;
            sync();
            trigger('change');
        });
        watch('drawn', sync);""",
    )


def log_slider(
    label: str, info: str, low: float, high: float, value: float, elem_id: str
) -> gr.HTML:
    """A slider over powers of ten that shows the number itself; its value is that number."""
    box = f"{elem_id}-number"
    return gr.HTML(
        value=value,
        label=t(label),
        elem_id=elem_id,
        elem_classes="sz-log-block",
        # Written into the template for the reason given in :func:`picker`.
        html_template=f"""<div class="sz-log"><div>
          <label for="{box}">${{sz.t({literal(label)})}}</label>
          <input type="number" id="{box}" step="any" min="{low}" max="{high}">
          </div><p>${{sz.t({literal(info)})}}</p>
          <input type="range" min="{math.log10(low):g}" max="{math.log10(high):g}" step="0.05"
          aria-label="${{sz.t({literal(label)})}}"></div>""",
        js_on_load="""const range = () => element.querySelector('input[type=range]');
        const number = () => element.querySelector('input[type=number]');
        const tidy = (value) => Number(Number(value).toPrecision(2));
        const sync = () => {
            const value = Number(props.value);
            if (!(value > 0) || !range()) return;
            range().value = Math.log10(value);
            range().setAttribute('aria-valuetext', String(value));
            const share = (range().value - range().min) / (range().max - range().min);
            range().style.setProperty('--share', `${100 * share}%`);
            if (document.activeElement !== number()) number().value = value;
        };
        sync();
        element.addEventListener('input', (event) => {
            const typed = event.target.type === 'number';
            const value = typed ? Number(event.target.value) : tidy(10 ** event.target.value);
            if (!(value > 0)) return;
            props.value = value;
            sync();
        });
        element.addEventListener('change', () => { sync(); trigger('change'); });
        watch('value', sync);""",
    )
