"""MIMO: controllable character video. The library; it never imports ComfyUI.

The names below are its public interface; each is imported from its room when it is first used.
"""

from importlib import import_module


__version__ = "0.1.0"
_ROOMS = {
    "Clip": "media.clip",
    "Identity": "identity.identity",
    "InputError": "errors",
    "Masks": "media.clip",
    "MimoDecoder": "denoise.pipeline",
    "Motion": "motion.motion",
    "Proxy": "proxy.proxy",
    "Scene": "scene.scene",
    "animate_character": "replace",
    "composite": "compositing.composite",
    "encode_identity": "identity.encode",
    "estimate_motion": "pose.estimate",
    "load_motion": "motion.files",
    "read_picture": "media.picture",
    "render_motion": "render.styles",
    "replace_character": "replace",
    "replace_people": "replace",
    "retarget_motion": "motion.retarget",
    "save_motion": "motion.files",
    "separate_scene": "scene.separate",
    "write_video": "media.video_writer",
}
__all__ = list(_ROOMS)


def __getattr__(name: str):
    """A public name, imported from its room.

    Raises AttributeError for any other name.
    """
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_ROOMS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
