"""Nodes of the MIMO denoiser: load it, tell it what to draw, and sample, by stock samplers or by one node."""

from __future__ import annotations

import os

import comfy.samplers
import torch
from comfy_api.latest import io

from ..mimo_core.denoise.config import NOISES
from ..mimo_core.denoise.noise import draw_frame_noise, draw_official_noise
from ..mimo_core.errors import InputError
from .media import make_progress, show_clip, show_notes, to_clip
from .models import list_checkpoints, locate_checkpoint
from .people import list_left_out
from .sockets import BEHAVIORS, MimoIdentity, MimoMotion, MimoPlan, MimoScene, check_choice, make_schema, mark_advanced


PRECISION_DTYPES = {
    "auto": None,
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp8_e4m3fn": torch.float8_e4m3fn,
}


class MimoLoadModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        names = list_checkpoints()
        return make_schema(
            node_id="MIMO_LoadModel",
            display_name="Load MIMO",
            category="MIMO/denoise",
            description="Loads a MIMO denoiser with its reference network and pose guider.",
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=names,
                    default=names[0],
                    tooltip="mimo-tiny ships with the pack: a demonstration at 256 px, trained on synthetic people. "
                    "Others are merged files in models/mimo, or the denoising_unet of the four official files there.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISION_DTYPES),
                    default="auto",
                    tooltip="auto follows ComfyUI's rules. Choose bf16 or fp32 after an overflow, fp8 to save memory.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="model", tooltip="To MIMO Conditioning. LoRAs and patches may go between."
                ),
                io.Vae.Output(
                    display_name="vae", tooltip="The VAE of the checkpoint. None if it brings none: use Load VAE."
                ),
                io.ClipVision.Output(
                    display_name="clip_vision",
                    tooltip="To Identity Encoder. None if the checkpoint brings none: use Load CLIP Vision.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, checkpoint, precision):
        status = os.stat(locate_checkpoint(checkpoint))
        return f"{precision} {status.st_mtime_ns} {status.st_size}"

    @classmethod
    def execute(cls, checkpoint, precision) -> io.NodeOutput:
        from .comfy_load import load_checkpoint

        check_choice("precision", precision, PRECISION_DTYPES)
        return io.NodeOutput(*load_checkpoint(locate_checkpoint(checkpoint), PRECISION_DTYPES[precision]))


class MimoContextWindows(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_ContextWindows",
            display_name="MIMO Context Windows",
            category="MIMO/denoise",
            description="Sets how many frames the denoiser sees at once. ControlNets follow these windows.",
            inputs=[
                io.Model.Input("model", tooltip="From Load MIMO or MIMO Conditioning."),
                io.Int.Input(
                    "window",
                    default=0,
                    min=0,
                    max=128,
                    tooltip="Frames seen together. 0 is what the weights were trained on.",
                ),
                io.Int.Input(
                    "overlap",
                    default=4,
                    min=0,
                    max=127,
                    tooltip="Frames that neighbouring windows share. More hides seams but costs time.",
                ),
                io.Combo.Input(
                    "schedule",
                    options=list(BEHAVIORS),
                    default="fixed",
                    tooltip="fixed ends the last window with the clip; official wraps it around to the first frames, "
                    "as the release does.",
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="To a sampler or MIMO Conditioning.")],
        )

    @classmethod
    def execute(cls, model, window, overlap, schedule) -> io.NodeOutput:
        from .comfy_model import get_training_settings
        from .comfy_windows import set_windows

        check_choice("schedule", schedule, BEHAVIORS)
        window = window or get_training_settings(model).window
        longest = model.model.diffusion_model.config.motion_frames
        if window > longest:
            raise InputError(f"The window has {window} frames, but these weights know at most {longest}. Lower it.")
        if overlap >= window:
            raise InputError(f"An overlap of {overlap} needs windows of more frames than {window}. Lower the overlap.")
        return io.NodeOutput(set_windows(model, window, overlap, schedule))


class MimoConditioning(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_Conditioning",
            display_name="MIMO Conditioning",
            category="MIMO/denoise",
            description="Prepares a character, a motion and a scene for any sampler.",
            inputs=[*define_clip_inputs(), *define_range_inputs(plain=True)],
            outputs=[
                io.Model.Output(display_name="model", tooltip="To the sampler: its windows fit this clip."),
                io.Conditioning.Output(display_name="positive", tooltip="To the sampler. ControlNets may go between."),
                io.Conditioning.Output(display_name="negative", tooltip="To the sampler. ControlNets may go between."),
                io.Latent.Output(display_name="latent", tooltip="To the sampler. Empty, or the start images encoded."),
                MimoPlan.Output(
                    display_name="plan", tooltip="To Compositor, which puts the squares back into the frame."
                ),
            ],
        )

    @classmethod
    def execute(cls, size, start, length, behavior, **sockets) -> io.NodeOutput:
        made = condition_sockets(size, start, length, behavior, **sockets)
        said = show_notes(list_left_out(sockets["motion"]), made.notes)
        return io.NodeOutput(made.model, made.positive, made.negative, made.latent, made.plan, ui=said)


class MimoNoise(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_Noise",
            display_name="MIMO Noise",
            category="MIMO/denoise",
            description="Noise for SamplerCustomAdvanced that depends on the seed and each frame's place in the clip.",
            inputs=[define_seed_input(), define_noise_input()],
            outputs=[io.Noise.Output(display_name="noise", tooltip="To SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(cls, seed, noise) -> io.NodeOutput:
        check_choice("noise", noise, NOISES)
        return io.NodeOutput(FrameNoise(seed, noise))


class MimoSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_Sampler",
            display_name="MIMO Sampler",
            category="MIMO/denoise",
            description="Draws a character in a motion with the MIMO denoiser, in one node.",
            inputs=[
                *define_clip_inputs(),
                define_seed_input(),
                io.Int.Input(
                    "steps", default=0, min=0, max=1000, tooltip="0 takes what suits the weights: 25 officially."
                ),
                io.Float.Input(
                    "cfg",
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="0 takes what suits the weights: 3.5 officially.",
                ),
                io.Combo.Input(
                    "sampler",
                    options=list(comfy.samplers.KSampler.SAMPLERS),
                    default="ddim",
                    tooltip="ddim is what the official release uses.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=list(comfy.samplers.KSampler.SCHEDULERS),
                    default="simple",
                    tooltip="simple gives the timesteps of the official release.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="Below 1 the start images are kept in part, the more the lower it is.",
                ),
                mark_advanced(define_noise_input()),
                *define_range_inputs(plain=False),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The squares that the network drew. To Compositor."),
                MimoPlan.Output(
                    display_name="plan", tooltip="To Compositor, which puts the squares back into the frame."
                ),
                io.Latent.Output(display_name="latent", tooltip="What the VAE decoded."),
            ],
        )

    @classmethod
    def execute(
        cls, seed, steps, cfg, sampler, scheduler, denoise, noise, size, start, length, behavior, **sockets
    ) -> io.NodeOutput:
        import comfy.sample
        import latent_preview

        from .comfy_model import get_training_settings
        from .decoding import decode_clip

        check_choice("noise", noise, NOISES)
        check_choice("sampler", sampler, comfy.samplers.KSampler.SAMPLERS)
        check_choice("scheduler", scheduler, comfy.samplers.KSampler.SCHEDULERS)
        if denoise < 1 and sockets.get("start_images") is None:
            raise InputError(f"Denoise {denoise} needs something to start from. Connect start images, or set it to 1.")
        made = condition_sockets(size, start, length, behavior, **sockets)
        how = get_training_settings(sockets["model"])
        steps = steps or how.steps
        samples = comfy.sample.sample(
            made.model,
            FrameNoise(seed, noise).generate_noise(made.latent),
            steps,
            cfg or how.cfg,
            sampler,
            scheduler,
            made.positive,
            made.negative,
            made.latent["samples"],
            denoise=denoise,
            callback=latent_preview.prepare_callback(made.model, steps),
            seed=seed,
        )
        latent = made.latent | {"samples": samples}
        images, _ = decode_clip(made.model, sockets["vae"], latent, make_progress())
        said = show_notes(list_left_out(sockets["motion"]), made.notes)
        said = show_clip(images, cls, sockets["scene"].fps) | said
        return io.NodeOutput(images, made.plan, latent, ui=said)


class MimoDecode(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_Decode",
            display_name="MIMO Decode",
            category="MIMO/denoise",
            description="Decodes latents a few frames at a time, with detail where the weights bring a network for it.",
            inputs=[
                io.Latent.Input("samples", tooltip="From the sampler that got the latent of MIMO Conditioning."),
                io.Vae.Input("vae", tooltip="From Load MIMO, or Load VAE with one of Stable Diffusion 1.5."),
                io.Model.Input(
                    "model", tooltip="From MIMO Conditioning or Load MIMO. LoRAs and patches may go between."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="images", tooltip="The squares that the network drew. To Compositor.")
            ],
        )

    @classmethod
    def execute(cls, samples, vae, model) -> io.NodeOutput:
        from .decoding import decode_clip

        images, notes = decode_clip(model, vae, samples, make_progress())
        return io.NodeOutput(images, ui=show_notes(notes))


class FrameNoise:
    """A NOISE. `per_frame` depends on seed and frame alone: a segment has the noise that it has in the whole."""

    def __init__(self, seed: int, kind: str):
        self.seed, self.kind = seed, kind

    def generate_noise(self, input_latent):
        frames, channels, height, width = input_latent["samples"].shape
        if self.kind == "official":
            return draw_official_noise(frames, height, width, seed=self.seed)
        indices = input_latent.get("batch_index") or range(frames)
        return draw_frame_noise(self.seed, indices, height, width, channels=channels)


def condition_sockets(
    size,
    start,
    length,
    behavior,
    *,
    model,
    vae,
    identity,
    motion,
    scene,
    text=None,
    start_images=None,
):
    """`condition_clip` on what lies on the sockets of a node."""
    from .conditioning import FrameRange, condition_clip

    check_choice("behavior", behavior, BEHAVIORS)
    frames, progress = FrameRange(size, start, length, behavior), make_progress()
    if isinstance(motion, torch.Tensor):
        motion = to_clip(motion, progress=progress)
    start_clip = None if start_images is None else to_clip(start_images, progress=progress)
    return condition_clip(
        model,
        vae,
        identity,
        motion,
        scene,
        frames,
        text=text,
        start_clip=start_clip,
        progress=progress,
    )


def define_clip_inputs() -> list:
    """The sockets of a clip that is to be drawn."""
    return [
        io.Model.Input("model", tooltip="From Load MIMO. LoRAs, patches and MIMO Context Windows may go between."),
        io.Vae.Input("vae", tooltip="From Load MIMO, or Load VAE with one of Stable Diffusion 1.5."),
        MimoIdentity.Input("identity", tooltip="From Identity Encoder with CLIP vision connected."),
        io.MultiType.Input(
            "motion",
            [MimoMotion, io.Image],
            tooltip="A motion, which is drawn in the colors the weights were trained on, or body code in those "
            "colors from Load Scene Template or Render Body Code.",
        ),
        MimoScene.Input("scene", tooltip="What lies behind the character. From Scene Separator or Scene From Picture."),
        io.Conditioning.Input(
            "text",
            optional=True,
            tooltip="A prompt for ControlNets, from CLIP Text Encode. MIMO itself reads no text.",
        ),
        io.Image.Input(
            "start_images",
            optional=True,
            tooltip="Frames of the scene's size to begin from, for example of Compositor. Use a denoise below 1.",
        ),
    ]


def define_range_inputs(*, plain: bool) -> list:
    """Which frames, how large, and by whose rules."""
    inputs = [
        io.Int.Input(
            "size",
            default=0,
            min=0,
            max=2048,
            step=8,
            tooltip="Side of the network's square in pixels. 0 is as trained.",
        ),
        io.Int.Input("start", default=0, min=0, max=1000000, tooltip="First frame of the clip to draw."),
        io.Int.Input("length", default=0, min=0, max=1000000, tooltip="Frames to draw. 0 goes to the end of the clip."),
        io.Combo.Input(
            "behavior",
            options=list(BEHAVIORS),
            default="fixed",
            tooltip="official repeats the release to the number, with its bugs; fixed mends them.",
        ),
    ]
    return inputs if plain else [mark_advanced(entry) for entry in inputs]


def define_seed_input():
    return io.Int.Input(
        "seed", default=42, min=0, max=0xFFFFFFFFFFFFFFFF, tooltip="The same seed gives the same pictures."
    )


def define_noise_input():
    return io.Combo.Input(
        "noise",
        options=list(NOISES),
        default="per_frame",
        tooltip="per_frame depends on each frame's place in the clip, so a part of a clip has the noise that it has in "
        "the whole. official is drawn at once for all frames, as the release does.",
    )
