"""ComfyUI's entry point. It imports nothing heavy, because pytest imports this file too."""

import logging


WEB_DIRECTORY = "./web"
__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]


async def comfy_entrypoint():
    try:
        from .nodes import MimoExtension
    except Exception:
        # ComfyUI reports only str(error) for an entry point that fails.
        logging.getLogger("mimo").exception("The MIMO nodes cannot be loaded")
        raise
    return MimoExtension()
