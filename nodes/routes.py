"""What the page asks of the server beside ComfyUI's own addresses."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ..mimo_core.motion.heads import list_animations
from .motion import list_motions


ANIMATIONS = "/mimo/animations"  # ?file=what Load Motion offers: the names of its animations


def name_animations(file: str) -> list[str]:
    """The animations in a motion file that Load Motion offers; none for every other name."""
    found = list_motions().get(file)
    return list(list_animations(found)) if isinstance(found, Path) else []


def add_routes() -> None:
    """Answer the page, where a server runs."""
    server = sys.modules.get("server")
    running = getattr(getattr(server, "PromptServer", None), "instance", None)
    if running is None:
        return
    from aiohttp import web

    @running.routes.get(ANIMATIONS)
    async def answer(request):
        file = request.rel_url.query.get("file", "")
        return web.json_response(await asyncio.to_thread(name_animations, file))
