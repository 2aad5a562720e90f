"""Branches, tags and the commits on them."""

from typing import Any

from starlette.responses import Response

from zoo.hub.server.access import readable_repo, writable_repo
from zoo.hub.server.errors import ConflictError, RevisionNotFoundError
from zoo.hub.server.formats import timestamp
from zoo.hub.server.indexing import index_head
from zoo.hub.server.names import branch_ref, tag_ref
from zoo.hub.server.repository import MAIN, Signature
from zoo.hub.server.routing import API, REVISION, Call, Routes, answer

routes = Routes()

_PAGE = 50


@routes.get(API + "/refs")
def refs(call: Call) -> Response:
    """List branches and tags, and with ``include_prs`` the branches of pull requests."""
    repo = readable_repo(call)
    result: dict[str, list[dict[str, str]]] = {"branches": [], "tags": [], "converts": []}
    groups = {b"refs/heads/": "branches", b"refs/tags/": "tags"}
    if call.flag("include_prs"):
        result["pullRequests"] = []
        groups[b"refs/pr/"] = "pullRequests"
    with call.hub.repositories.open(repo.uid) as repository:
        for ref, commit in sorted(repository.refs().items()):
            for prefix, group in groups.items():
                if ref.startswith(prefix):
                    full = ref.decode("utf-8", "replace")
                    name = full if group == "pullRequests" else full[len(prefix) :]
                    result[group].append({"name": name, "ref": full, "targetCommit": commit})
    return answer(result)


@routes.get(API + "/commits/" + REVISION)
def commits(call: Call) -> Response:
    """List the history of a revision in pages, newest first."""
    repo = readable_repo(call)
    limit = call.number("limit", _PAGE, low=1, high=1000)
    offset = call.number("p", 0, high=1 << 20) * limit
    formatted = "formatted" in call.query_list("expand")
    items: list[dict[str, Any]] = []
    with call.hub.repositories.open(repo.uid) as repository:
        start = repository.resolve(call.params["revision"])
        more = False
        for index, commit in enumerate(repository.commits(start)):
            if index < offset:
                continue
            if index == offset + limit:
                more = True
                break
            text = commit.message.decode("utf-8", "replace")
            title, _, message = text.partition("\n")
            item: dict[str, Any] = {
                "id": commit.id.decode(),
                "title": title,
                "message": message.strip("\n"),
                "authors": [{"user": commit.author.decode("utf-8", "replace").split(" <")[0]}],
                "date": timestamp(commit.commit_time),
            }
            if formatted:
                item["formatted"] = {"title": item["title"], "message": item["message"]}
            items.append(item)
    page = call.number("p", 0, high=1 << 20)
    headers = {"X-Total-Count": str(offset + len(items) + more)}
    return answer(items, headers=headers | (call.next_link(p=page + 1) if more else {}))


@routes.post(API + "/branch/(?P<name>.+)")
def create_branch(call: Call) -> Response:
    """Make a branch, from ``main`` unless another start is named."""
    repo, _ = writable_repo(call)
    ref = branch_ref(call.params["name"])
    with call.hub.repositories.writing(repo.uid) as repository:
        start = repository.resolve(call.value("startingPoint", str, "main"))
        repository.create_branch(ref, start)
    return answer({"success": True})


@routes.delete(API + "/branch/(?P<name>.+)")
def delete_branch(call: Call) -> Response:
    """Remove a branch."""
    repo, _ = writable_repo(call)
    with call.hub.repositories.writing(repo.uid) as repository:
        repository.delete_branch(branch_ref(call.params["name"]))
    return answer({"success": True})


@routes.post(API + "/tag/" + REVISION)
def create_tag(call: Call) -> Response:
    """Tag a revision, with a message or without."""
    repo, caller = writable_repo(call)
    name = call.value("tag", str)
    message = call.value("message", str, "")
    ref = tag_ref(name)
    with call.hub.repositories.writing(repo.uid) as repository:
        target = repository.resolve(call.params["revision"])
        if repository.ref(ref) is not None:
            raise ConflictError("Tag reference {ref} already exists", ref=ref.decode())
        if message:
            target = repository.tag(name, target, Signature(str(caller.name), message))
        repository.move(ref, None, target)
    return answer({"success": True})


@routes.delete(API + "/tag/(?P<name>.+)")
def delete_tag(call: Call) -> Response:
    """Remove a tag."""
    repo, _ = writable_repo(call)
    ref = tag_ref(call.params["name"])
    with call.hub.repositories.writing(repo.uid) as repository:
        old = repository.ref(ref)
        if old is None:
            raise RevisionNotFoundError("Invalid rev id: {name}", name=call.params["name"])
        repository.move(ref, old, None)
    return answer({"success": True})


@routes.post(API + "/super-squash/(?P<name>.+)")
def super_squash(call: Call) -> Response:
    """Replace a branch's history by one commit with the same files."""
    repo, caller = writable_repo(call)
    ref = branch_ref(call.params["name"])
    message = call.value("message", str, "") or "Super-squash branch using huggingface_hub"
    with call.hub.repositories.writing(repo.uid) as repository:
        old = repository.ref(ref)
        if old is None:
            raise RevisionNotFoundError("Invalid rev id: {name}", name=call.params["name"])
        signature = Signature(str(caller.name), message)
        squashed = repository.commit_tree((), repository.commit(old).tree, signature)
        repository.move(ref, old, squashed.id.decode())
        if ref == MAIN:
            index_head(call.hub.store, repository, repo.uid)
    return answer({"success": True})
