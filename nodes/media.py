"""Between ComfyUI's values and the library's: clips, masks, sound, progress, previews, video files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_api.latest import InputImpl, io, ui
from torch import Tensor

from ..mimo_core.errors import InputError
from ..mimo_core.media.clip import DEFAULT_FPS, Clip, FrameSource, Masks, to_uint8
from ..mimo_core.media.video import Sound
from ..mimo_core.media.video_writer import write_video
from ..mimo_core.progress import Progress
from .batches import FrameBatch


PREVIEWS = 4  # frames shown on a node
SHOWN_SIDE = 512  # pixels of the longer side of a clip that a node shows


def make_progress() -> Progress:
    """The progress bar of the node that runs. It raises when the user presses Cancel.

    The library's previews are not passed on: the page would go on showing the last of them in place of the node's
    finished pictures (seen in front end 1.27).
    """
    bar = comfy.utils.ProgressBar(1)

    def report(done: int, total: int, preview=None) -> None:
        bar.update_absolute(done, total)

    return report


def to_clip(value, *, fps: float = 0.0, progress: Progress) -> Clip:
    """An IMAGE batch (wrapped, not copied) or a VIDEO (read from its file when needed) as a clip.

    `fps` 0 keeps the rate of a VIDEO and takes 24 for IMAGE.
    """
    if isinstance(value, Tensor):
        return _watch_cancel(_clip_of_images(value, Fraction(fps).limit_denominator(1001) if fps else DEFAULT_FPS))
    clip = _clip_of_video(value, progress)
    return _watch_cancel(clip.resample(fps) if fps else clip)


def _clip_of_images(images: Tensor, fps: Fraction) -> Clip:
    frames = _find_frames(images)
    return Clip.from_array(images, fps) if frames is None else replace(frames, fps=fps, sound=None, notes=())


def _find_frames(batch: Tensor) -> Clip | Masks | None:
    """The frames behind a batch of ours that nobody has made floats of yet."""
    return batch.frames if isinstance(batch, FrameBatch) and not batch.is_made else None


class _Cancelable:
    """Frames that are not given out any more once the user has pressed Cancel: so every loop that reads them ends."""

    def __init__(self, source: FrameSource):
        self.source, self.shape = source, source.shape

    def __len__(self) -> int:
        return len(self.source)

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for frame in self.source.read(start, stop):
            comfy.model_management.throw_exception_if_processing_interrupted()
            yield frame


def _watch_cancel(frames):
    """A clip or masks whose reading ends with Cancel."""
    return frames if isinstance(frames.source, _Cancelable) else replace(frames, source=_Cancelable(frames.source))


def _clip_of_video(video, progress: Progress) -> Clip:
    if not isinstance(video, InputImpl.VideoFromFile) or _is_trimmed(video):
        return _clip_of_components(video.get_components())
    file = video.get_stream_source()
    clip = Clip.from_file(file if isinstance(file, str) else file.getvalue(), progress=progress)
    if sorted(video.get_dimensions()) != sorted((clip.width, clip.height)):  # cropped; sorted, for it may be turned
        return _clip_of_components(video.get_components())
    return clip


def _is_trimmed(video) -> bool:
    """Newer ComfyUI cuts a VIDEO without writing another file."""
    window = getattr(video, "get_active_trim_window", None)
    return window is not None and any(window())


def _clip_of_components(components) -> Clip:
    return Clip.from_array(components.images, Fraction(components.frame_rate), to_sound(components.audio))


def to_sound(audio) -> Sound | None:
    """AUDIO as sound. Of a batch, the first."""
    if audio is None:
        return None
    return Sound(samples=audio["waveform"][0].float().cpu().numpy(), rate=int(audio["sample_rate"]))


def to_masks(mask: Tensor | None, frames: int) -> Masks | None:
    """MASK as masks: (F, H, W) or (H, W), also with a channel of its own. A single one stands for all frames.

    The empty 64x64 that Load Image gives for a picture without alpha is none. Raises InputError for other shapes.
    """
    if mask is None:
        return None
    mask = _drop_channel(mask)
    if is_placeholder(mask):
        return None
    if len(mask) > 1 and (kept := _find_frames(mask)) is not None:
        return _watch_cancel(kept)
    return _watch_cancel(Masks.from_array(mask.expand(frames, -1, -1) if len(mask) == 1 else mask))


def _drop_channel(mask: Tensor) -> Tensor:
    """(F, H, W) of a mask (H, W), (F, H, W), (F, 1, H, W), (F, H, W, 1), or of an IMAGE (F, H, W, 3) of equal channels.

    Raises InputError for other shapes.
    """
    if mask.ndim == 2:
        return mask[None]
    if mask.ndim == 3:
        return mask
    if mask.ndim == 4 and mask.shape[1] == 1:
        return mask[:, 0]
    if mask.ndim == 4 and mask.shape[-1] in (1, 3):
        return mask[..., 0]
    raise InputError(f"A mask has the shape (frames, height, width), got {tuple(mask.shape)}. Use Image to Mask.")


def is_placeholder(mask: Tensor) -> bool:
    """Whether a mask (1, 64, 64) is the empty one that Load Image gives for a picture without alpha."""
    return tuple(mask.shape) == (1, 64, 64) and not mask.any()


def to_mask_picture(mask: Tensor | None, name: str) -> np.ndarray | None:
    """The one mask (H, W) uint8 of a MASK. None for the empty one of Load Image. Raises InputError for several."""
    if mask is None:
        return None
    mask = _drop_channel(mask)
    return None if is_placeholder(mask) else to_picture(mask, name)


def extract_alpha(images: Tensor) -> Tensor | None:
    """The alpha channel of IMAGE as MASK, where it has one."""
    return images[..., 3] if images.shape[-1] == 4 else None


def to_picture(images: Tensor, name: str) -> np.ndarray:
    """The one picture (H, W, C) of an IMAGE, or (H, W) of a MASK, uint8."""
    images = images[None] if images.ndim == 2 else images
    if len(images) != 1:
        raise InputError(f"{name} takes one picture, got {len(images)}. Pick one with Get Image from Batch.")
    return to_uint8(images[0])


def show_preview(batch: Tensor, node) -> dict:
    """A handful of the pictures or masks, spread over the clip, for the node to show.

    They are one picture, four wide ones two by two: the page's own grid leaves an odd one alone in its row.
    """
    chosen = batch[choose_shown(len(batch))]
    half = len(chosen) // 2 if len(chosen) == PREVIEWS and batch.shape[2] >= batch.shape[1] else len(chosen)
    rows = [torch.cat(list(chosen[start : start + half]), 1) for start in range(0, len(chosen), half)]
    sheet = torch.cat(rows)[None]
    shown = ui.PreviewImage(sheet, cls=node) if batch.ndim == 4 else ui.PreviewMask(sheet, cls=node)
    return shown.as_dict()


def show_clip(batch: Tensor, node, fps: Fraction) -> dict:
    """The pictures of a clip, small, as a video for the node to play; one picture as it is."""
    if len(batch) == 1:
        return show_preview(batch, node)
    return _show_small(to_clip(batch, fps=float(fps), progress=make_progress()))


def _show_small(clip: Clip) -> dict:
    import cv2

    scale = min(1.0, SHOWN_SIDE / max(clip.width, clip.height))
    size = tuple(max(2, 2 * round(side * scale / 2)) for side in (clip.width, clip.height))
    frames = (cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in clip)
    progress = make_progress()
    return _show_video(
        _write_temp_file(
            frames, width=size[0], height=size[1], fps=clip.fps, sound=clip.sound, total=len(clip), progress=progress
        )
    )


def _show_video(path: Path) -> dict:
    """A video in ComfyUI's temp folder, for the node to play."""
    folder = path.parent.relative_to(folder_paths.get_temp_directory())
    place = "" if folder == Path() else folder.as_posix()
    return ui.PreviewVideo([ui.SavedResult(path.name, place, io.FolderType.temp)]).as_dict()


