"""Checkpoints: the four official files, and one merged file.

Every tensor is accounted for: a motion module that was not loaded is the usual mistake with these models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import InputError
from ..output import whole_file
from ..progress import Progress, silent
from ..weights.fetch import hash_file
from ..weights.files import format_command
from .attention import AttentionFunction
from .config import MimoConfig
from .denoiser import Denoiser
from .layouts import ParameterReader
from .pose_guider import PoseGuider
from .reference_unet import ReferenceUNet
from .state_files import INDEX_SUFFIX, PICKLED, describe_state, list_widths, read_metadata, read_tensors
from .unet import UNet


NETWORKS = {"denoising_unet": Denoiser, "reference_unet": ReferenceUNet, "pose_guider": PoseGuider}
OFFICIAL = ("denoising_unet", "motion_module", "reference_unet", "pose_guider")
TRAINED_NAME = re.compile(rf"({'|'.join(OFFICIAL)})[-_](\d+)")  # as training scripts save them: denoising_unet-25000
EXTRAS = ("vae", "clip_vision", "detail")
METADATA_ENTRY = "mimo"  # the entry in the head of a merged file
SETTING_RENAMES = {"colours": "colors", "layers": "concat"}
LISTED_NAMES = 12  # names in an error message


def name_network(path: Path) -> str | None:
    """Which of the OFFICIAL files a file is by its name, also as training scripts number it; None for others."""
    named = TRAINED_NAME.fullmatch(path.stem)
    return named[1] if named else path.stem if path.stem in OFFICIAL else None


@dataclass(frozen=True)
class TrainingSettings:
    """How a set of weights was trained: the defaults when it is sampled."""

    size: int = 784  # pixels
    window: int = 24
    overlap: int = 4
    steps: int = 25
    cfg: float = 3.5
    colors: str = "smpl"  # which color a body-code vertex has: "smpl" is sdc_info.npy, "free" our own map
    concat: tuple[str, ...] = ("plate",)  # whose latents are concatenated to the noise: keys of `CONCAT_SOURCES`
    source: str = ""
    licence: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of the files it was made from


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The tensors of a MIMO, by the names of its modules. `extras` holds what came with it, by EXTRAS."""

    config: MimoConfig
    trained: TrainingSettings
    denoising_unet: Mapping[str, Tensor]
    reference_unet: Mapping[str, Tensor]
    pose_guider: Mapping[str, Tensor]
    extras: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Networks:
    """The three networks, loaded."""

    denoiser: Denoiser
    reference_unet: ReferenceUNet
    pose_guider: PoseGuider
    trained: TrainingSettings


def open_checkpoint(path: Path) -> Checkpoint:
    """A merged .safetensors file, one of the four official files, or the folder that holds either.

    Files with the number of a training step behind their names go together; of a folder the last step counts.
    Raises InputError if tensors are missing, left over or of another shape.
    """
    path = Path(path)
    if path.is_dir():
        merged = sorted(file for file in path.glob("*.safetensors") if METADATA_ENTRY in read_metadata(file))
        if _find_part(path, "denoising_unet") is None and merged:
            return open_merged(merged[0])
        return open_official(path)
    named = TRAINED_NAME.fullmatch(path.stem)
    if named and not path.is_dir():
        return open_official(path.parent, step=int(named[2]))
    if path.name.removesuffix(INDEX_SUFFIX).partition(".")[0] in OFFICIAL and path.name.endswith(INDEX_SUFFIX):
        return open_official(path.parent)
    if path.stem in OFFICIAL and not (path.suffix == ".safetensors" and METADATA_ENTRY in read_metadata(path)):
        return open_official(path.parent)
    return open_merged(path)


def open_merged(path: Path) -> Checkpoint:
    """One file with `denoising_unet.`, `reference_unet.` and `pose_guider.` before the names.

    Raises InputError if it is another kind of file, or does not fit the networks.
    """
    tensors = read_tensors(path)
    recorded = read_metadata(path).get(METADATA_ENTRY) if path.suffix == ".safetensors" else None
    if recorded is None:
        raise InputError(
            f"{path.name} is not a MIMO checkpoint: it seems to be {describe_state(tensors)}. "
            f"Choose a merged MIMO file, or a folder with {', '.join(f'{name}.pth' for name in OFFICIAL)}."
        )
    recorded = json.loads(recorded)
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in (*NETWORKS, *EXTRAS)}
    for name, tensor in tensors.items():
        part, _, inner = name.partition(".")
        if part not in parts:
            raise InputError(f"{path.name} holds {name}, which belongs to no network of this version.")
        parts[part][inner] = tensor
    checkpoint = Checkpoint(
        MimoConfig(**_restore_tuples(recorded["config"])),
        TrainingSettings(**_rename_settings(_restore_tuples(recorded["trained"]))),
        **{name: parts[name] for name in NETWORKS},
        extras={name: parts[name] for name in EXTRAS if parts[name]},
    )
    return _check_tensors(checkpoint, path.name)


