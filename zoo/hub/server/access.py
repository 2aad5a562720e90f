"""Who asks, and what they may see and change.

A repository that a caller may not see does not exist for them: 404 with a token, 401 without, the
same words either way. A token this hub does not know counts as none: clients send whatever token
they have, often one for another hub.
"""

import base64
import binascii
from dataclasses import dataclass

from zoo.hub.server.errors import (
    ForbiddenError,
    GatedRepoError,
    RepoNotFoundError,
    UnauthorizedError,
)
from zoo.hub.server.routing import Call
from zoo.hub.server.store import Repo


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    Attributes:
        name: The user, ``None`` if nobody in particular.
        role: ``"read"`` or ``"write"``.
        namespaces: Lower-cased names whose repositories are theirs.
        token_name: What the user called the token.
        rejected: A token came along that this hub does not know.
    """

    name: str | None = None
    role: str = "read"
    namespaces: frozenset[str] = frozenset()
    token_name: str = ""
    rejected: bool = False

    def owns(self, namespace: str) -> bool:
        """Say whether the caller belongs to ``namespace``."""
        return namespace.lower() in self.namespaces


def caller_of(call: Call) -> Caller:
    """Identify the sender from ``Authorization``: a bearer token, or one as a password for git."""
    scheme, _, value = call.request.headers.get("authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Caller(rejected=True)
        value = password or user
    elif scheme.lower() != "bearer":
        return Caller(rejected=bool(value))
    row = call.hub.store.token(value) if value else None
    if row is None:
        return Caller(rejected=bool(value))
    names = {row["user"].lower(), *(o.lower() for o in call.hub.store.organizations(row["user"]))}
    return Caller(row["user"], row["role"], frozenset(names), row["name"])


def required_caller(call: Call) -> Caller:
    """Identify the sender, who must be somebody.

    Raises:
        UnauthorizedError: They are not.
    """
    caller = caller_of(call)
    if caller.name is None:
        raise _unauthorized(caller)
    return caller


def writing_caller(call: Call, namespace: str) -> Caller:
    """Identify the sender, who must be allowed to change what is in ``namespace``.

    Raises:
        UnauthorizedError: There is no valid token.
        ForbiddenError: It is a token for reading, or somebody else's.
    """
    caller = required_caller(call)
    if caller.role != "write":
        raise ForbiddenError("This token may only read. Use one with the role “write”.")
    if not caller.owns(namespace):
        raise ForbiddenError(
            "{user} doesn't have the rights to write under “{namespace}”.",
            user=caller.name,
            namespace=namespace,
        )
    return caller


def _unauthorized(caller: Caller) -> UnauthorizedError:
    # The client reads these words as "your token is wrong" and not as "there is no such repo".
    if caller.rejected:
        return UnauthorizedError("Invalid credentials in Authorization header")
    return UnauthorizedError("A token is needed for this. Log in with `hf auth login`.")


def visible(caller: Caller, repo: Repo, *, closed: bool) -> bool:
    """Say whether the caller may know of ``repo``.

    Args:
        caller: Who asks.
        repo: What for.
        closed: Whether the hub lets nobody in without a token.
    """
    if closed and caller.name is None:
        return False
    return not repo.private or caller.owns(repo.namespace)


def hidden(caller: Caller) -> RepoNotFoundError:
    """Return the one answer for repositories that are missing or not for this caller."""
    error = RepoNotFoundError("Repository not found")
    error.status = 401 if caller.name is None else 404
    return error


def find_repo(call: Call, *, repo_id: str | None = None, kind: str | None = None) -> Repo:
    """Return the repository a call is about.

    Raises:
        RepoNotFoundError: It is not there, or the caller may not know of it.
    """
    caller = caller_of(call)
    repo = call.hub.store.repo(kind or call.kind, repo_id or call.params["repo"])
    if repo is None or not visible(caller, repo, closed=call.hub.closed):
        raise hidden(caller)
    return repo


def readable_repo(call: Call, **which: str) -> Repo:
    """Return the repository a call is about, whose files the caller may read.

    Raises:
        RepoNotFoundError: See `find_repo`.
        GatedRepoError: Its files are for its members.
    """
    repo = find_repo(call, **which)
    caller = caller_of(call)
    if repo.gated and not caller.owns(repo.namespace):
        error = GatedRepoError(
            "Access to {kind} {id} is restricted and you are not in the authorized list.",
            kind=repo.kind,
            id=repo.id,
        )
        error.status = 401 if caller.name is None else 403
        raise error
    return repo


def writable_repo(call: Call, **which: str) -> tuple[Repo, Caller]:
    """Return the repository a call wants to change, and who wants to.

    Raises:
        RepoNotFoundError: See `find_repo`.
        UnauthorizedError: See `writing_caller`, as for `ForbiddenError`.
    """
    repo = find_repo(call, **which)
    return repo, writing_caller(call, repo.namespace)


def contributed_repo(call: Call, **which: str) -> tuple[Repo, Caller]:
    """Return a repository the caller may propose changes to: one they can read, with any token
    that may write. What they upload reaches a branch only through its members.

    Raises:
        RepoNotFoundError: See `readable_repo`, as for `GatedRepoError`.
        UnauthorizedError: There is no valid token.
        ForbiddenError: The token is for reading.
    """
    repo = readable_repo(call, **which)
    caller = required_caller(call)
    if caller.role != "write":
        raise ForbiddenError("This token may only read. Use one with the role “write”.")
    return repo, caller
