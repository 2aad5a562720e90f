"""Descriptions of repositories, one or many."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from zoo.hub.server.access import caller_of, find_repo, readable_repo, visible, writable_repo
from zoo.hub.server.contents import siblings
from zoo.hub.server.errors import BadRequestError
from zoo.hub.server.formats import timestamp
from zoo.hub.server.routing import API, REVISION, Call, Routes, answer
from zoo.hub.server.spaces import runtime
from zoo.hub.server.store import Repo

routes = Routes()

_PAGE_MAX = 1000
_SORTS: dict[str, Callable[[Repo], float]] = {
    "lastModified": lambda repo: repo.modified,
    "createdAt": lambda repo: repo.created,
    "downloads": lambda repo: repo.downloads,
    "likes": lambda repo: repo.likes,
    "trendingScore": lambda repo: repo.downloads + 10 * repo.likes,
}


def summary(repo: Repo) -> dict[str, Any]:
    """Return what is known of a repository without opening it."""
    result: dict[str, Any] = {
        "_id": repo.uid,
        "id": repo.id,
        "author": repo.namespace,
        "sha": repo.head or None,
        "private": repo.private,
        "gated": repo.gated or False,
        "disabled": False,
        "createdAt": timestamp(repo.created),
        "lastModified": timestamp(repo.modified),
        "downloads": repo.downloads,
        "downloadsAllTime": repo.downloads,
        "likes": repo.likes,
        "trendingScore": int(_SORTS["trendingScore"](repo)),
        "tags": repo.tags,
        "cardData": repo.card,
    }
    if repo.kind == "model":
        result["modelId"] = repo.id
        result["library_name"] = repo.library
        result["pipeline_tag"] = repo.pipeline
    if repo.kind == "space":
        result["sdk"] = repo.sdk
    return result


def _selected(call: Call, repo: Repo, item: dict[str, Any], full: bool) -> dict[str, Any]:
    """Reduce a description to what the call asks for."""
    expand = call.query_list("expand")
    if expand:
        return {name: item[name] for name in ("_id", "id", *expand) if name in item}
    if not full and not call.flag("cardData"):
        item.pop("cardData")
    return item


@routes.get(API)
def repo_info(call: Call) -> Response:
    """Describe a repository at the head of its main branch."""
    return _info(call, "main")


@routes.get(API + "/revision/" + REVISION)
def revision_info(call: Call) -> Response:
    """Describe a repository at a revision."""
    return _info(call, call.params["revision"])


def _info(call: Call, revision: str) -> Response:
    # What a gated repository is about, and which files it has, stays readable for everybody.
    repo = find_repo(call)
    item = summary(repo)
    expand = call.query_list("expand")
    with call.hub.repositories.open(repo.uid) as repository:
        commit = repository.resolve(revision)
        item["sha"] = commit
        item["lastModified"] = timestamp(repository.commit(commit).commit_time)
        if not expand or "siblings" in expand:
            blobs = call.flag("blobs")
            item["siblings"] = siblings(call.hub.store, repository, commit, blobs=blobs)
    if repo.kind == "space":
        item["runtime"] = runtime(call.hub.store, repo.uid)
    item["usedStorage"] = call.hub.store.used_storage(repo.uid)
    return answer(_selected(call, repo, item, True))


@routes.get("/api/(?P<kind>model|dataset|space)s")
def list_repos(call: Call) -> Response:
    """List the repositories that the caller may know of and that pass every filter."""
    caller = caller_of(call)
    repos = [
        repo
        for repo in call.hub.store.repos(call.kind)
        if visible(caller, repo, closed=call.hub.closed) and _matches(call, repo)
    ]
    sort = call.query("sort") or "lastModified"
    if sort not in _SORTS:
        raise BadRequestError("Repositories cannot be sorted by “{sort}”.", sort=sort)
    # Newest last where equal, then reversed: a total order, so that pages never overlap.
    ascending = call.query("direction") == "1"
    repos.sort(key=lambda repo: (_SORTS[sort](repo), repo.created, repo.uid), reverse=not ascending)

    limit = call.number("limit", _PAGE_MAX, low=1, high=_PAGE_MAX)
    offset = call.number("cursor", 0)
    full = call.flag("full")
    items = []
    for repo in repos[offset : offset + limit]:
        item = summary(repo)
        if full or "siblings" in call.query_list("expand"):
            with call.hub.repositories.open(repo.uid) as repository:
                commit = repository.resolve("main")
                item["siblings"] = siblings(call.hub.store, repository, commit, blobs=False)
        items.append(_selected(call, repo, item, full))
    more = offset + limit < len(repos)
    return answer(items, headers=call.next_link(cursor=offset + limit) if more else {})


def _matches(call: Call, repo: Repo) -> bool:
    """Say whether a repository passes every filter of the query."""
    search, author = call.query("search"), call.query("author")
    if author is not None and repo.namespace.lower() != author.lower():
        return False
    if search and not all(word in repo.id.lower() for word in search.lower().split()):
        return False
    if (task := call.query("pipeline_tag")) is not None and repo.pipeline != task:
        return False
    if (gated := call.query("gated")) is not None and call.flag("gated") != bool(repo.gated):
        return gated == repo.gated
    tags = {tag.lower() for tag in repo.tags}
    if repo.sdk:
        tags.add(repo.sdk.lower())
    wanted = (
        word.strip().lower() for text in call.query_list("filter") for word in text.split(",")
    )
    # The client asks for a dataset's language by another name than for a model's.
    return all(word.removeprefix("language:") in tags or word in tags for word in wanted if word)


@routes.get("/api/(?P<kind>model|dataset)s-tags-by-type")
def tags_by_type(call: Call) -> Response:
    """List every tag in use."""
    caller = caller_of(call)
    tags: dict[str, list[dict[str, str]]] = {}
    seen: set[str] = set()
    for repo in call.hub.store.repos(call.kind):
        for tag in repo.tags if visible(caller, repo, closed=call.hub.closed) else ():
            if tag not in seen:
                seen.add(tag)
                kind, _, label = tag.rpartition(":")
                entry = {"id": tag, "label": label, "type": kind or "other"}
                tags.setdefault(kind or "other", []).append(entry)
    return answer(tags)


@routes.get(API + "/auth-check")
def auth_check(call: Call) -> Response:
    """Say whether the caller may read the files."""
    readable_repo(call)
    return answer({})


@routes.get(API + "/auth-check/write")
def auth_check_write(call: Call) -> Response:
    """Say whether the caller may change the repository."""
    writable_repo(call)
    return answer({})