def choose_shown(count: int) -> list[int]:
    """Which of so many frames a node shows."""
    return sorted({round(k * (count - 1) / (PREVIEWS - 1)) for k in range(PREVIEWS)})


def show_notes(warnings: Iterable[str] = (), details: Iterable[str] = ()) -> dict:
    """Sentences for the page to show on the node: warnings, and details that are true of every run."""
    notes = [("warning", text) for text in warnings] + [("detail", text) for text in details]
    return {"mimo_notes": [{"kind": kind, "text": text} for kind, text in notes]} if notes else {}


def show_files(paths: Iterable[Path]) -> dict:
    """Files that were saved below ComfyUI's output folder, for the page to name and link."""
    places = [path.relative_to(folder_paths.get_output_directory()) for path in paths]
    folders = ["" if place.parent == Path() else place.parent.as_posix() for place in places]
    named = zip(places, folders, strict=True)
    return {"mimo_files": [{"filename": place.name, "subfolder": sub, "type": "output"} for place, sub in named]}


def write_temp_video(frames: Iterable[np.ndarray], *, width: int, height: int, **settings):
    """Write frames into ComfyUI's temp folder. Returns them as VIDEO, and what shows it on the node."""
    path = _write_temp_file(frames, width=width, height=height, **settings)
    is_playable = width % 2 == 0 and height % 2 == 0  # browsers do not play the full-resolution color of odd sizes
    shown = _show_video(path) if is_playable else _show_small(Clip.from_file(path))
    return InputImpl.VideoFromFile(str(path)), shown


def _write_temp_file(frames: Iterable[np.ndarray], *, width: int, height: int, **settings) -> Path:
    folder, name, counter, _, _ = folder_paths.get_save_image_path(
        "mimo", folder_paths.get_temp_directory(), width, height
    )
    path = Path(folder, f"{name}_{counter:05}_.mp4")
    write_video(path, frames, **settings)
    return path
