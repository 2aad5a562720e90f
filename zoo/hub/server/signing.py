"""Addresses and tokens that carry their own permission, signed with the hub's secret.

Uploads to a large file's address come without ``Authorization``, so the address has to tell what
it allows, for how long, and that this hub said so.
"""

import base64
import binascii
import hmac
import json
import time
from typing import Any

from zoo.hub.server.errors import ForbiddenError


def sign(secret: bytes, claims: dict[str, Any], seconds: float) -> str:
    """Return ``claims`` as URL-safe text that is valid for some seconds."""
    payload = json.dumps({**claims, "until": int(time.time() + seconds)}).encode()
    return f"{_encode(payload)}.{_encode(_digest(secret, payload))}"


def verify(secret: bytes, text: str) -> dict[str, Any]:
    """Return the claims of a signed text.

    Raises:
        ForbiddenError: It was not signed here, or its time is over.
    """
    payload, _, signature = text.partition(".")
    try:
        raw = base64.urlsafe_b64decode(payload)
        given = base64.urlsafe_b64decode(signature)
    except (binascii.Error, ValueError):
        raise ForbiddenError("This address or token is not valid.") from None
    if not hmac.compare_digest(_digest(secret, raw), given):
        raise ForbiddenError("This address or token is not valid.")
    claims: dict[str, Any] = json.loads(raw)
    if claims["until"] < time.time():
        raise ForbiddenError("This address or token has expired.")
    return claims


def _digest(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, payload, "sha256")


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
