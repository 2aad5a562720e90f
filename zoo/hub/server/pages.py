"""Pages for people: what the hub has, rendered here, without scripts and without outside requests.

What a card says comes from strangers. Its Markdown is rendered, then cleaned of everything that
is not plain text, links and pictures, and a Content-Security-Policy lets the browser load nothing
but our own style sheet and files of this hub.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from zoo.card import CardFacts, from_mapping
from zoo.hub.server.access import caller_of, readable_repo, visible
from zoo.hub.server.contents import describe, split_revision
from zoo.hub.server.errors import EntryNotFoundError, GatedRepoError, HubError, RepoNotFoundError
from zoo.hub.server.formats import timestamp
from zoo.hub.server.markdown import render
from zoo.hub.server.repository import Repository
from zoo.hub.server.routing import WEB, Call, Routes
from zoo.hub.server.store import Repo

routes = Routes()

_FOLDER = Path(__file__).parent / "templates"
_STYLE: Final = (_FOLDER / "hub.css").read_bytes()
_MARK: Final = (_FOLDER / "mark.svg").read_bytes()
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # What a page shows depends on who asks.
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization",
}
# An address of a repository that could not also be one of the API.
_REPO = WEB.replace("(?P<repo>", "(?P<repo>(?!api/|static/)", 1)
_REST = "/(?P<revision>[^/]+)(?:/(?P<path>.*))?"

_MODELS_ON_PAGE, _COMMITS_ON_PAGE, _FILES_ON_PAGE = 24, 50, 500
_FILES_ON_CARD, _PICTURES_ON_CARD, _TAGS_OFFERED = 100, 12, 24
_TEXT_MAX_BYTES = 256 << 10
_PICTURE = re.compile(r".*\.(?:png|jpe?g|webp|gif|avif)", re.IGNORECASE)

# Tags that say nothing to people who look for a model here.
_DULL_TAGS = frozenset(("style-zoo", "style-transfer"))


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def _short(revision: str) -> str:
    return revision[:8] if re.fullmatch(r"[0-9a-f]{40}", revision) else revision


_templates = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "size": _size,
    "short": _short,
    "timestamp": timestamp,
    "day": lambda seconds: timestamp(seconds)[:10],
}


def _root(call: Call) -> str:
    """The path under which the hub is mounted, without a closing slash."""
    return urlsplit(call.base_url).path


def _url(root: str) -> Callable[..., str]:
    """Make the function that templates write addresses with."""

    def url(place: str, view: str = "", revision: str = "", path: str = "", **query: Any) -> str:
        parts = [root, quote(place)] if place else [root]
        parts += [view, quote(revision, safe="")] if view else []
        parts += [quote(path)] if path else []
        given = {name: value for name, value in query.items() if value}
        # A list of models needs its closing slash: it is the root of the hub.
        address = "/".join(parts) if place else f"{root}/"
        return f"{address}?{urlencode(given, doseq=True)}" if given else address

    return url


def _render(call: Call, name: str, status: int = 200, **values: Any) -> Response:
    root = _root(call)
    html = _templates.get_template(name).render(
        root=root,
        url=_url(root),
        endpoint=call.base_url,
        style_version=hashlib.sha256(_STYLE).hexdigest()[:12],
        **values,
    )
    return Response(html, status, _HEADERS, "text/html; charset=utf-8")


def _page(handler: Callable[[Call], Response]) -> Callable[[Call], Response]:
    """Show the errors of a page as a page."""

    @wraps(handler)
    def shown(call: Call) -> Response:
        try:
            return handler(call)
        except RepoNotFoundError:
            # 404 to strangers too: a browser's question for a password would tell that there is
            # something to be let into.
            status, heading = 404, "There is nothing here"
            words = "No repository has this name, or it is private."
        except GatedRepoError as error:
            status, heading, words = 403, "For members only", str(error)
        except HubError as error:
            status, words = error.status, str(error)
            heading = "Not found" if status == 404 else "This cannot be shown"
        return _render(call, "error.html", status, heading=heading, words=words)

    return shown


@routes.get("/static/hub\\.css")
def style(call: Call) -> Response:
    """Send the style sheet."""
    return _static(_STYLE, "text/css; charset=utf-8")


@routes.get("/static/mark\\.svg")
def mark(call: Call) -> Response:
    """Send the mark."""
    return _static(_MARK, "image/svg+xml")


def _static(content: bytes, kind: str) -> Response:
    headers = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
    return Response(content, 200, headers, kind)


@routes.get("/")
@_page
def index(call: Call) -> Response:
    """List the models that fit a search."""
    caller = caller_of(call)
    search = (call.query("search") or "").strip()[:200]
    filters = list(dict.fromkeys(call.query_list("filter")))[:10]
    number = call.number("p", 0, high=1 << 20)
    found = []
    tags: Counter[str] = Counter()
    for repo in call.hub.store.repos("model"):
        if not visible(caller, repo, closed=call.hub.closed):
            continue
        facts = from_mapping(repo.card)
        if set(filters) <= set(repo.tags) and _fits(search, repo, facts):
            found.append({"repo": repo, "facts": facts})
            tags.update(set(repo.tags) - _DULL_TAGS - set(filters))
    found.sort(key=lambda item: (-item["repo"].modified, item["repo"].id))  # type: ignore[attr-defined]
    start = number * _MODELS_ON_PAGE
    return _render(
        call,
        "index.html",
        here="",
        search=search,
        filters=filters,
        params={"search": search, "filter": filters},
        methods=sorted(tags.most_common(_TAGS_OFFERED)),
        items=found[start : start + _MODELS_ON_PAGE],
        total=len(found),
        number=number,
        more=start + _MODELS_ON_PAGE < len(found),
        closed=call.hub.closed and caller.name is None,
    )


def _fits(search: str, repo: Repo, facts: CardFacts) -> bool:
    text = " ".join((repo.id, facts.title, facts.summary, *repo.tags)).lower()
    return all(word in text for word in search.lower().split())


@routes.get(_REPO + "/?")
@_page
def card(call: Call) -> Response:
    """Show what a repository is: card, files, revisions, ways to download."""
    repo = readable_repo(call)
    with call.hub.repositories.open(repo.uid) as repository:
        commit = repository.resolve("main")
        entries = [e for e in repository.listing(commit, recursive=True) if not e.folder]
        files = describe(call.hub.store, repository, entries)
        readme = repository.read(commit, "README.md")
        revisions = [
            (_revision_name(ref), sha)
            for ref, sha in sorted(repository.refs().items())
            if ref.startswith((b"refs/heads/", b"refs/tags/"))
        ]
    text = _card_html(readme, f"{_root(call)}/{repo.prefix}{quote(repo.id)}", commit)
    pictures = [e.path for e in entries if _PICTURE.fullmatch(e.path)]
    return _render(
        call,
        "card.html",
        repo=repo,
        facts=from_mapping(repo.card),
        commit=commit,
        card=text,
        # A card that shows its samples needs no second look at them.
        pictures=[] if "<img" in text else pictures[:_PICTURES_ON_CARD],
        ways=_ways(call.base_url, repo),
        revisions=revisions[:50],
        files=files[:_FILES_ON_CARD],
        more_files=len(files) > _FILES_ON_CARD,
        total=sum(file["size"] for file in files),
    )


def _revision_name(ref: bytes) -> str:
    return ref.split(b"/", 2)[2].decode("utf-8", "replace")


def _ways(endpoint: str, repo: Repo) -> list[tuple[str, str]]:
    """Three ways to download, each with this hub's address in it."""
    kind = "" if repo.kind == "model" else f" --repo-type {repo.kind}"
    argument = "" if repo.kind == "model" else f'\n    repo_type="{repo.kind}",'
    python = (
        "from huggingface_hub import snapshot_download\n\n"
        f'folder = snapshot_download(\n    "{repo.id}",{argument}\n    endpoint="{endpoint}",\n)'
    )
    shell = f"export HF_ENDPOINT={endpoint}\n"
    ways = [
        ("Command line", f"{shell}hf download {repo.id}{kind}"),
        ("Python", python),
        ("git", f"git clone {endpoint}/{repo.prefix}{repo.id}"),
    ]
    if repo.library == "style-zoo":
        ways.append(("Style Zoo", f"{shell}python -m zoo pull {repo.id}"))
    return ways


