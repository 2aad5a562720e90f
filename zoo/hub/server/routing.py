"""Requests to handlers, by regular expression on the path as it was sent.

Revisions and folders arrive as one quoted segment (``/tree/exp%2Fa/sub%2Fdir``), so the route must
be found before anything is decoded; Starlette's own router decodes first.
"""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from zoo.hub.server.errors import BadRequestError, NotFoundError, TooLargeError
from zoo.hub.server.names import unquote

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub

# Parts of route patterns. A repository's id is two segments here; what has one segment is
# answered by a route of its own, because the client must read "no such repository" from it.
REPO = r"(?P<repo>[^/]+/[^/]+)"
API = r"/api/(?P<kind>model|dataset|space)s/" + REPO
WEB = r"/(?:(?P<kind>dataset|space)s/)?" + REPO
REVISION = r"(?P<revision>[^/]+)"

MAX_BODY_BYTES = 16 << 20

T = TypeVar("T")
Handler = Callable[["Call"], Response | Awaitable[Response]]
Body = Literal["none", "json", "form", "stream"]
_REQUIRED: Any = object()


@dataclass
class Call:
    """One request on its way through a handler.

    Attributes:
        hub: The hub that was asked.
        request: The request; its body is already read unless the route streams it.
        params: What the route's pattern captured, decoded.
        body: The decoded JSON object or form, ``{}`` if there is none.
    """

    hub: "Hub"
    request: Request
    params: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``"model"``, ``"dataset"`` or ``"space"``."""
        return self.params.get("kind") or "model"

    @property
    def base_url(self) -> str:
        """The hub's public address without a closing slash, prefix included."""
        if self.hub.public_url:
            return self.hub.public_url
        scope = self.request.scope
        host = self.request.headers.get("host") or "{}:{}".format(*scope["server"])
        return f"{scope['scheme']}://{host}{scope.get('root_path', '').rstrip('/')}"

    def query(self, name: str, default: str | None = None) -> str | None:
        """Return query parameter ``name``, the last one if there are several."""
        return self.request.query_params.get(name, default)

    def query_list(self, name: str) -> list[str]:
        """Return every value of ``name``; the client writes lists as ``name`` or ``name[]``."""
        params = self.request.query_params
        return [*params.getlist(name), *params.getlist(f"{name}[]")]

    def flag(self, name: str) -> bool:
        """Say whether query parameter ``name`` is on."""
        return (self.query(name) or "").lower() in ("1", "true", "yes")

    def number(self, name: str, default: int, *, low: int = 0, high: int = 1 << 31) -> int:
        """Return query parameter ``name`` as a number cut to ``low``..``high``."""
        text = self.query(name)
        if text is None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,15}", text):
            raise BadRequestError("“{name}” must be a whole number.", name=name)
        return min(max(int(text), low), high)

    def value(self, name: str, kind: type[T], default: T = _REQUIRED) -> T:
        """Return field ``name`` of the JSON body; ``null`` counts as absent.

        Raises:
            BadRequestError: It has another type, or is absent and has no default.
        """
        return take(self.body, name, kind, default)

    def next_link(self, **params: object) -> dict[str, str]:
        """Build the ``Link`` header of a page that has another one after it."""
        query = [
            (key, value)
            for key, value in parse_qsl(self.request.url.query, keep_blank_values=True)
            if key not in params
        ]
        query += [(key, str(value)) for key, value in params.items()]
        path = raw_path(self.request.scope, self.hub.prefix)
        # The query may hold lone surrogates that a client escaped oddly; they stay question marks.
        text = urlencode(query, errors="replace")
        return {"Link": f'<{self.base_url}{path}?{text}>; rel="next"'}


def take(body: dict[str, Any], name: str, kind: type[T], default: T = _REQUIRED) -> T:
    """Return ``body[name]`` if it is a ``kind``; see `Call.value`."""
    value = body.get(name)
    if value is None and default is not _REQUIRED:
        return default
    # True is an int to Python, and never to a sender of JSON.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadRequestError("“{name}” is missing or of the wrong type.", name=name)
    # JSON can write half of a surrogate pair, which no file name, database or git can hold.
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        raise BadRequestError("“{name}” is not valid Unicode.", name=name)
    return value


@dataclass(frozen=True)
class Route:
    """One method and path pattern, and what answers it."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    body: Body


class Routes:
    """A module's table of routes, filled by its decorators and read from top to bottom."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def add(
        self, method: str, pattern: str, *, body: Body = "none"
    ) -> Callable[[Handler], Handler]:
        """Let the decorated function answer ``method`` on the quoted path ``pattern``.

        A plain function runs in a worker thread, a coroutine on the event loop.
        """

        def register(handler: Handler) -> Handler:
            self.routes.append(Route(method, re.compile(pattern), handler, body))
            return handler

        return register

    def get(self, pattern: str) -> Callable[[Handler], Handler]:
        """Answer GET, and HEAD with the same headers."""
        return self.add("GET", pattern)

    def post(self, pattern: str, *, body: Body = "json") -> Callable[[Handler], Handler]:
        """Answer POST."""
        return self.add("POST", pattern, body=body)

    def put(self, pattern: str, *, body: Body = "json") -> Callable[[Handler], Handler]:
        """Answer PUT."""
        return self.add("PUT", pattern, body=body)

    def delete(self, pattern: str, *, body: Body = "json") -> Callable[[Handler], Handler]:
        """Answer DELETE."""
        return self.add("DELETE", pattern, body=body)

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes)


def raw_path(scope: Any, prefix: str = "") -> str:
    """Return the request's path as sent, without the prefix the hub is mounted under.

    Args:
        scope: The request's ASGI scope; its ``root_path`` is taken off.
        prefix: Taken off instead if there is no ``root_path``: a proxy that passes quoted slashes
            through unharmed passes its own prefix through, too.
    """
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    path = raw.partition(b"?")[0].decode("ascii", "replace")
    root = quote(scope.get("root_path", "").rstrip("/")) or prefix
    return path[len(root) :] if root and path.startswith(root + "/") else path


async def dispatch(hub: "Hub", routes: list[Route], request: Request) -> Response:
    """Find the route of ``request`` and run its handler."""
    path = raw_path(request.scope, hub.prefix)
    method = "GET" if request.method == "HEAD" else request.method
    for route in routes:
        if route.method != method or not (match := route.pattern.fullmatch(path)):
            continue
        params = {k: unquote(v) for k, v in match.groupdict().items() if v is not None}
        call = Call(hub, request, params)
        if route.body in ("json", "form"):
            call.body = await _read_body(request, route.body)
        if inspect.iscoroutinefunction(route.handler):
            return await route.handler(call)
        answer = await run_in_threadpool(route.handler, call)
        assert isinstance(answer, Response)  # noqa: S101 - the type of a plain function's answer
        return answer
    raise NotFoundError("Nothing is served at this address.")


async def _read_body(request: Request, kind: Body) -> dict[str, Any]:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise TooLargeError("The request's body is larger than {n} bytes.", n=MAX_BODY_BYTES)
    if not raw:
        return {}
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    # Several megabytes of it take a while, in which nobody else would be answered.
    return await run_in_threadpool(_decoded, raw, kind == "form" and form)


def _decoded(raw: bytearray, is_form: bool) -> dict[str, Any]:
    try:
        text = raw.decode()
        if is_form:
            return dict(parse_qs(text, keep_blank_values=True, max_num_fields=20_000))
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequestError("The request's body cannot be read.") from None
    if not isinstance(body, dict):
        raise BadRequestError("The request's body must be a JSON object.")
    return body


def answer(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return JSONResponse(value, status_code=status, headers=headers)
