"""A strict stand-in for the parts of ComfyUI that our nodes touch, for machines without it.

It knows only the socket types, keywords and folders of ComfyUI 0.3.64 and refuses everything else. It keeps schemas,
runs `execute`, and proves nothing about ComfyUI itself: that is the job of the tests marked `comfy`.
"""

import dataclasses
import os
import sys
import types
from enum import Enum
from pathlib import Path


SOCKET = {"display_name", "optional", "tooltip", "lazy"}
WIDGET = SOCKET | {"default", "socketless", "force_input"}
KEYWORDS = {
    "BOOLEAN": WIDGET | {"label_on", "label_off"},
    "COMBO": WIDGET - {"force_input"} | {"options", "control_after_generate", "upload", "image_folder", "remote"},
    "FLOAT": WIDGET | {"min", "max", "step", "round", "display_mode"},
    "INT": WIDGET | {"min", "max", "step", "control_after_generate", "display_mode"},
    "STRING": WIDGET | {"multiline", "placeholder", "dynamic_prompts"},
}
SOCKETS = {
    "Audio": "AUDIO",
    "Boolean": "BOOLEAN",
    "Clip": "CLIP",
    "ClipVision": "CLIP_VISION",
    "Combo": "COMBO",
    "Conditioning": "CONDITIONING",
    "ControlNet": "CONTROL_NET",
    "Float": "FLOAT",
    "Image": "IMAGE",
    "Int": "INT",
    "Latent": "LATENT",
    "Mask": "MASK",
    "Model": "MODEL",
    "Noise": "NOISE",
    "String": "STRING",
    "Vae": "VAE",
    "Video": "VIDEO",
}
SCHEMA = {
    "node_id",
    "display_name",
    "category",
    "inputs",
    "outputs",
    "hidden",
    "description",
    "is_input_list",
    "is_output_node",
    "is_deprecated",
    "is_experimental",
    "is_api_node",
    "not_idempotent",
    "enable_expand",
}


@dataclasses.dataclass
class Input:
    io_type: str
    id: str
    options: dict
    extra_dict: dict = dataclasses.field(default_factory=dict)

    def get_io_type(self):
        return self.io_type

    def as_dict(self):
        return {k: v for k, v in self.options.items() if v is not None} | self.extra_dict

    def __getattr__(self, name):
        if name in WIDGET:
            return self.options.get(name)
        raise AttributeError(name)


@dataclasses.dataclass
class Output:
    io_type: str
    id: str | None = None
    display_name: str | None = None
    tooltip: str | None = None
    is_output_list: bool = False


def socket_type(io_type):
    """The pair of Input and Output that one socket type has."""

    def make_input(id, **options):
        allowed = KEYWORDS.get(io_type, SOCKET | {"extra_dict"})
        if options.keys() - allowed:
            raise TypeError(f"{io_type} Input does not take {sorted(options.keys() - allowed)}")
        extra = options.pop("extra_dict", {})
        return Input(io_type, id, options, dict(extra))

    def make_output(id=None, **options):
        return Output(io_type, id, **options)

    return {"io_type": io_type, "Input": staticmethod(make_input), "Output": staticmethod(make_output)}


class Schema:
    def __init__(self, **options):
        if options.keys() - SCHEMA:
            raise TypeError(f"Schema does not take {sorted(options.keys() - SCHEMA)}")
        defaults = {"inputs": [], "outputs": [], "is_output_node": False, "description": "", "category": "sd"}
        self.__dict__.update(defaults | options)
        ids = [entry.id for entry in self.inputs]
        if len(set(ids)) != len(ids):
            raise ValueError(f"Input ids must be unique, got {ids}")
        if set(ids) & {entry.id for entry in self.outputs}:
            raise ValueError("Ids must be unique between inputs and outputs")


class ComfyTypeIO:
    pass


class ComfyNode:
    hidden = None

    @classmethod
    def GET_SCHEMA(cls):
        return cls.define_schema()


class NodeOutput:
    def __init__(self, *args, ui=None, expand=None, block_execution=None):
        self.args, self.ui, self.expand, self.block_execution = args, ui, expand, block_execution

    @property
    def result(self):
        return self.args or None


def comfytype(io_type):
    def decorate(cls):
        return type(cls.__name__, (cls,), socket_type(io_type) | {"__doc__": cls.__doc__})

    return decorate


def custom(io_type):
    return comfytype(io_type)(ComfyTypeIO)


class MultiType:
    @staticmethod
    def Input(id, types, *, display_name=None, optional=False, tooltip=None, lazy=None, extra_dict=None):
        io_type = ",".join(dict.fromkeys(entry.io_type for entry in types))
        options = {"display_name": display_name, "optional": optional, "tooltip": tooltip, "lazy": lazy}
        return Input(io_type, id, options, dict(extra_dict or {}))


class FolderType(str, Enum):
    input, output, temp = "input", "output", "temp"


class UploadType(str, Enum):
    image, audio, video, model = "image_upload", "audio_upload", "video_upload", "file_upload"


class SavedResult(dict):
    def __init__(self, filename, subfolder, type):
        super().__init__(filename=filename, subfolder=subfolder, type=type.value)


class PreviewImage:
    def __init__(self, image, animated=False, cls=None):
        self.image = image.clone()

    def as_dict(self):
        return {"images": [{"filename": f"{k}.png", "type": "temp"} for k in range(len(self.image))]}


