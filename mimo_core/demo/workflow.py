"""The ComfyUI workflow that does what a visitor did on the page, in ComfyUI's API form, which its page opens too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class GraphInputs:
    """What a job was made of, by the names under which ComfyUI's input folder should hold the files."""

    character: str
    video: str = ""
    motion: str = ""  # a file, or the choice of a motion that ships
    scene: str = ""  # a picture
    color: str = "#ffffff"


def build_graph(inputs: GraphInputs) -> dict[str, dict]:
    """The nodes by number: the template "replace a character" or "animate from a motion" with these inputs."""
    graph = _Graph()
    character = graph.add("LoadImage", image=inputs.character)
    identity = graph.add("MIMO_EncodeIdentity", character=[character, 0])
    if inputs.video:
        clip = [graph.add("LoadVideo", file=inputs.video), 0]
        pose = graph.add("MIMO_EstimatePose", estimator="auto", person=0, smoothing=1, fps=0, focal=0, clip=clip)
    else:
        clip = None
        pose = graph.add("MIMO_LoadMotion", file=inputs.motion, names="", up="auto", animation="")
    motion = [pose, 0]
    scene = [_add_scene(graph, inputs, clip, motion), 0]
    drawn = graph.add("MIMO_DecodeProxy", back_side="mirror", identity=[identity, 0], motion=motion, scene=scene)
    composed = graph.add(
        "MIMO_Composite",
        color_match="mean" if inputs.video else "none",
        feather=4,
        shadow=0.5,
        behavior="fixed",
        scene=scene,
        images=[drawn, 0],
        mask=[drawn, 1],
    )
    graph.add("SaveVideo", filename_prefix="video/mimo", format="auto", codec="auto", video=[composed, 0])
    return graph.nodes


def write_graph(path: Path, inputs: GraphInputs) -> None:
    """Write the workflow as JSON."""
    path.write_text(json.dumps(build_graph(inputs), indent=1), "utf-8")


def _add_scene(graph: _Graph, inputs: GraphInputs, clip, motion) -> str:
    """The clip's own scene, or one of a picture or a color."""
    own = clip is not None and not inputs.scene and not inputs.color
    if own:
        return graph.add("MIMO_SeparateScene", camera="auto", edge=2, fps=0, clip=clip, motion=motion)
    values = {"color": inputs.color or "#ffffff", "fit": "cover", "length": 0, "motion": motion}
    if inputs.scene:
        values["picture"] = [graph.add("LoadImage", image=inputs.scene), 0]
    return graph.add("MIMO_SceneFromPicture", **values)


class _Graph:
    def __init__(self):
        self.nodes: dict[str, dict] = {}

    def add(self, kind: str, **inputs) -> str:
        """Add a node and return its number."""
        number = str(len(self.nodes) + 1)
        self.nodes[number] = {"class_type": kind, "inputs": inputs}
        return number
