"""What the hub answers when it cannot do what was asked.

``huggingface_hub`` picks its exception from ``X-Error-Code``, so the code matters as much as the
status. A 5xx is never used for a wrong request: the client would retry it for half a minute.
"""

from starlette.responses import JSONResponse

from zoo.errors import ZooError


class HubError(ZooError):
    """A request that fails for a reason the caller can act on.

    Attributes:
        status: HTTP status.
        code: ``X-Error-Code``, the name of the client's exception, or ``None``.
        headers: Further headers of the answer.
        extra: Further fields of the answer's JSON.
    """

    status = 400
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, object] | None = None,
        **fields: object,
    ) -> None:
        super().__init__(message, **fields)
        self.headers = headers or {}
        self.extra = extra or {}


class BadRequestError(HubError):
    """The request itself is malformed."""


class UnauthorizedError(HubError):
    """No token, or one this hub does not know, where one is needed."""

    status = 401


class ForbiddenError(HubError):
    """The caller is known, and may not do this."""

    status = 403


class NotFoundError(HubError):
    """Nothing is served under this address."""

    status = 404


class RepoNotFoundError(NotFoundError):
    """No such repository, or none that this caller may know of."""

    code = "RepoNotFound"


class RevisionNotFoundError(NotFoundError):
    """The repository has no such branch, tag or commit."""

    code = "RevisionNotFound"


class EntryNotFoundError(NotFoundError):
    """The revision has no such file or folder."""

    code = "EntryNotFound"


class GatedRepoError(HubError):
    """The repository's description is public, its files are not."""

    status = 403
    code = "GatedRepo"


class ConflictError(HubError):
    """What would be created is already there."""

    status = 409


class PreconditionFailedError(HubError):
    """The branch moved since the caller looked."""

    status = 412


class TooLargeError(HubError):
    """More bytes than this request may carry."""

    status = 413


class RangeError(HubError):
    """The asked byte range lies outside the file."""

    status = 416


class UnprocessableError(HubError):
    """Well-formed, but the values cannot be accepted."""

    status = 422


class UnsupportedError(HubError):
    """A feature of the protocol that this hub does not have."""

    status = 501


class NoSpaceError(HubError):
    """The data folder's disk is full."""

    # Not a 500 or 503: the client would try five more times to fill the disk.
    status = 507


def header_safe(text: str) -> str:
    """Reduce ``text`` to printable ASCII: anything else makes h11 drop the connection."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:1000]


def error_response(error: HubError) -> JSONResponse:
    """Render ``error`` the way the client reads it."""
    headers = {"X-Error-Message": header_safe(str(error)), **error.headers}
    if error.code:
        headers["X-Error-Code"] = error.code
    # Lone surrogates can reach a message from a request; JSON must still encode to UTF-8.
    message = str(error).encode("utf-8", "replace").decode()
    return JSONResponse(
        {"error": message, **error.extra}, status_code=error.status, headers=headers
    )
