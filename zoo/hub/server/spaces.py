"""Settings of spaces. This hub keeps a space's files and settings; it does not run it."""

import time
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from zoo.hub.server.access import find_repo, writable_repo
from zoo.hub.server.errors import BadRequestError, NotFoundError, UnprocessableError
from zoo.hub.server.formats import timestamp
from zoo.hub.server.routing import Call, Routes, answer, take
from zoo.hub.server.store import Store

if TYPE_CHECKING:
    from zoo.hub.server.app import Hub

routes = Routes()

_SPACE = r"/api/(?P<kind>space)s/(?P<repo>[^/]+/[^/]+)"
_MAX_VALUE = 65_536


def set_values(hub: "Hub", uid: str, kind: str, items: list[Any]) -> None:
    """Keep secrets or variables given as ``{"key", "value", "description"}``.

    A secret's value is dropped on arrival: nothing here would ever use it, and what is not kept
    cannot leak.
    """
    for item in items:
        if not isinstance(item, dict):
            raise BadRequestError("Secrets and variables are objects with “key” and “value”.")
        key, value = take(item, "key", str), take(item, "value", str, "")
        description = take(item, "description", str, "")
        if not key.isidentifier() or not key.isascii() or len(key) > 200:
            raise UnprocessableError("“{key}” cannot be the name of a variable.", key=key)
        if len(value) + len(description) > _MAX_VALUE:
            raise UnprocessableError("The value of “{key}” is too long.", key=key)
        hub.store.run(
            "INSERT OR REPLACE INTO space_values VALUES (?, ?, ?, ?, ?, ?)",
            *(uid, kind, key, "" if kind == "secret" else value, description),
            time.time(),
        )


def _values(store: Store, uid: str, kind: str) -> dict[str, dict[str, Any]]:
    rows = store.rows(
        "SELECT * FROM space_values WHERE uid = ? AND kind = ? ORDER BY key", uid, kind
    )
    values: dict[str, dict[str, Any]] = {}
    for row in rows:
        item = {
            "key": row["key"],
            "description": row["description"],
            "updatedAt": timestamp(row["updated"]),
        }
        if kind != "secret":
            item["value"] = row["value"]
        values[row["key"]] = item
    return values


def runtime(store: Store, uid: str) -> dict[str, Any]:
    """Return what a space was set to run on; its stage says that it does not run."""
    settings = {key: item["value"] for key, item in _values(store, uid, "setting").items()}
    hardware = settings.get("hardware") or "cpu-basic"
    return {
        "stage": settings.get("stage") or "STOPPED",
        "hardware": {"current": None, "requested": hardware},
        "gcTimeout": int(settings["sleep"]) if settings.get("sleep") else None,
        "storage": None,
        "devMode": False,
        "replicas": {"current": 0, "requested": 1},
    }


def _set(call: Call, **settings: object) -> Response:
    repo, _ = writable_repo(call)
    items = [{"key": key, "value": str(value)} for key, value in settings.items()]
    set_values(call.hub, repo.uid, "setting", items)
    return answer(runtime(call.hub.store, repo.uid))


@routes.get(_SPACE + "/(?P<what>secret|variable)s")
def list_values(call: Call) -> Response:
    """List secrets by name, or variables with their values."""
    repo, _ = writable_repo(call)
    return answer(_values(call.hub.store, repo.uid, call.params["what"]))


@routes.post(_SPACE + "/(?P<what>secret|variable)s")
def add_value(call: Call) -> Response:
    """Set a secret or variable."""
    repo, _ = writable_repo(call)
    set_values(call.hub, repo.uid, call.params["what"], [call.body])
    return answer(_values(call.hub.store, repo.uid, call.params["what"]))


@routes.delete(_SPACE + "/(?P<what>secret|variable)s")
def delete_value(call: Call) -> Response:
    """Remove a secret or variable."""
    repo, _ = writable_repo(call)
    key, what = call.value("key", str), call.params["what"]
    sql = "DELETE FROM space_values WHERE uid = ? AND kind = ? AND key = ?"
    if not call.hub.store.run(sql, repo.uid, what, key):
        raise NotFoundError("There is no {what} “{key}”.", what=what, key=key)
    return answer(_values(call.hub.store, repo.uid, what))


@routes.get(_SPACE + "/runtime")
def get_runtime(call: Call) -> Response:
    """Tell what a space is set to run on."""
    return answer(runtime(call.hub.store, find_repo(call).uid))


@routes.post(_SPACE + "/hardware")
def hardware(call: Call) -> Response:
    """Ask for other hardware."""
    settings: dict[str, object] = {"hardware": call.value("flavor", str)}
    if call.body.get("sleepTimeSeconds") is not None:
        settings["sleep"] = call.value("sleepTimeSeconds", int)
    return _set(call, **settings)


@routes.post(_SPACE + "/sleeptime")
def sleep_time(call: Call) -> Response:
    """Set after how many seconds of silence the space would sleep."""
    return _set(call, sleep=call.value("seconds", int))


@routes.post(_SPACE + "/pause")
def pause(call: Call) -> Response:
    """Pause."""
    return _set(call, stage="PAUSED")


@routes.post(_SPACE + "/restart")
def restart(call: Call) -> Response:
    """End a pause."""
    return _set(call, stage="STOPPED")


@routes.get(_SPACE + "/logs/(?:build|run)")
def logs(call: Call) -> Response:
    """Stream the logs, of which there are none."""
    writable_repo(call)
    return Response(media_type="text/event-stream")


@routes.get("/api/spaces/hardware")
def hardware_list(call: Call) -> Response:
    """List the hardware on offer: none."""
    return answer([])


@routes.get("/api/spaces/templates")
def templates(call: Call) -> Response:
    """List templates for new spaces: none."""
    return answer([])
