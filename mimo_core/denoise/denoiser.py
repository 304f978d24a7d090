"""The denoiser: Stable Diffusion 1.5's UNet with motion modules, a background in its input, and a reference."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import InputError
from .config import MimoConfig
from .elementwise import normalize_groups
from .forward_context import ForwardContext, repeat_per_row
from .layouts import add_to, is_traced
from .reference import ReferenceFeatures, ReferenceKeys
from .speed import DeepPass
from .transformer import TransformerBlock
from .unet import UNet


class Denoiser(UNet):
    """Predicts v for frames that lie in the batch axis. Any latent size; at most `config.motion_frames` frames."""

    def __init__(
        self,
        config: MimoConfig,
        *,
        attention=None,
        read_parameters=None,
        operations=nn,
        dtype=None,
        device=None,
    ):
        choices = {"attention": attention, "read_parameters": read_parameters}
        super().__init__(
            config, config.in_channels, motion=True, **choices, operations=operations, dtype=dtype, device=device
        )
        width, layer = config.block_out_channels[0], {"dtype": dtype, "device": device}
        self.conv_norm_out = operations.GroupNorm(config.norm_groups, width, eps=1e-5, **layer)
        if read_parameters is not None:
            self.conv_norm_out.read_parameters = read_parameters
        self.conv_out = operations.Conv2d(width, config.out_channels, 3, padding=1, **layer)

    def forward(
        self,
        x,
        timesteps,
        context=None,
        control=None,
        transformer_options=None,
        *,
        pose=None,
        reference=None,
        reads_reference: tuple[bool, ...] | None = None,
        deep: DeepPass | None = None,
        **_,
    ) -> Tensor:
        """v (rows, 4, h, w) of `x` (rows, 8, h, w): noisy latent, then background. Rows are chunks of F frames.

        The signature is that of ComfyUI's UNets; newer releases of it add keywords.

        timesteps: (rows,)
        context: character token (rows, 1, D), (F, 1, D) or (1, 1, D); more tokens are attended to as usual
        control: residuals of ControlNets ("output", "middle") and T2I adapters ("input"); entries may be None
        transformer_options: see `ForwardContext`. Without it all rows are one conditional chunk
        pose: features of the pose guider (F, C, h, w), shared by the chunks, or one per row
        reference: `ReferenceKeys`, or `ReferenceFeatures` that are projected here, in every pass
        reads_reference: whether each chunk reads it. Without it the conditional chunks do
        deep: the features that this pass takes from an earlier one, or where it leaves its own
        What decides between ways through the network is an argument and not an option: ComfyUI's compile node takes
        the options of the first call for those of all.
        Raises InputError without a context, or if shapes do not fit.
        """
        if context is None:
            raise InputError("The denoiser needs the character's token as context, (1, 1, D). Zeros mean no character.")
        if isinstance(reference, ReferenceFeatures):
            reference = self.project_reference(reference)
        ctx = ForwardContext(
            x, context, reference=reference, transformer_options=transformer_options, reads_reference=reads_reference
        )
        temb = self.time_embedding(timesteps, x.dtype)
        for patch in ctx.patches.get("emb_patch", ()):
            temb = patch(temb, self.config.block_out_channels[0], ctx.options)

        ctx.enter_block("input", 0)
        hidden = add_residual(self._add_pose(self.open_input(x), pose), control, "input", 0)
        hidden = ctx.apply_patches("input_block_patch", hidden)
        skips = [hidden]
        hidden = ctx.apply_patches("input_block_patch_after_skip", hidden)
        inputs, outputs = self.list_input_blocks(), self.list_output_blocks()
        is_reused = deep is not None and deep.found is not None
        shared = 0 if deep is None else max(len(outputs) - 1 - deep.depth, 0)  # output blocks whose result is kept
        for number, block in enumerate(inputs[: len(outputs) - 1 - shared] if is_reused else inputs, 1):
            ctx.enter_block("input", number)
            hidden = add_residual(block(hidden, temb, ctx), control, "input", number)
            hidden = ctx.apply_patches("input_block_patch", hidden)
            skips.append(hidden)
            hidden = ctx.apply_patches("input_block_patch_after_skip", hidden)

        hidden = deep.found if is_reused else add_residual(self.run_middle(hidden, temb, ctx), control, "middle", 0)
        for number, block in enumerate(outputs):
            if is_reused and number < shared:
                continue
            if deep is not None and number == shared and not is_reused:
                deep.made = hidden
            ctx.enter_block("output", number)
            skip = add_residual(skips.pop(), control, "output", number)
            for patch in ctx.patches.get("output_block_patch", ()):
                hidden, skip = patch(hidden, skip, ctx.options)
            hidden = torch.cat([hidden, skip], 1)
            hidden = block(hidden, temb, ctx, skips[-1].shape[-2:] if skips else None)

        return self.conv_out(normalize_groups(self.conv_norm_out, hidden, activates=True)).contiguous()

    def project_reference(self, features: ReferenceFeatures) -> ReferenceKeys:
        """Keys and values of a reference, once per clip: they are the same for all steps, windows and frames.

        Raises InputError if the features of a block are missing.
        """
        blocks = {module.path: module for module in self.modules() if isinstance(module, TransformerBlock)}
        if missing := sorted(set(blocks) - set(features.banks)):
            raise InputError(f"The reference lacks {len(missing)} of {len(blocks)} blocks: {', '.join(missing)}.")
        return ReferenceKeys({path: block.project_bank(features.banks[path]) for path, block in blocks.items()})

    def _add_pose(self, hidden: Tensor, pose: Tensor | None) -> Tensor:
        if pose is None:
            return hidden
        if pose.shape[1:] != hidden.shape[1:]:
            raise InputError(
                f"Pose features are (C, h, w) = {tuple(pose.shape[1:])}, the latent needs {tuple(hidden.shape[1:])}. "
                "Render the body code at the size of the video."
            )
        if len(hidden) % len(pose):  # says so
            repeat_per_row(pose, len(hidden), "pose features")
        return add_to(hidden.unflatten(0, (-1, len(pose))), pose.to(hidden)).flatten(0, 1)


def add_residual(hidden: Tensor, control: dict | None, name: str, number: int) -> Tensor:
    """`hidden` plus the residual for block `number` of this kind, if there is one.

    ComfyUI takes residuals from the end of each list, so "output" lies in the order of the skips, deepest last, and
    "input" deepest first. The lists are not changed: a context window may use them again.
    """
    residuals = (control or {}).get(name) or ()
    residual = residuals[-1 - number] if number < len(residuals) else None
    if residual is None:
        return hidden
    if is_traced():
        return hidden + residual.to(hidden)
    return torch.add(hidden, residual.to(hidden), out=torch.empty_like(hidden))  # in the layout of `hidden`