class PreviewMask(PreviewImage):
    pass


class PreviewVideo:
    def __init__(self, values):
        self.values = values

    def as_dict(self):
        return {"images": self.values, "animated": (True,)}


class PreviewText:
    def __init__(self, value):
        self.value = value

    def as_dict(self):
        return {"text": (self.value,)}


@dataclasses.dataclass
class VideoComponents:
    images: object
    frame_rate: object
    audio: object = None
    metadata: object = None


class VideoFromFile:
    def __init__(self, file):
        self._file = file

    def get_stream_source(self):
        return self._file

    def get_dimensions(self):
        import av

        with av.open(self._file) as container:
            return container.streams.video[0].width, container.streams.video[0].height


class VideoFromComponents:
    def __init__(self, components):
        self._components = components

    def get_components(self):
        return self._components


class ProgressBar:
    hook = None  # what the server sets: called with (value, total, preview), raises on Cancel

    def __init__(self, total):
        self.total = total

    def update_absolute(self, value, total=None, preview=None):
        self.total = total or self.total
        if ProgressBar.hook:
            ProgressBar.hook(value, self.total, preview)


def _folder_paths():
    """Input, output and temp folders, and the naming of saved files."""
    module = types.ModuleType("folder_paths")
    here = {kind: f"no-such-folder/{kind}" for kind in ("input", "output", "temp")}
    module.models_dir = "models"
    for kind in ("input", "output", "temp"):
        setattr(module, f"set_{kind}_directory", lambda folder, kind=kind: here.__setitem__(kind, str(folder)))
        setattr(module, f"get_{kind}_directory", lambda kind=kind: here[kind])

    module.folder_names_and_paths = {}

    def add_model_folder_path(name, folder):
        module.folder_names_and_paths.setdefault(name, ([], set()))[0].append(folder)

    def get_filename_list(name):
        paths, suffixes = module.folder_names_and_paths[name]
        return sorted(f.name for path in paths for f in Path(path).glob("*") if f.suffix in suffixes)

    def get_full_path_or_raise(name, file):
        return next(os.path.join(p, file) for p in module.folder_names_and_paths[name][0] if Path(p, file).is_file())

    module.add_model_folder_path = add_model_folder_path
    module.get_folder_paths = lambda name: list(module.folder_names_and_paths[name][0])
    module.get_filename_list = get_filename_list
    module.get_full_path_or_raise = get_full_path_or_raise

    def get_save_image_path(prefix, folder, width=0, height=0):
        target = Path(os.path.abspath(os.path.join(folder, os.path.dirname(prefix))))
        if not target.is_relative_to(folder):
            raise Exception("Saving image outside the output folder is not allowed.")
        target.mkdir(parents=True, exist_ok=True)
        name = os.path.basename(prefix)
        counters = [int(file.stem[len(name) + 1 :].split("_")[0] or 0) for file in target.glob(f"{name}_*_.*")]
        return str(target), name, max(counters, default=0) + 1, os.path.dirname(prefix), prefix

    module.get_save_image_path = get_save_image_path
    return module


def _module(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    return module


def install() -> None:
    """Put the stand-in where the nodes look for ComfyUI."""
    sockets = {name: type(name, (), socket_type(io_type)) for name, io_type in SOCKETS.items()}
    io = _module(
        "comfy_api.latest._io",
        **sockets,
        ComfyNode=ComfyNode,
        ComfyTypeIO=ComfyTypeIO,
        Custom=custom,
        FolderType=FolderType,
        Hidden=types.SimpleNamespace(
            prompt="PROMPT", extra_pnginfo="EXTRA_PNGINFO", unique_id="UNIQUE_ID", dynprompt="DYNPROMPT"
        ),
        MultiType=MultiType,
        NodeOutput=NodeOutput,
        Schema=Schema,
        UploadType=UploadType,
        comfytype=comfytype,
    )
    ui = _module(
        "comfy_api.latest._ui",
        PreviewImage=PreviewImage,
        PreviewMask=PreviewMask,
        PreviewText=PreviewText,
        PreviewVideo=PreviewVideo,
        SavedResult=SavedResult,
    )
    latest = _module(
        "comfy_api.latest",
        ComfyExtension=object,
        InputImpl=types.SimpleNamespace(VideoFromFile=VideoFromFile, VideoFromComponents=VideoFromComponents),
        Types=types.SimpleNamespace(VideoComponents=VideoComponents),
        io=io,
        ui=ui,
    )
    comfy_utils = _module("comfy.utils", ProgressBar=ProgressBar)
    management = _module(
        "comfy.model_management",
        get_free_memory=lambda device: 2**34,
        get_torch_device=lambda: "cpu",
        throw_exception_if_processing_interrupted=lambda: None,
    )
    names = types.SimpleNamespace(SAMPLERS=["euler", "ddim"], SCHEDULERS=["simple", "normal"])
    samplers = _module("comfy.samplers", KSampler=names)
    sys.modules |= {
        "comfy.samplers": samplers,
        "comfy": _module("comfy", utils=comfy_utils, model_management=management, samplers=samplers),
        "comfy.model_management": management,
        "comfy.utils": comfy_utils,
        "comfy_api": _module("comfy_api", latest=latest),
        "comfy_api.latest": latest,
        "folder_paths": _folder_paths(),
    }
