"""Parts of templates as single nodes: the whole replacement, and what stands on either side of another engine."""

from __future__ import annotations

from dataclasses import dataclass

from .newer import WAN_ANIMATE_2
from .parts import Node, Template
from .start import REPLACE


@dataclass(frozen=True)
class Blueprint:
    """`inner` nodes become one; `names` are its sockets in the order in which the page makes them."""

    name: str
    description: str
    nodes: tuple[Node, ...]
    links: tuple[str, ...]
    inner: tuple[str, ...]
    names: dict[str, tuple[str, ...]]
    aliases: tuple[str, ...] = ("replace character", "replace person")


def _cut(template: Template, *leave_out: str, extra: tuple[Node, ...] = (), links: tuple[str, ...] = ()) -> tuple:
    """Nodes and links of a template without some of its nodes, and with more of both."""
    flat = (node for row in template.rows for group in row for column in group.columns for node in column)
    nodes = (*(node for node in flat if node.key not in ("note", *leave_out)), *extra)
    keys = {node.key for node in nodes}
    joined = [
        link for link in (*template.links, *links) if {end.partition(".")[0] for end in link.split(" > ")} <= keys
    ]
    return nodes, tuple(joined)


WHOLE, WHOLE_LINKS = _cut(
    REPLACE,
    "review",
    "load",
    "sampler",
    "drawn",
    "drawn_video",
    links=("scene.scene > proxy.scene", "scene.scene > composite.scene"),
)
PIPELINE = Blueprint(
    "MIMO character pipeline",
    "Replaces the person of a clip by the character of a picture, behind what passes in front.",
    WHOLE,
    WHOLE_LINKS,
    ("pose", "identity", "scene", "proxy", "composite"),
    {"inputs": ("clip", "character"), "outputs": ("video",)},
)
APART, APART_LINKS = _cut(WAN_ANIMATE_2, extra=(Node("seen", "MaskPreview"),), links=("frame.mask > seen.mask",))
TAKE_APART = Blueprint(
    "MIMO take apart",
    "What another engine needs to replace a person: the framed character, the clip in the size to draw, and the layers "
    "for MIMO put together.",
    APART,
    APART_LINKS,
    ("pose", "identity", "scene", "frame", "frames", "sized", "proxy"),
    {
        "inputs": ("clip", "character"),
        "outputs": (
            "scene",
            "plate",
            "reference",
            "reference_mask",
            "width",
            "height",
            "length",
            "clip",
            "character_mask",
        ),
    },
)
PUT_TOGETHER = Blueprint(
    "MIMO put together",
    "Lays what an engine drew into the plate of MIMO take apart: in the clip's size, length, rate and sound, and "
    "behind what passes in front.",
    APART,
    APART_LINKS,
    ("size", "unsized", "count", "grow", "composite"),
    {"inputs": ("plate", "images", "character_mask", "scene"), "outputs": ("video",)},
)
BLUEPRINTS = (PIPELINE, TAKE_APART, PUT_TOGETHER)
