"""Strong networks in front of the separator: they find layers that a user could also have given.

The choices `masks` and `depth` are auto, classical, or a network's name. classical is what `separate_scene` does by
itself; auto is the network whose weights lie in models/mimo, else classical. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..media.clip import Clip, Masks
from ..motion.motion import Motion
from ..progress import Progress, scale_progress, silent
from ..weights.files import find_entry, locate_network, require_network
from ..weights.transformers_networks import choose_device
from .back_end_choices import AUTO, CLASSICAL, DEPTH_FOLDERS, MASK_FOLDERS
from .scene import Scene
from .separate import check_motion_length, separate_scene


if TYPE_CHECKING:
    from .strong_depth import DepthNetwork
    from .strong_masks import MaskNetwork


@dataclass(frozen=True, eq=False)
class BackEnds:
    """The networks to ask, with their names; None for what the separator finds itself."""

    masks: MaskNetwork | None = None
    depth: DepthNetwork | None = None
    mask_name: str = CLASSICAL
    depth_name: str = CLASSICAL


def find_back_ends(masks: str = AUTO, depth: str = AUTO, folders: Iterable[Path] = (), *, device: str = "") -> BackEnds:
    """The networks of a choice of MASK_CHOICES and one of DEPTH_CHOICES; weights are looked for in `folders` first.

    `device` is where they run, by default the accelerator if there is one. Raises InputError for another choice, and
    for weights that are not there.
    """
    folders = list(folders)
    mask_folder = _find_choice("masks", masks, MASK_FOLDERS, folders)
    depth_folder = _find_choice("depth", depth, DEPTH_FOLDERS, folders)
    device = device or (choose_device() if mask_folder or depth_folder else "")
    found = BackEnds()
    if mask_folder is not None:
        found = replace(found, masks=_load_masks(mask_folder[1], device), mask_name=mask_folder[0])
    if depth_folder is not None:
        found = replace(found, depth=_load_depth(depth_folder[1], device), depth_name=depth_folder[0])
    return found


def separate_with(
    back_ends: BackEnds,
    clip: Clip,
    *,
    motion: Motion | None = None,
    coarse: Masks | None = None,
    person: Masks | None = None,
    occluder: Masks | None = None,
    depth: Clip | None = None,
    progress: Progress = silent,
    **settings,
) -> Scene:
    """`separate_scene` with the layers that strong networks find. What is given wins, as there.

    With masks of a network and no motion the pose is estimated first. Raises InputError as `separate_scene` does.
    """
    check_motion_length(motion, clip)
    finds_masks = back_ends.masks is not None and person is None
    finds_depth = back_ends.depth is not None and depth is None and occluder is None
    stages = _Stages(progress, len(clip), finds_masks + finds_depth + (finds_masks and motion is None))
    if finds_masks:
        if motion is None:
            from ..pose.estimate import estimate_motion

            found = estimate_motion(clip, progress=stages.next())
            motion, coarse = found.motion, found.masks
        person = back_ends.masks.segment(clip, motion, stages.next_tick())
    if finds_depth:
        depth = back_ends.depth.estimate(clip, stages.next_tick())
    scene = separate_scene(
        clip,
        motion=motion,
        coarse=coarse,
        person=person,
        occluder=occluder,
        depth=depth,
        progress=stages.next(),
        **settings,
    )
    notes = [f"The person's masks are those of {back_ends.mask_name}."] if finds_masks else []
    notes += [f"What is in front is decided by {back_ends.depth_name}."] if finds_depth else []
    return replace(scene, report=replace(scene.report, notes=(*scene.report.notes, *notes)))


class _Stages:
    """Progress over equal parts, one after the other, and one more for the separator."""

    def __init__(self, progress: Progress, frames: int, before: int):
        self.progress, self.frames, self.parts, self.number = progress, frames, before + 1, -1

    def next(self) -> Progress:
        self.number += 1
        return scale_progress(self.progress, self.number, self.parts)

    def next_tick(self) -> Callable[[], None]:
        """The next part as a function that is called once a frame."""
        progress, done, frames = self.next(), 0, self.frames

        def tick() -> None:
            nonlocal done
            done += 1
            progress(min(done, frames), frames)

        return tick


def _find_choice(what: str, name: str, places: dict[str, str], folders: list[Path]) -> tuple[str, Path] | None:
    """Name and folder of the network of a choice; None for classical."""
    if name == CLASSICAL:
        return None
    if name == AUTO:
        found = ((each, locate_network(find_entry(path), folders)) for each, path in places.items())
        return next(((each, folder) for each, folder in found if folder is not None), None)
    if name not in places:
        raise InputError(f"There is no {what} {name!r}. Choose one of: {', '.join((AUTO, CLASSICAL, *places))}.")
    return name, require_network(places[name], folders, what=f"The choice {name}", instead=CLASSICAL)


@lru_cache(maxsize=1)
def _load_masks(folder: Path, device: str) -> MaskNetwork:
    from .strong_masks import MaskNetwork

    return MaskNetwork(folder, device=device)


@lru_cache(maxsize=1)
def _load_depth(folder: Path, device: str) -> DepthNetwork:
    from .strong_depth import DepthNetwork

    return DepthNetwork(folder, device=device)
