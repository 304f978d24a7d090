"""The types that only MIMO nodes exchange, and what more than one schema needs."""

from comfy_api.latest import io

from ..mimo_core.denoise.regions import ClipPlan
from ..mimo_core.errors import InputError
from ..mimo_core.motion.motion import Motion
from ..mimo_core.scene.scene import Scene


BEHAVIORS = ("fixed", "official")  # mended, or the official release to the number


@io.comfytype(io_type="MIMO_MOTION")
class MimoMotion(io.ComfyTypeIO):
    """Who moves, how, and what camera sees it."""

    Type = Motion


@io.comfytype(io_type="MIMO_SCENE")
class MimoScene(io.ComfyTypeIO):
    """A shot taken apart: source, plate, person, and what passes in front."""

    Type = Scene


@io.comfytype(io_type="MIMO_IDENTITY")
class MimoIdentity(io.ComfyTypeIO):
    """A character: the cropped picture, its matte, and the body fitted to it."""


@io.comfytype(io_type="MIMO_PLAN")
class MimoPlan(io.ComfyTypeIO):
    """Which squares of which frames the denoiser draws, and how they go back."""

    Type = ClipPlan


NEWER = ("has_intermediate_output", "search_aliases", "essentials_category")  # of a schema; 0.3.64 has none of them


def make_schema(**options) -> io.Schema:
    """A schema with those of the newer options that this ComfyUI knows.

    Where it knows of intermediate outputs, every node of ours has them: ComfyUI then sends what a node shows again when
    the node's result comes from the cache.
    """
    options = {"has_intermediate_output": not options.get("is_output_node", False)} | options
    known = getattr(io.Schema, "__dataclass_fields__", {})
    return io.Schema(**{name: value for name, value in options.items() if name not in NEWER or name in known})


def mark_advanced(entry):
    """Hide a widget behind "show advanced". ComfyUI 0.3.64 does not take this as an argument yet."""
    entry.extra_dict["advanced"] = True
    return entry


def clip_socket(name: str, tooltip: str, *, optional: bool = False):
    """A socket for a shot: IMAGE or VIDEO."""
    return io.MultiType.Input(name, [io.Image, io.Video], optional=optional, tooltip=tooltip)


def mask_socket(name: str, tooltip: str):
    """A socket for where something is: MASK, or what ComfyUI's SAM 3 nodes followed."""
    return io.MultiType.Input(name, [io.Mask, io.Custom("SAM3_TRACK_DATA")], optional=True, tooltip=tooltip)


def fps_socket():
    return mark_advanced(
        io.Float.Input(
            "fps",
            default=0.0,
            min=0.0,
            max=240.0,
            step=0.01,
            tooltip="0 keeps the frame rate of a VIDEO and takes 24 for IMAGE, which carries none. "
            "Another number resamples a VIDEO to it, and tells the frame rate of IMAGE. "
            "Use the same number on every node that reads this clip.",
        )
    )


def color_widget(tooltip: str):
    """The widget `color`: ComfyUI's color picker, or a line of text where the core has none."""
    picker = getattr(io, "Color", None)
    if picker is None:
        return io.String.Input("color", default="white", tooltip=tooltip)
    return picker.Input("color", default="#ffffff", socketless=False, tooltip=tooltip)


def check_links(node, received: dict[str, str]) -> bool | str:
    """ComfyUI's own check of what is linked, but text is a color too: workflows of older cores link it."""
    from comfy_execution.validation import validate_node_input

    wanted = {entry.id: entry.get_io_type() for entry in node.define_schema().inputs}
    for name, kind in received.items():
        if name == "color" and kind == "STRING":
            continue
        if name in wanted and not validate_node_input(kind, wanted[name]):
            return f"{name} takes {wanted[name]}, got {kind}."
    return True


def check_choice(name: str, value: str, options) -> None:
    """Refuse a value that a saved workflow may hold but the list does not: ComfyUI does not check V3 lists."""
    if value not in options:
        raise InputError(f"{name} is {value!r}, which is not in its list: {', '.join(options) or 'nothing'}.")


def is_linked(node, slot: int) -> bool:
    """Whether something takes an output of the node that runs. A node that takes it later finds the same result."""
    prompt = getattr(node.hidden, "dynprompt", None)
    if prompt is None:
        return False
    place = [node.hidden.unique_id, slot]
    return any(place == value for name in prompt.all_node_ids() for value in prompt.get_node(name)["inputs"].values())