@routes.get(_REPO + "/tree" + _REST)
@_page
def tree(call: Call) -> Response:
    """Show a folder of a revision."""
    repo = readable_repo(call)
    number = call.number("p", 0, high=1 << 20)
    start = number * _FILES_ON_PAGE
    with call.hub.repositories.open(repo.uid) as repository:
        commit, revision, path = _place(repository, call)
        entries = list(repository.listing(commit, path))
        items = describe(call.hub.store, repository, entries[start : start + _FILES_ON_PAGE])
        last = _commit(repository, commit)
    items.sort(key=lambda item: item["type"] != "directory")
    return _render(
        call,
        "tree.html",
        here=call.request.url.path.removeprefix(_root(call)).strip("/"),
        repo=repo,
        revision=revision,
        commit=commit,
        path=path,
        last=last,
        items=items,
        number=number,
        more=start + _FILES_ON_PAGE < len(entries),
    )


@routes.get(_REPO + "/blob" + _REST)
@_page
def blob(call: Call) -> Response:
    """Show a file: a picture, a card or text."""
    repo = readable_repo(call)
    with call.hub.repositories.open(repo.uid) as repository:
        commit, revision, path = _place(repository, call)
        entry = repository.entry(commit, path) if path else None
        if entry is None or entry.folder:
            raise EntryNotFoundError("There is no file “{path}” here.", path=path)
        (file,) = describe(call.hub.store, repository, [entry])
        short = "lfs" not in file and file["size"] <= _TEXT_MAX_BYTES
        content = repository.blob(entry.sha) if short else None
    text = _text(content)
    html = Markup("")
    if text is not None and path.lower().endswith(".md"):
        here = f"{_root(call)}/{repo.prefix}{quote(repo.id)}"
        html = _card_html(content, here, commit, path.rpartition("/")[0])
    return _render(
        call,
        "blob.html",
        repo=repo,
        revision=revision,
        commit=commit,
        path=path,
        file=file,
        text=text,
        card=html,
        picture=_PICTURE.fullmatch(path) is not None,
    )


