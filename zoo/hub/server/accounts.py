"""Who one is, what others may know of a user, and likes."""

import time
from typing import Any

from starlette.responses import Response

from zoo.hub.server.access import caller_of, find_repo, required_caller, visible
from zoo.hub.server.errors import ForbiddenError, NotFoundError
from zoo.hub.server.formats import timestamp
from zoo.hub.server.routing import API, Call, Routes, answer
from zoo.hub.server.store import Row

routes = Routes()

_USER = r"(?P<user>[^/]+)"


@routes.get("/api/whoami-v2")
def whoami(call: Call) -> Response:
    """Tell the owner of a token who they are."""
    caller = required_caller(call)
    name = str(caller.name)
    organizations = [
        {"type": "org", "id": org.lower(), "name": org, "fullname": org, "roleInOrg": "write"}
        for org in call.hub.store.organizations(name)
    ]
    token = {"displayName": caller.token_name, "role": caller.role}
    return answer(
        {
            "type": "user",
            "id": name.lower(),
            "name": name,
            "fullname": name,
            "email": None,
            "emailVerified": False,
            "isPro": False,
            "canPay": False,
            "avatarUrl": "",
            "orgs": organizations,
            "auth": {"type": "access_token", "accessToken": token},
        }
    )


@routes.get("/api/agent-harnesses")
def agent_harnesses(call: Call) -> Response:
    """Answer what every ``hf`` command asks first, with nothing to report."""
    return answer({"standardEnvVars": [], "harnesses": {}})


def _user(call: Call, kind: str) -> Row:
    row = call.hub.store.user(call.params["user"])
    # A closed hub tells strangers no names either.
    if row is None or row["kind"] != kind or (call.hub.closed and not caller_of(call).name):
        raise NotFoundError("There is no such user or organization.")
    return row


@routes.get(f"/api/users/{_USER}/overview")
def user_overview(call: Call) -> Response:
    """Describe a user by what is public."""
    row = _user(call, "user")
    organizations = [
        {"name": name, "fullname": name, "avatarUrl": ""}
        for name in call.hub.store.organizations(row["name"])
    ]
    return answer({**_overview(call, row), "user": row["name"], "orgs": organizations})


@routes.get(f"/api/organizations/{_USER}/overview")
def organization_overview(call: Call) -> Response:
    """Describe an organisation by what is public."""
    return answer(_overview(call, _user(call, "org")))


def _overview(call: Call, row: Row) -> dict[str, Any]:
    caller = caller_of(call)
    mine = [
        repo
        for repo in call.hub.store.repos()
        if repo.namespace.lower() == row["name"].lower()
        and visible(caller, repo, closed=call.hub.closed)
    ]
    counts = {
        f"num{k.title()}s": sum(r.kind == k for r in mine) for k in ("model", "dataset", "space")
    }
    return {
        "name": row["name"],
        "fullname": row["name"],
        "type": row["kind"],
        "avatarUrl": "",
        "isPro": False,
        "createdAt": timestamp(row["created"]),
        **counts,
    }


@routes.get(f"/api/organizations/{_USER}/members")
def members(call: Call) -> Response:
    """List who belongs to an organisation."""
    name = _user(call, "org")["name"]
    rows = call.hub.store.rows("SELECT user FROM members WHERE organization = ?", name)
    return answer([_person(row["user"]) for row in rows])


def _person(name: str) -> dict[str, Any]:
    return {"user": name, "fullname": name, "avatarUrl": "", "isPro": False, "type": "user"}


@routes.get(f"/api/(?:organizations/{_USER}/)?settings/repositories")
def my_repositories(call: Call) -> Response:
    """List the caller's own repositories, or an organisation's, with what they use."""
    caller = required_caller(call)
    namespace = call.params.get("user", str(caller.name))
    if not caller.owns(namespace):
        raise ForbiddenError("You do not belong to {name}.", name=namespace)
    wanted = call.query("type")
    items = []
    for repo in sorted(call.hub.store.repos(), key=lambda repo: -repo.modified):
        if repo.namespace.lower() == namespace.lower() and wanted in (None, repo.kind):
            items.append(
                {
                    "_id": repo.uid,
                    "id": repo.id,
                    "name": repo.id,
                    "type": repo.kind,
                    "private": repo.private,
                    "visibility": "private" if repo.private else "public",
                    "gated": repo.gated or False,
                    "createdAt": timestamp(repo.created),
                    "updatedAt": timestamp(repo.modified),
                    "lastModified": timestamp(repo.modified),
                    "likes": repo.likes,
                    "downloads": repo.downloads,
                    "storage": call.hub.store.used_storage(repo.uid),
                    "usedStorage": call.hub.store.used_storage(repo.uid),
                }
            )
    return answer(items)


@routes.post(API + "/like")
def like(call: Call) -> Response:
    """Like a repository."""
    repo, user = find_repo(call), required_caller(call).name
    sql = "INSERT OR IGNORE INTO likes VALUES (?, ?, ?)"
    call.hub.store.run(sql, repo.uid, user, time.time())
    return answer({"success": True})


@routes.delete(API + "/like")
def unlike(call: Call) -> Response:
    """Take a like back."""
    repo, user = find_repo(call), required_caller(call).name
    call.hub.store.run("DELETE FROM likes WHERE uid = ? AND user = ?", repo.uid, user)
    return answer({"success": True})


@routes.get(API + "/likers")
def likers(call: Call) -> Response:
    """List who likes a repository."""
    repo = find_repo(call)
    rows = call.hub.store.rows("SELECT user FROM likes WHERE uid = ? ORDER BY created", repo.uid)
    return answer([_person(row["user"]) for row in rows])


@routes.get(f"/api/users/{_USER}/likes")
def likes_of(call: Call) -> Response:
    """List what a user likes, as far as the caller may know of it."""
    user = _user(call, "user")["name"]
    caller = caller_of(call)
    rows = call.hub.store.rows("SELECT * FROM likes WHERE user = ? ORDER BY created DESC", user)
    items = []
    for row in rows:
        repo = call.hub.store.repo_by_uid(row["uid"])
        if repo is not None and visible(caller, repo, closed=call.hub.closed):
            entry = {"name": repo.id, "type": repo.kind}
            items.append({"createdAt": timestamp(row["created"]), "repo": entry})
    return answer(items)
