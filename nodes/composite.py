"""The node that puts the layers together."""

from __future__ import annotations

from comfy_api.latest import io

from ..mimo_core.compositing.color_match import COLOR_MATCHES
from ..mimo_core.compositing.composite import composite, compute_coverage, cut_coverage
from ..mimo_core.denoise.paste import mark_drawn_areas, paste_back
from ..mimo_core.denoise.segments import select_paste_layers
from ..mimo_core.errors import InputError
from ..mimo_core.media.clip import Clip, Masks
from ..mimo_core.scene.people import add_character
from .batches import FrameBatch, LateFrames, allocate_batch, copy_to_batch
from .media import (
    extract_alpha,
    make_progress,
    show_notes,
    to_clip,
    to_masks,
    to_sound,
    write_temp_video,
)
from .models import find_edge_masks
from .sockets import BEHAVIORS, MimoPlan, MimoScene, check_choice, is_linked, make_schema, mark_advanced


WHOLE_SQUARES = (
    "Several people are drawn, and the whole squares of this one count as the character: who is behind it vanishes "
    "there. Connect the mask of Proxy Decoder."
)


SCENE_SLOT = 3  # of the outputs


class MimoComposite(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_Composite",
            display_name="Compositor (MIMO)",
            category="MIMO/scene",
            essentials_category="Video Tools",
            search_aliases=["replace character", "replace person", "composite video", "insert character"],
            description="Lays the character into the scene, behind what passes in front.",
            inputs=[
                MimoScene.Input("scene", tooltip="From Scene Separator or Scene From Picture."),
                io.Image.Input(
                    "images",
                    tooltip="The character, one picture per frame, in the size of the scene. With a plan, the squares "
                    "of the MIMO denoiser.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Coverage of the character. Without it the alpha channel of the pictures counts, "
                    "or they cover the whole scene. With a plan, the squares count only in and closely around it, and "
                    "the rest of the scene stays sharp.",
                ),
                MimoPlan.Input(
                    "plan",
                    optional=True,
                    tooltip="From MIMO Conditioning or MIMO Sampler. The squares go back where they were cut out; "
                    "color match, feather and shadow are not used then.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="Replaces the sound of the scene. Needed for a part that begins later in the clip.",
                ),
                io.Combo.Input(
                    "color_match",
                    options=list(COLOR_MATCHES),
                    default="mean",
                    tooltip="mean brings the character's colors near those of the person it replaces, "
                    "histogram nearer; none leaves them.",
                ),
                io.Int.Input(
                    "feather", default=4, min=0, max=64, tooltip="Softness of the character's edge in pixels."
                ),
                io.Float.Input(
                    "shadow",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Strength of the contact shadow under the feet. 0 draws none.",
                ),
                mark_advanced(
                    io.Combo.Input(
                        "behavior",
                        options=list(BEHAVIORS),
                        default="fixed",
                        tooltip="For a plan: fixed fades the squares' borders by 8 %; official takes the release's "
                        "edge masks from models/mimo/masks.",
                    )
                ),
            ],
            outputs=[
                io.Video.Output(
                    display_name="video",
                    tooltip="To Save Video. Size, length, frame rate and sound are those of the scene.",
                ),
                io.Image.Output(display_name="images", tooltip="The same frames. 12 bytes a pixel and frame."),
                io.Mask.Output(display_name="mask", tooltip="Where the character can be seen."),
                MimoScene.Output(
                    display_name="scene",
                    tooltip="The scene with this character in it, to Choose People for the next person.",
                ),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls, scene, images, color_match, feather, shadow, behavior="fixed", mask=None, plan=None, audio=None
    ) -> io.NodeOutput:
        check_choice("color_match", color_match, COLOR_MATCHES)
        check_choice("behavior", behavior, BEHAVIORS)
        character = to_clip(images, progress=make_progress())
        if plan is not None:
            near = _check_masks(scene, to_masks(mask, plan.frames), plan)
            draw, find_areas, length = _paste_squares(scene, character, plan, behavior, near)
            sound, first = None if plan.first else scene.sound, plan.first
        else:
            length, sound = len(character), scene.sound
            masks = to_masks(extract_alpha(images) if mask is None else mask, length)
            masks = masks or Masks.constant(255, length, scene.height, scene.width)
            look = {"color_match": color_match, "feather": feather, "shadow": shadow}
            draw = lambda: composite(scene, character, masks, **look, progress=make_progress())  # noqa: E731
            find_areas = lambda: compute_coverage(scene, masks)  # noqa: E731
            near, first = masks, 0
        shape = (length, scene.height, scene.width)
        late, areas = LateFrames(draw, *shape, 3), LateFrames(find_areas, *shape)
        pictures = FrameBatch(Clip(late, scene.fps))
        if is_linked(cls, SCENE_SLOT):
            frames = late.read(0, length)
        elif is_linked(cls, 1):
            pictures = allocate_batch(*shape, 3)
            frames = copy_to_batch(draw(), pictures)
        else:
            frames = draw()
        video, shown = write_temp_video(
            frames, width=scene.width, height=scene.height, fps=scene.fps, sound=to_sound(audio) or sound
        )
        cover = _make_cover(scene, near, areas, first, feather)
        drawn = add_character(scene, Clip(late, scene.fps), cover, first=first)
        is_whole = near is None and plan is not None and scene.people is not None
        said = show_notes([WHOLE_SQUARES] if is_whole and is_linked(cls, SCENE_SLOT) else [])
        return io.NodeOutput(video, pictures, FrameBatch(Masks(areas)), drawn, ui=shown | said)


def _make_cover(scene, masks, areas: LateFrames, first: int, feather: int) -> Masks:
    """The alpha of the character in the finished frames, from frame `first` on, made when it is read.

    `masks` are its outline by frame of the scene; without them it is where anything was drawn, `areas`.
    """
    drawn = Masks(areas)
    if masks is None:
        return drawn

    def cover_at(at: int):
        occluder = scene.occluder[0 if scene.is_still else at + first]
        return cut_coverage(masks[at + first], occluder, feather)

    return drawn.derive(cover_at)


def _check_masks(scene, masks, plan):
    """Coverage for every frame of a plan, once it fits the scene."""
    if masks is None:
        return None
    if (masks.width, masks.height) != (scene.width, scene.height):
        raise InputError(
            f"The mask is {masks.width}x{masks.height} but the scene is {scene.width}x{scene.height}. "
            "Draw the character in the size of the scene, or resize it."
        )
    if len(masks) < plan.frames:
        raise InputError(f"There are {len(masks)} masks but the plan goes to frame {plan.frames}. Give one per frame.")
    return masks


def _paste_squares(scene, squares, plan, behavior, near):
    """What draws the frames, what finds where the character was drawn, and their number, for the part of a plan."""
    masks = find_edge_masks() if behavior == "official" else None
    layers = select_paste_layers(scene, plan.frames)

    def draw():
        return paste_back(plan, squares, **layers, edge_masks=masks, within=near, progress=make_progress())

    return draw, lambda: mark_drawn_areas(plan, layers["occluder"], masks, near), plan.frames - plan.first