def _restore_tuples(recorded: Mapping) -> dict:
    """Numbers from JSON, which has no tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in recorded.items()}


def _rename_settings(recorded: Mapping) -> dict:
    """Settings of a file under their present names: until November 2026 two of them were called otherwise."""
    return {SETTING_RENAMES.get(name, name): value for name, value in recorded.items()}


def open_official(folder: Path, *, step: int | None = None) -> Checkpoint:
    """denoising_unet, motion_module, reference_unet and pose_guider, as .pth or .safetensors; of one training `step`.

    Loaded in the official order: what denoising_unet holds wins over motion_module.
    Raises InputError if a file is absent, of another kind, or does not fit the networks.
    """
    files = {name: _find_part(folder, name, step) for name in OFFICIAL}
    if absent := [name for name in NETWORKS if files[name] is None]:
        raise InputError(
            f"{folder} lacks {', '.join(f'{name}.pth' for name in absent)}. Get the four official files with "
            f"{format_command('fetch', 'mimo')}, or choose a merged MIMO checkpoint."
        )
    states = {name: read_tensors(file) for name, file in files.items() if file is not None}
    for name, is_right in PART_SIGNATURES.items():
        if name in states and not is_right(states[name]):
            raise InputError(
                f"{files[name].name} is not what its name says: it seems to be {describe_state(states[name])}."
            )
    denoiser = states.get("motion_module", {}) | states["denoising_unet"]
    config = infer_config(denoiser, states["pose_guider"])
    trained = TrainingSettings(source="https://huggingface.co/menyifang/MIMO", licence="not stated")
    checkpoint = Checkpoint(config, trained, denoiser, states["reference_unet"], states["pose_guider"])
    return _check_tensors(checkpoint, str(folder))


PART_SIGNATURES = {
    "denoising_unet": lambda state: (
        state.get("conv_in.weight", torch.empty(0)).ndim == 4 and "conv_out.weight" in state
    ),
    "motion_module": lambda state: bool(state) and all("motion_modules." in name for name in state),
    "reference_unet": lambda state: "mid_block.resnets.0.conv1.weight" in state and "conv_out.weight" not in state,
    "pose_guider": lambda state: "blocks.0.weight" in state,
}


def build_networks(
    checkpoint: Checkpoint,
    *,
    networks=NETWORKS,
    attention: AttentionFunction | None = None,
    read_parameters: ParameterReader | None = None,
    operations=nn,
    dtype: torch.dtype | None = None,
    device=None,
) -> Networks:
    """The three networks with the checkpoint's tensors, in `dtype` (else as stored) on `device`, for inference.

    `networks` are their classes, by the names of the checkpoint's parts and in that order. `attention` computes every
    attention of the two UNets, and `read_parameters` gives the weights of their group norms; None is torch's own.
    """
    built = []
    for name, network in networks.items():
        state = getattr(checkpoint, name)
        state = {key: _place_tensor(key, tensor, dtype, device) for key, tensor in state.items()}
        chosen = {"attention": attention, "read_parameters": read_parameters} if issubclass(network, UNet) else {}
        module = network(checkpoint.config, **chosen, operations=operations, dtype=dtype, device="meta")
        module.load_state_dict(state, assign=True)
        built.append(module.eval().requires_grad_(False))
    return Networks(*built, checkpoint.trained)


def _place_tensor(name: str, tensor: Tensor, dtype: torch.dtype | None, device) -> Tensor:
    layout = torch.channels_last if tensor.ndim == 4 else torch.preserve_format  # as activations are
    dtype = None if name.endswith(".pe") else dtype  # tables stay in float32
    return tensor.to(device=device, dtype=dtype, memory_format=layout)


def merge_checkpoint(
    source: Path, out: Path, *, dtype: torch.dtype = torch.float16, progress: Progress = silent
) -> Checkpoint:
    """Write the checkpoint in `source` as one merged .safetensors file, with the hashes of its files in the head."""
    checkpoint = open_checkpoint(source)
    files = (
        [file for name in OFFICIAL if (file := _find_part(source, name))] if Path(source).is_dir() else [Path(source)]
    )
    hashes = {}
    for done, file in enumerate(files, 1):
        hashes[file.name] = hash_file(file)
        progress(done, len(files) + 1)
    checkpoint = replace(checkpoint, trained=replace(checkpoint.trained, hashes=hashes))
    save_checkpoint(checkpoint, out, dtype=dtype)
    progress(len(files) + 1, len(files) + 1)
    return checkpoint


def save_checkpoint(checkpoint: Checkpoint, out: Path, *, dtype: torch.dtype = torch.float16) -> None:
    """Write one merged file, under a temporary name until it is complete.

    Raises InputError, and leaves no file, if a value overflows `dtype`.
    """
    parts = {name: getattr(checkpoint, name) for name in NETWORKS} | dict(checkpoint.extras)
    tensors = {
        f"{part}.{name}": _prepare_tensor(name, tensor, dtype)
        for part, state in parts.items()
        for name, tensor in state.items()
    }
    if overflown := [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]:
        raise InputError(f"{_list_names(overflown)} cannot be stored in {dtype}: values overflow. Store it in float32.")
    recorded = {"format": 1, "config": asdict(checkpoint.config), "trained": asdict(checkpoint.trained)}
    with whole_file(out) as partial:
        save_file(tensors, partial, metadata={METADATA_ENTRY: json.dumps(recorded)})


def _prepare_tensor(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    keep = not tensor.is_floating_point() or name.endswith(".pe")
    return (
        tensor.float() if keep and tensor.is_floating_point() else tensor if keep else tensor.to(dtype)
    ).contiguous()


def infer_config(denoiser: Mapping[str, Tensor], pose_guider: Mapping[str, Tensor]) -> MimoConfig:
    """Widths and counts from shapes. Heads and groups leave no trace in weights: the official 8 and 32 are taken."""
    widths = list_widths(denoiser, r"down_blocks\.(\d+)\.resnets\.0\.conv1\.weight")
    layers = list_widths(denoiser, r"down_blocks\.0\.resnets\.(\d+)\.conv1\.weight")
    pose = list_widths(pose_guider, r"blocks\.(\d+)\.weight")
    first = pose_guider.get("conv_in.weight")
    context = denoiser.get("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight")
    tables = [tensor for name, tensor in denoiser.items() if name.endswith("pos_encoder.pe")]
    default = MimoConfig()
    return MimoConfig(
        block_out_channels=tuple(widths) or default.block_out_channels,
        layers_per_block=len(layers) or default.layers_per_block,
        cross_attention_dim=context.shape[1] if context is not None else default.cross_attention_dim,
        motion_frames=max(tables[0].shape[1], default.motion_frames) if tables else default.motion_frames,
        pose_channels=(first.shape[0], *pose[1::2]) if first is not None else default.pose_channels,
    )


def _check_tensors(checkpoint: Checkpoint, source: str) -> Checkpoint:
    """The checkpoint, if its tensors are those of the networks: none missing, none left over, all of their shape."""
    channels, concat = checkpoint.config.in_channels, checkpoint.trained.concat
    if channels != 4 * (1 + len(concat)):
        raise InputError(
            f"{source} reads {channels} channels, but 4 of noise and 4 for each of {', '.join(concat)} make "
            f"{4 * (1 + len(concat))}. Its metadata is damaged, or was written by another version."
        )
    for name, network in NETWORKS.items():
        expected = network(checkpoint.config, device="meta").state_dict()
        state = getattr(checkpoint, name)
        missing, extra = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
        misshapen = [
            f"{key} is {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
            for key in sorted(set(expected) & set(state))
            if state[key].shape != expected[key].shape
        ]
        problems = [
            f"lacks {len(missing)} of {len(expected)} tensors: {_list_names(missing)}" if missing else "",
            f"has {len(extra)} unknown tensors: {_list_names(extra)}" if extra else "",
            f"has {len(misshapen)} tensors of another shape: {_list_names(misshapen)}" if misshapen else "",
        ]
        if any(problems):
            raise InputError(
                f"The {name} of {source} " + "; it ".join(filter(None, problems)) + "." + _suggest_remedy(missing)
            )
    return checkpoint


def _suggest_remedy(missing: list[str]) -> str:
    if missing and all("motion_modules." in name for name in missing):
        return " Those are motion modules: put motion_module.pth beside the other files."
    return ""


def _list_names(names: list[str]) -> str:
    more = f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
    return ", ".join(names[:LISTED_NAMES]) + more


def _find_part(folder: Path, name: str, step: int | None = None) -> Path | None:
    """The file of an official part: safetensors before pickled ones, whole before cut ones, then the last step's."""
    suffixes = (".safetensors", *PICKLED)
    candidates = [Path(folder) / f"{name}{suffix}" for suffix in suffixes]
    candidates += [Path(folder) / f"{name}{suffix}{INDEX_SUFFIX}" for suffix in suffixes]
    trained = {}
    for file in sorted(Path(folder).glob(f"{name}[-_]*")):
        named = TRAINED_NAME.fullmatch(file.stem)
        if named and named[1] == name and file.suffix in suffixes:
            trained[int(named[2])] = file
    if step in trained:
        return trained[step]
    candidates += [trained[number] for number in sorted(trained, reverse=True)]
    return next((file for file in candidates if file.is_file()), None)
