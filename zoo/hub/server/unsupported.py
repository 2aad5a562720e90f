"""Parts of the protocol this hub does not have, each with a word why; and one-segment ids."""

from starlette.responses import Response

from zoo.hub.server.access import caller_of, hidden
from zoo.hub.server.errors import UnsupportedError
from zoo.hub.server.routing import Call, Routes

routes = Routes()

_REASONS = {
    r"/api/collections(?:/.*)?": "This hub has no collections.",
    r"/api/settings/webhooks(?:/.*)?": "This hub calls no webhooks.",
    r"/api/(?:model|dataset|space)s/[^/]+/[^/]+/user-access-request/.*": (
        "Gated repositories are open to the members of their namespace; there are no requests."
    ),
    r"/api/(?:scheduled-)?jobs(?:/.*)?": "This hub runs no jobs.",
    r"/api/spaces/[^/]+/[^/]+/(?:volumes|dev-mode)": "This hub runs no spaces.",
    r"/api/resource-groups(?:/.*)?": "This hub has no resource groups.",
}


for _method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
    for _pattern, _reason in _REASONS.items():

        def _handler(call: Call, reason: str = _reason) -> Response:
            raise UnsupportedError(reason)

        routes.add(_method, _pattern)(_handler)


def _no_such_repo(call: Call) -> Response:
    """Answer for ids without a namespace, of which this hub has none."""
    raise hidden(caller_of(call))


_ONE_SEGMENT = (
    r"/api/(?:model|dataset|space)s/[^/]+",
    r"/api/(?:model|dataset|space)s/[^/]+/(?:revision|tree|commits|commit|preupload|paths-info)/.+",
    r"/(?:(?:dataset|space)s/)?[^/]+/(?:resolve|raw)/.+",
)
for _method in ("GET", "POST", "PUT", "DELETE"):
    for _pattern in _ONE_SEGMENT:
        routes.add(_method, _pattern)(_no_such_repo)
