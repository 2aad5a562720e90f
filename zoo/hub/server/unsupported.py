"""Parts of the protocol this hub does not have, each with a word why; and ids of one segment."""

from functools import partial

from starlette.responses import Response

from zoo.hub.server.access import caller_of, hidden
from zoo.hub.server.errors import UnsupportedError
from zoo.hub.server.routing import Call, Routes

routes = Routes()

_ANY = r"(?:/.*)?"
_ONE = r"/api/(?:model|dataset|space)s/[^/]+/[^/]+"
_REASONS = {
    rf"/api/collections{_ANY}": "This hub has no collections.",
    rf"/api/settings/webhooks{_ANY}": "This hub calls no webhooks.",
    rf"/api/(?:scheduled-)?jobs{_ANY}": "This hub runs no jobs.",
    rf"/api/resource-groups{_ANY}": "This hub has no resource groups.",
    rf"{_ONE}/(?:volumes|dev-mode)": "This hub runs no spaces.",
    rf"{_ONE}/user-access-request/.*": (
        "Gated repositories are open to the members of their namespace; there are no requests."
    ),
}
# Without a namespace there is no repository, and the client must be able to tell.
_ONE_SEGMENT = (
    r"/api/(?:model|dataset|space)s/[^/]+",
    r"/api/(?:model|dataset|space)s/[^/]+/(?:revision|tree|commits|commit|preupload|paths-info)/.+",
    r"/(?:(?:dataset|space)s/)?[^/]+/(?:resolve|raw)/.+",
)
_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


def _refuse(call: Call, *, reason: str) -> Response:
    raise UnsupportedError(reason)


def _no_such_repo(call: Call) -> Response:
    raise hidden(caller_of(call))


for _method in _METHODS:
    for _pattern, _reason in _REASONS.items():
        routes.add(_method, _pattern)(partial(_refuse, reason=_reason))
    for _pattern in _ONE_SEGMENT:
        routes.add(_method, _pattern)(_no_such_repo)
