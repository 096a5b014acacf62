"""A bundle is answered as its canonical bytes: the file that is kept."""

from typing import Any

from fastapi.responses import JSONResponse
from pydantic import ConfigDict

from xinglin.bundle import Bundle
from xinglin_node import examples

BUNDLE_MEDIA_TYPE = "application/vnd.xinglin.bundle+json"
"""What a `.xinglin.json` file is served as."""


_ANCHORED: dict[str, Any] = {
    "origin": examples.ORIGIN,
    "entry": "base64url of 64 bytes",
    "inclusion": {"size": 47, "path": ["sha256:" + "21" * 32, "sha256:" + "22" * 32]},
    "anchor": {
        "size": 47,
        "root": "sha256:" + "23" * 32,
        "time": examples.TIME + 20,
        "block": 120944,
    },
}
_ACCESS: dict[str, Any] = _ANCHORED | {
    "format": "xinglin.bundle/1",
    "networkId": "0x" + examples.NETWORK,
    "index": 44,
    "disclosure": {
        "attestation": examples.ATTESTATION | {"statement": examples.ACCESS_STATEMENT},
        "salt": examples.SALT,
        "n": None,
        "reason": None,
    },
    "checkpoint": None,
    "evidence": {
        "engine": "clique",
        "header": "base64url of 608 bytes",
        "headers": ["base64url of 608 bytes"],
        "seals": [],
        "view": "base64url of 608 bytes",
        "proofs": [
            {"contract": "consents", "slot": None, "proof": ["base64url of 532 bytes"]},
            {
                "contract": "consents",
                "slot": "0x" + "24" * 32,
                "proof": ["base64url of 532 bytes", "base64url of 70 bytes"],
            },
        ],
    },
    "trust": "sha256:" + "25" * 32,
    "appointments": [examples.APPOINTMENT],
    "grant": {"id": examples.GRANT, "terms": examples.TERMS, "state": examples.GRANT_STATE},
    "model": None,
    "receipt": examples.RECEIPT,
    "parts": [
        _ANCHORED
        | {
            "role": "record",
            "index": examples.INDEX,
            "disclosure": {
                "attestation": examples.ATTESTATION,
                "salt": examples.SALT,
                "n": None,
                "reason": None,
            },
        }
    ],
}
"""The bundle of an access under a grant."""


class BundleResponse(JSONResponse):
    """JSON with a media type of its own."""

    media_type = BUNDLE_MEDIA_TYPE


class BundleFile(Bundle):
    """All that is needed to verify one entry offline (docs/spec/bundle.md)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ACCESS]})


__all__ = ["BUNDLE_MEDIA_TYPE", "BundleFile", "BundleResponse"]
