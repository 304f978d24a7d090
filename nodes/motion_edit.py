"""Nodes that change motions: edit, retarget, place in a scene."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io

from ..mimo_core.motion import edit, ground, join
from ..mimo_core.motion.cameras import Viewpoint, change_lens, fixed_camera, following_camera, viewer_camera
from ..mimo_core.motion.place import place_motion, scale_motion
from ..mimo_core.motion.retarget import STATURES, retarget_motion
from ..mimo_core.motion.upright import posture_notes
from .media import make_progress, show_notes
from .sockets import MimoIdentity, MimoMotion, check_choice, make_schema, mark_advanced
from .views import show_motion


CAMERA_CHOICES = ("keep", "fixed", "follow", "orbit")
MOTION_TOOLTIP = "To Retarget Motion, Place in Scene, Render Body Code, Proxy Decoder or Save Motion."


class MimoEditMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_EditMotion",
            display_name="Edit Motion (MIMO)",
            category="MIMO/motion",
            search_aliases=["trim motion", "loop motion", "mirror motion"],
            description="Trims, slows, mirrors, repeats, joins and cleans a motion.",
            inputs=[
                MimoMotion.Input("motion", tooltip="From Load Motion, SMPL Pose Estimator or another Edit Motion."),
                MimoMotion.Input(
                    "then",
                    optional=True,
                    tooltip="A motion that follows: it starts on the spot and in the direction where this one ends.",
                ),
                io.Int.Input("start", default=0, min=0, max=1000000, tooltip="First frame that is kept."),
                io.Int.Input(
                    "length", default=0, min=0, max=1000000, tooltip="Frames that are kept. 0 keeps all to the end."
                ),
                io.Float.Input(
                    "speed",
                    default=1.0,
                    min=0.0625,
                    max=16.0,
                    step=0.05,
                    tooltip="2 is twice as fast and half as long. The frame rate stays.",
                ),
                io.Int.Input(
                    "loop",
                    default=1,
                    min=1,
                    max=1000,
                    tooltip="How many times the motion is done, each starting where the one before ended.",
                ),
                io.Boolean.Input("mirror", default=False, tooltip="Left becomes right: body, way and picture."),
                io.Boolean.Input(
                    "floor_contact",
                    default=False,
                    tooltip="Holds planted feet: they neither slide nor float nor sink. The floor has to be level.",
                ),
                mark_advanced(io.Boolean.Input("reverse", default=False, tooltip="The last frame comes first.")),
                mark_advanced(
                    io.Boolean.Input(
                        "in_place",
                        default=False,
                        tooltip="Takes the way over the ground out, as on a treadmill. Sway and jumps stay.",
                    )
                ),
                mark_advanced(
                    io.Float.Input(
                        "smoothing",
                        default=0.0,
                        min=0.0,
                        max=100.0,
                        step=0.1,
                        tooltip="Takes shaking out. 1 is gentle, 4 is strong, 0 changes nothing.",
                    )
                ),
                mark_advanced(
                    io.Float.Input(
                        "blend",
                        default=0.3,
                        min=0.0,
                        max=10.0,
                        step=0.05,
                        tooltip="Seconds of cross-fade between repetitions and into the motion that follows.",
                    )
                ),
            ],
            outputs=[MimoMotion.Output(display_name="motion", tooltip=MOTION_TOOLTIP)],
        )

    @classmethod
    def execute(
        cls, motion, start, length, speed, loop, mirror, floor_contact, reverse, in_place, smoothing, blend, then=None
    ) -> io.NodeOutput:
        stop = max(min(start + (length or motion.frames), motion.frames), start + 1)
        motion = edit.change_speed(edit.cut_motion(motion, start, stop), speed)
        motion = edit.reverse_motion(motion) if reverse else motion
        motion = edit.mirror_motion(motion, make_progress()) if mirror else motion
        motion = edit.smooth_motion(motion, smoothing)
        motion = ground.remove_travel(motion) if in_place else motion
        motion = join.repeat_motion(motion, loop, blend=blend)
        motion = motion if then is None else join.join_motions(motion, then, blend=blend)
        motion = ground.hold_feet_on_floor(motion) if floor_contact else motion
        return _show_result(motion, show_notes(details=[describe_length(motion)]))


def describe_length(motion) -> str:
    """How long a motion is, for people."""
    return f"{motion.frames} frames at {motion.fps:g} a second: {motion.frames / motion.fps:.1f} s"


class MimoRetargetMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_RetargetMotion",
            display_name="Retarget Motion (MIMO)",
            category="MIMO/motion",
            search_aliases=["retarget", "proportions"],
            description="Puts a motion on the proportions of a character, with the feet where the driver's feet are.",
            inputs=[
                MimoMotion.Input("motion", tooltip="The driver's motion, from a clip or from a file."),
                MimoIdentity.Input("identity", tooltip="From Identity Encoder: its fitted body gives the proportions."),
                io.Combo.Input(
                    "stature",
                    options=list(STATURES),
                    default="driver",
                    tooltip="driver keeps the driver's height, because one picture does not tell its own; "
                    "own takes what was fitted to the picture.",
                ),
                io.Boolean.Input(
                    "floor_contact",
                    default=False,
                    tooltip="Holds planted feet on a level floor. For motions from files; a clip filmed with a tilted "
                    "camera has no level floor.",
                ),
            ],
            outputs=[MimoMotion.Output(display_name="motion", tooltip=MOTION_TOOLTIP)],
        )

    @classmethod
    def execute(cls, motion, identity, stature, floor_contact) -> io.NodeOutput:
        check_choice("stature", stature, STATURES)
        moved = retarget_motion(motion, identity, stature=stature)
        said = {}
        if identity.motion is None:
            said = show_notes(["No body was fitted to the character's picture, so the motion is unchanged."])
        return _show_result(ground.hold_feet_on_floor(moved) if floor_contact else moved, said)


class MimoPlaceMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return make_schema(
            node_id="MIMO_PlaceMotion",
            display_name="Place in Scene (MIMO)",
            category="MIMO/motion",
            search_aliases=["camera", "orbit", "move character"],
            description="Moves, turns and scales a motion in its world, and sets the camera that sees it.",
            inputs=[
                MimoMotion.Input("motion", tooltip="From Load Motion, Edit Motion or SMPL Pose Estimator."),
                io.Custom("LOAD3D_CAMERA").Input(
                    "camera_info",
                    optional=True,
                    tooltip="camera_info of Load 3D: the camera stands to the person as it stood to the model there. "
                    "It takes the place of the camera chosen below.",
                ),
                _distance_widget("x", "Metres to the right, seen from the default camera."),
                _distance_widget("y", "Metres up."),
                _distance_widget("z", "Metres towards the default camera."),
                io.Float.Input(
                    "turn",
                    default=0.0,
                    min=-3600.0,
                    max=3600.0,
                    step=1.0,
                    tooltip="Degrees about the starting point, counter-clockwise seen from above.",
                ),
                io.Float.Input(
                    "scale",
                    default=1.0,
                    min=0.01,
                    max=100.0,
                    step=0.01,
                    tooltip="How large the person appears, standing on the same spot. The camera comes closer.",
                ),
                io.Combo.Input(
                    "camera",
                    options=list(CAMERA_CHOICES),
                    default="keep",
                    tooltip="keep the motion's own; fixed sees the whole way; follow goes along; orbit circles.",
                ),
                _float_widget("azimuth", 0.0, 3600.0, "Degrees around the person: 0 is in front, 90 at their left."),
                _float_widget("elevation", 0.0, 89.0, "Degrees that the camera looks down; negative is up."),
                _float_widget("distance", 0.0, 1000.0, "Metres to the person. 0 sees all of them.", low=0.0),
                _float_widget("orbit_speed", 45.0, 3600.0, "Degrees a second that orbit circles with."),
                _float_widget(
                    "field_of_view", 0.0, 170.0, "Degrees from top to bottom of the picture. 0 keeps the lens.", low=0.0
                ),
                mark_advanced(_size_widget("width")),
                mark_advanced(_size_widget("height")),
            ],
            outputs=[MimoMotion.Output(display_name="motion", tooltip=MOTION_TOOLTIP)],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls, motion, x, y, z, turn, scale, camera, azimuth, elevation, distance, orbit_speed, field_of_view, width,
        height, camera_info=None,
    ) -> io.NodeOutput:  # fmt: skip
        check_choice("camera", camera, CAMERA_CHOICES)
        motion = place_motion(motion, shift=(x, y, z), turn=turn)
        size = (width or motion.camera.size[0], height or motion.camera.size[1])
        lens = change_lens(motion.camera, size=size, field=field_of_view)
        person = motion.person
        stand = Viewpoint(azimuth, elevation, distance, orbit_speed if camera == "orbit" else 0.0)
        if camera_info is not None:
            lens = viewer_camera(camera_info, person, lens)
        elif camera == "fixed":
            lens = fixed_camera(person, lens, stand)
        elif camera in ("follow", "orbit"):
            lens = following_camera(person, lens, motion.fps, stand)
        said = show_notes(posture_notes(motion))
        return _show_result(scale_motion(replace(motion, camera=lens), scale), said)


def _distance_widget(name: str, tooltip: str):
    return io.Float.Input(name, default=0.0, min=-1000.0, max=1000.0, step=0.05, tooltip=tooltip)


def _float_widget(name: str, default: float, high: float, tooltip: str, *, low: float | None = None):
    low = -high if low is None else low
    return mark_advanced(io.Float.Input(name, default=default, min=low, max=high, step=1.0, tooltip=tooltip))


def _size_widget(name: str):
    return io.Int.Input(name, default=0, min=0, max=8192, tooltip=f"Pixels of the picture. 0 keeps the {name}.")


def _show_result(motion, said: dict | None = None) -> io.NodeOutput:
    """A motion as a node's result, for the viewer to show, with what the node has to say."""
    return io.NodeOutput(motion, ui=show_motion(motion, progress=make_progress()) | (said or {}))
