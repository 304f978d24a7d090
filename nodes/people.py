"""The node that takes people out of a motion of several, with the scene in which they are drawn."""

from __future__ import annotations

from comfy_api.latest import io

from ..mimo_core.errors import InputError
from ..mimo_core.motion.left_out import choose_people_among
from ..mimo_core.motion.motion import Motion
from ..mimo_core.scene.people import select_person
from .media import make_progress
from .sockets import MimoMotion, MimoScene, make_schema
from .views import show_motion


class MimoChoosePeople(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_ChoosePeople",
            display_name="Choose People (MIMO)",
            category="MIMO/motion",
            search_aliases=["several people", "multiple people", "two people", "select person", "split people"],
            description="Takes people out of a motion of several. One person also gets the scene to be drawn in, in "
            "which the characters drawn before stand behind or in front.",
            inputs=[
                MimoMotion.Input("motion", tooltip="From SMPL Pose Estimator with person -1, or Load Motion."),
                MimoScene.Input(
                    "scene",
                    optional=True,
                    tooltip="For the first person: from Scene Separator or Scene From Picture. For the next: the scene "
                    "of the Compositor that drew the one before.",
                ),
                io.String.Input(
                    "people",
                    default="0",
                    tooltip="Who, counted from 0: one number for a person to draw, several such as 0,2 for a motion of "
                    "those alone.",
                ),
            ],
            outputs=[
                MimoMotion.Output(
                    display_name="motion",
                    tooltip="Of one person to Proxy Decoder or MIMO Sampler; of several to Scene Separator.",
                ),
                MimoScene.Output(
                    display_name="scene",
                    tooltip="The scene of the one person, to Proxy Decoder, MIMO Sampler and Compositor.",
                ),
            ],
        )

    @classmethod
    def execute(cls, motion, people, scene=None) -> io.NodeOutput:
        numbers = parse_numbers(people)
        if scene is not None:
            if len(numbers) > 1:
                raise InputError(
                    f"A scene is that of one person, but people is {people!r}. Choose one, or leave the scene open."
                )
            scene = select_person(scene, motion, numbers[0])
        progress = make_progress()
        chosen = choose_people_among(motion, numbers, progress) if scene is None else motion.choose_people(numbers)
        return io.NodeOutput(chosen, scene, ui=show_motion(chosen, progress=progress))


def parse_numbers(text: str) -> list[int]:
    """The numbers of "0" or "0,2". Raises InputError for anything else."""
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"people wants numbers such as 0 or 0,2, got {text!r}. Count from 0.") from None
    if len(set(numbers)) < len(numbers):
        raise InputError(f"people names somebody twice: {text!r}. Name everybody once.")
    return numbers


def list_left_out(motion) -> tuple[str, ...]:
    """What a node that draws one person says of a motion of several; nothing of body code that was drawn already."""
    if not isinstance(motion, Motion) or len(motion.people) == 1:
        return ()
    return (f"The motion has {len(motion.people)} people; the first is drawn. Choose People gives each of them.",)
