"""The Markdown of cards as HTML. It comes from strangers: what is not plain text, a link or a
picture of the same repository is taken out.
"""

import re
from collections.abc import Callable
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_ELSEWHERE = re.compile(r"(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
_markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_ALLOWED_TAGS: Final = {
    *("h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "ul", "ol", "li"),
    *("a", "abbr", "b", "code", "del", "em", "i", "img", "kbd", "s", "small", "strong"),
    *("sub", "sup", "dl", "dt", "dd", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
# As nh3 writes it: lower case, and no quotation mark inside a value.
_IMAGE = re.compile(r'<img((?: [a-z]+="[^"]*")*)>')
_ALLOWED_ATTRIBUTES: Final[dict[str, set[str]]] = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "th": {"colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
}


def render(
    text: str, address: Callable[[str, str], str | None], *, folder: str = "", under: int = 1
) -> Markup:
    """Render a card and keep what is harmless of it.

    Args:
        text: With or without front matter, which is left out.
        address: Where something of the same repository is, given "blob" for what a link leads to
            or "resolve" for a picture, and its path; None leaves it out.
        folder: Where the text lies in the repository.
        under: Level of the heading that this stands below, 1 to 5.
    """
    tokens = _markdown.parse(_FRONT_MATTER.sub("", text, count=1))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + under, 6)}"
    html = _markdown.renderer.render(tokens, _markdown.options, {})

    def attribute(tag: str, name: str, value: str) -> str | None:
        if name not in ("href", "src") or value.startswith("#"):
            return value
        if _ELSEWHERE.match(value):
            # Pictures elsewhere would tell their server who reads this page.
            return value if name == "href" else None
        return address("resolve" if name == "src" else "blob", _resolve(folder, value))

    clean = nh3.clean(
        html,
        tags=_ALLOWED_TAGS,
        attributes=_ALLOWED_ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        clean_content_tags={"script", "style"},
    )
    clean = _IMAGE.sub(_with_alt, clean)
    # A table wider than a phone scrolls by itself, with the keyboard too.
    frame = '<div class="scroll" tabindex="0" role="group" aria-label="Table">'
    clean = clean.replace("<table>", f"{frame}<table>").replace("</table>", "</table></div>")
    return Markup(clean)  # noqa: S704 - cleaned above


def _with_alt(image: re.Match[str]) -> str:
    """Say of a picture without a description that it is decoration."""
    return image[0] if ' alt="' in image[1] else f'<img alt=""{image[1]}>'


def _resolve(folder: str, address: str) -> str:
    """The path in the repository that a relative address means, never above its root."""
    path, hash_, anchor = address.partition("#")
    parts: list[str] = [] if path.startswith("/") else [p for p in folder.split("/") if p]
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) + hash_ + anchor
