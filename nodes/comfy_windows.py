"""Windows over frames inside ComfyUI's sampling: for conds, and for the frames of any ControlNet's hints.

ComfyUI 0.3.64 windows along the batch axis fail in `set_step` and give every window the first frames' conds; no release
cuts the hints of ControlNets. So our own handler does all of it, and nothing of the core's loop is used.
"""

from __future__ import annotations

import copy
import uuid

import comfy.context_windows
import comfy.model_management
import comfy.patcher_extension
import torch
from torch import Tensor

from ..mimo_core.denoise.windows import plan_context_windows, plan_official_windows


class FrameWindow(comfy.context_windows.IndexListContextWindow):
    """Some frames of the batch. Newer cores give the base class more arguments, of which none concerns us."""

    def __init__(self, index_list: list[int], frames: int):
        self.index_list, self.context_length, self.dim = index_list, len(index_list), 0
        self.total_frames, self.context_overlap = frames, 0
        self.controls = {}  # windowed ControlNets by the id of the one they stand for

    def get_tensor(self, full: Tensor, device=None, dim=None, **_) -> Tensor:
        if len(full) != self.total_frames:
            return full.to(device)
        return full[torch.tensor(self.index_list, device=full.device)].to(device)


class FrameWindows(comfy.context_windows.IndexListContextHandler):
    """MIMO's windows: the same at every step, averaged with equal weight."""

    def __init__(self, size: int, overlap: int, schedule: str = "fixed", contexts: tuple[int, ...] = ()):
        """`contexts` are the lengths of the parts of the clip that no window of the fixed schedule may join."""
        super().__init__(
            comfy.context_windows.ContextSchedule(schedule, None),
            comfy.context_windows.get_matching_fuse_method(comfy.context_windows.ContextFuseMethods.FLAT),
            context_length=size,
            context_overlap=overlap,
        )
        self.schedule, self.contexts = schedule, contexts

    def windows(self, frames: int) -> list[list[int]]:
        if self.schedule == "official":
            return plan_official_windows(frames, size=self.context_length, overlap=self.context_overlap)
        lengths = self.contexts if sum(self.contexts) == frames else (frames,)
        return plan_context_windows(lengths, size=self.context_length, overlap=self.context_overlap)

    def should_use_context(self, model, conds, x_in, timestep, model_options) -> bool:
        return len(self.windows(len(x_in))) > 1

    def set_step(self, timestep, model_options):
        """Nothing: windows do not move between steps, so samplers may evaluate between sigmas."""

    def execute(self, calc_cond_batch, model, conds, x_in, timestep, model_options):
        """Predictions of all frames, one (F, 4, h, w) per entry of `conds`."""
        frames, options = len(x_in), model_options["transformer_options"]
        means, seen = [torch.zeros_like(x_in) for _ in conds], x_in.new_zeros(frames, 1, 1, 1)
        try:
            for indices in self.windows(frames):
                comfy.model_management.throw_exception_if_processing_interrupted()
                options["context_window"] = window = FrameWindow(indices, frames)
                predicted = calc_cond_batch(
                    model,
                    [self.get_resized_cond(cond, x_in, window) for cond in conds],
                    window.get_tensor(x_in),
                    window.get_tensor(timestep),
                    model_options,
                )
                seen[indices] += 1
                for mean, prediction in zip(means, predicted, strict=True):
                    # A running mean: equal predictions leave it as it is to the last bit, which a sum would not.
                    mean[indices] += (prediction - mean[indices]) / seen[indices]
        finally:
            options.pop("context_window", None)
        return means

    def get_resized_cond(self, cond_in, x_in, window, device=None):
        if cond_in is None:
            return None
        return [{key: _cut_entry(key, value, window, device) for key, value in cond.items()} for cond in cond_in]


def set_windows(model, size: int, overlap: int, schedule: str = "fixed", contexts: tuple[int, ...] = ()):
    """A clone of a MODEL that samples in windows, with a memory estimate to match."""
    model = model.clone()
    model.model_options["context_handler"] = FrameWindows(size, overlap, schedule, contexts)
    wrapper = comfy.patcher_extension.WrappersMP.PREPARE_SAMPLING
    model.remove_wrappers_with_key(wrapper, "ContextWindows_prepare_sampling")
    comfy.context_windows.create_prepare_sampling_wrapper(model)
    return model


def get_windows(model) -> FrameWindows | None:
    """The MIMO windows of a MODEL, unless another node put its own handler in their place."""
    handler = model.model_options.get("context_handler")
    return handler if isinstance(handler, FrameWindows) else None


def _cut_entry(key: str, value, window: FrameWindow, device):
    """One entry of a cond for the frames of a window. Everything with a row per frame is cut, also what others put."""
    if key == "control":
        # Positive and negative must get the same object, or ComfyUI samples them one after the other.
        if id(value) not in window.controls:
            window.controls[id(value)] = cut_control(value, window)
        return window.controls[id(value)]
    if key == "uuid":  # caches of the core tell conds apart by it
        return uuid.uuid5(value, str(window.index_list))
    if key == "model_conds":
        return {name: _cut_cond(cond, window, device) for name, cond in value.items()}
    return window.get_tensor(value, device) if _has_frames(value, window) else value


def _cut_cond(cond, window: FrameWindow, device):
    tensor = getattr(cond, "cond", None)
    return cond._copy_with(window.get_tensor(tensor, device)) if _has_frames(tensor, window) else cond


def _has_frames(value, window: FrameWindow) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) == window.total_frames


def cut_control(control, window: FrameWindow):
    """A shallow copy of a chain of ControlNets that sees only the hint frames of one window."""
    cut = copy.copy(control)
    if hasattr(cut, "sub_idxs"):  # ComfyUI-Advanced-ControlNet cuts its own hints, masks and keyframes
        cut.sub_idxs, cut.full_latent_length = window.index_list, window.total_frames
        cut.context_length = len(window.index_list)
    else:
        cut.cond_hint_original = _cut_hints(cut.cond_hint_original, window)
        cut.extra_concat_orig = [_cut_hints(mask, window) for mask in cut.extra_concat_orig]
    cut.cond_hint = None
    for prepared, empty in (("cond_hints", {}), ("control_input", None)):  # newer cores; T2I adapters
        if hasattr(cut, prepared):
            setattr(cut, prepared, empty)
    if cut.previous_controlnet is not None:
        cut.previous_controlnet = cut_control(cut.previous_controlnet, window)
    return cut


def _cut_hints(hints: Tensor | None, window: FrameWindow) -> Tensor | None:
    """One hint serves all frames; fewer hints than frames start over, more are left out, as without windows."""
    if hints is None or len(hints) == 1:
        return hints
    # Indexed at once: a repetition in between changes the memory format, and with it the last bits of convolutions.
    return hints[torch.tensor([index % len(hints) for index in window.index_list], device=hints.device)]
