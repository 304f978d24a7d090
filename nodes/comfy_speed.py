"""Faster sampling inside ComfyUI: wrappers around the guider and the sampler of any stock node."""

from __future__ import annotations

import comfy.patcher_extension

from ..mimo_core.denoise.speed import DeepFeatures, check_interval, is_guided


WRAPPER_KEY = "mimo_speed"
DEEP_KEY = "mimo_deep_features"  # in transformer_options
WRAPPERS = comfy.patcher_extension.WrappersMP


def set_speed(model, interval: tuple[float, float], every: int, depth: int):
    """A clone of a MODEL that is guided in an interval of noise levels and makes deep features every n-th step."""
    check_interval(interval)
    model = model.clone()
    for kind in (WRAPPERS.PREDICT_NOISE, WRAPPERS.OUTER_SAMPLE):
        model.remove_wrappers_with_key(kind, WRAPPER_KEY)
    options = model.model_options["transformer_options"]
    options.pop(DEEP_KEY, None)
    if interval != (0.0, 1.0):
        model.add_wrapper_with_key(WRAPPERS.PREDICT_NOISE, WRAPPER_KEY, _make_interval_wrapper(interval))
    if every > 1:
        options[DEEP_KEY] = features = DeepFeatures(every, depth)
        model.add_wrapper_with_key(WRAPPERS.OUTER_SAMPLE, WRAPPER_KEY, _make_run_wrapper(features))
    return model


def _make_interval_wrapper(interval: tuple[float, float]):
    def predict_noise(executor, x, timestep, *args, **kwargs):
        """Without guidance where the noise level lies outside the interval: a CFG of 1 leaves the other half out."""
        guider = executor.class_obj
        level = float(guider.inner_model.model_sampling.timestep(timestep[:1])[0])
        if is_guided(level, interval) or not hasattr(guider, "cfg"):
            return executor(x, timestep, *args, **kwargs)
        strength, guider.cfg = guider.cfg, 1.0
        try:
            return executor(x, timestep, *args, **kwargs)
        finally:
            guider.cfg = strength

    return predict_noise


def _make_run_wrapper(features: DeepFeatures):
    def outer_sample(executor, *args, **kwargs):
        """Every run begins without features, and leaves none in memory."""
        features.reset()
        try:
            return executor(*args, **kwargs)
        finally:
            features.reset()

    return outer_sample
