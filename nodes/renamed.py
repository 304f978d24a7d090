"""Widgets that once had another name: prompts that were saved before still run.

`web/renamed.json` says, by node id, which name became which; the page reads the same file for workflows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


RENAMED = json.loads(Path(__file__).parents[1].joinpath("web", "renamed.json").read_text("utf-8"))


def rename_inputs(request: dict) -> dict:
    """A request to /prompt with the inputs of our nodes under their present names. Changes the request in place."""
    nodes = request.get("prompt")
    for node in nodes.values() if isinstance(nodes, dict) else ():
        for old, new in RENAMED.get(node.get("class_type"), {}).items() if isinstance(node, dict) else ():
            inputs = node.get("inputs")
            if isinstance(inputs, dict) and old in inputs:
                value = inputs.pop(old)
                inputs.setdefault(new, value)
    return request


def watch_prompts() -> None:
    """Rename the inputs of every prompt before ComfyUI checks it, where a server runs."""
    server = sys.modules.get("server")
    running = getattr(getattr(server, "PromptServer", None), "instance", None)
    if running is not None:
        running.add_on_prompt_handler(rename_inputs)
