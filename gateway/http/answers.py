"""From a model to the bytes of an answer."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel


def answer(model: BaseModel, status: int = 200) -> web.Response:
    """The model as JSON, under its public field names; never cached."""
    return web.Response(
        body=model.model_dump_json(by_alias=True).encode(),
        status=status,
        content_type="application/json",
        charset="utf-8",
        headers={"Cache-Control": "no-store"},
    )