def _text(content: bytes | None) -> str | None:
    """``content`` as text, if it is text."""
    if content is None or b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


@routes.get(_REPO + "/commits" + _REST)
@_page
def commits(call: Call) -> Response:
    """Show the history of a revision."""
    repo = readable_repo(call)
    number = call.number("p", 0, high=1 << 20)
    start, items = number * _COMMITS_ON_PAGE, []
    with call.hub.repositories.open(repo.uid) as repository:
        commit, revision, _ = _place(repository, call)
        for index, made in enumerate(repository.commits(commit)):
            if index > start + _COMMITS_ON_PAGE:
                break
            if index >= start:
                items.append(_commit(repository, made.id.decode()))
    return _render(
        call,
        "commits.html",
        here=f"{repo.prefix}{repo.id}/commits/{revision}",
        repo=repo,
        revision=revision,
        items=items[:_COMMITS_ON_PAGE],
        number=number,
        more=len(items) > _COMMITS_ON_PAGE,
    )


@routes.get(_REPO + "/commit/(?P<revision>[^/]+)")
@_page
def commit_page(call: Call) -> Response:
    """Send on to the files of a commit; the client prints this address after a push."""
    repo = readable_repo(call)
    with call.hub.repositories.open(repo.uid) as repository:
        commit = repository.resolve(call.params["revision"])
    return RedirectResponse(f"{_root(call)}/{repo.prefix}{quote(repo.id)}/tree/{commit}", 302)


def _place(repository: Repository, call: Call) -> tuple[str, str, str]:
    """The commit, the revision as it was asked for, and the path of an address."""
    typed = call.params.get("path", "").strip("/")
    # With a slash at the end, the whole of what was typed may be the revision.
    params = {"revision": call.params["revision"], "path": f"{typed}/"}
    commit, path = split_revision(repository, params)
    path = path.strip("/")
    asked = f"{params['revision']}/{typed}".strip("/")
    return commit, asked.removesuffix(path).rstrip("/"), path


def _commit(repository: Repository, sha: str) -> dict[str, Any]:
    made = repository.commit(sha)
    title, _, message = made.message.decode("utf-8", "replace").partition("\n")
    return {
        "id": sha,
        "title": title,
        "message": message.strip("\n"),
        "author": made.author.decode("utf-8", "replace").split(" <")[0],
        "time": made.commit_time,
    }


def _card_html(readme: bytes | None, repo_url: str, commit: str, folder: str = "") -> Markup:
    """Render the Markdown of a card and keep what is harmless of it.

    Args:
        readme: The file; None renders as nothing.
        repo_url: Path of the repository's page.
        commit: Revision that relative addresses are of.
        folder: Where the file lies in the repository.
    """
    if readme is None or len(readme) > _TEXT_MAX_BYTES:
        return Markup("")
    return _rendered(readme.decode("utf-8", "replace"), repo_url, commit, folder)


@lru_cache(maxsize=64)
def _rendered(readme: str, repo_url: str, commit: str, folder: str) -> Markup:
    return render(readme, lambda view, path: f"{repo_url}/{view}/{commit}/{path}", folder=folder)
