"""Templates that open as an app: a few inputs, Run, and the finished video, without the graph.

`linearMode` and `linearData` are read by front ends from 1.41.13 on; older ones open the graph.
"""

from .parts import (
    AMBER,
    GREEN,
    NOTE_WIDTH,
    PLAYED,
    PURPLE,
    SEPARATED,
    SHOWN,
    SMALL,
    App,
    Node,
    Template,
    group,
    note,
    save_video,
    take_apart,
)


PICTURE = Node("picture", "LoadImage", (NOTE_WIDTH, 400), {"image": ""}, "Character")
PICTURE_INPUT = ("picture", "image", "Character", "One whole figure, from the front")
REPLACE_APP = Template(
    "replace_a_character.app",
    "Replace a character (app)",
    "A picture and a clip in, the clip with the character in it out.",
    app=App(
        inputs=(
            PICTURE_INPUT,
            ("clip", "file", "Clip", "One shot without cuts"),
            ("pose", "person", "Person", "0: seen longest, 1: next, -1: all"),
            ("rate", "value", "Frames per second", "0 keeps all; 12 is a quick draft"),
        ),
        outputs=("video",),
    ),
    rows=(
        (
            group(
                "1  Picture and clip",
                AMBER,
                [PICTURE, Node("clip", "LoadVideo", (NOTE_WIDTH, 780), {"file": ""}, "Clip")],
                [note("replace_a_character.app"), Node("rate", "PrimitiveFloat", title="Frames per second")],
            ),
            take_apart(
                [Node("scene", "MIMO_SeparateScene", SEPARATED), Node("proxy", "MIMO_DecodeProxy", PLAYED)],
            ),
            group(
                "3  Put it together",
                GREEN,
                [Node("composite", "MIMO_Composite", PLAYED)],
                [save_video("video", "mimo_app")],
            ),
        ),
    ),
    links=(
        "clip.VIDEO > pose.clip",
        "clip.VIDEO > scene.clip",
        "rate.FLOAT > pose.fps",
        "rate.FLOAT > scene.fps",
        "pose.motion > scene.motion",
        "pose.motion > proxy.motion",
        "picture.IMAGE > identity.character",
        "identity.identity > proxy.identity",
        "scene.scene > proxy.scene",
        "scene.scene > composite.scene",
        "proxy.images > composite.images",
        "proxy.mask > composite.mask",
        "composite.video > video.video",
    ),
)
ANIMATE_APP = Template(
    "animate_a_picture.app",
    "Animate a picture (app)",
    "A picture, a motion and a background in, a video of the character doing the motion out.",
    app=App(
        inputs=(
            PICTURE_INPUT,
            ("load", "file", "Motion", "What ships, or a file of yours"),
            ("place", "image", "Background", "Any picture"),
        ),
        outputs=("video",),
    ),
    rows=(
        (
            group(
                "1  Picture, motion and background",
                AMBER,
                [PICTURE, Node("place", "LoadImage", (NOTE_WIDTH, 400), {"image": ""}, "Background")],
                [
                    note("animate_a_picture.app"),
                    Node("load", "MIMO_LoadMotion", (NOTE_WIDTH, 420), {"file": "dance [example]"}),
                ],
            ),
            group(
                "2  Draw",
                PURPLE,
                [Node("identity", "MIMO_EncodeIdentity", SMALL), Node("scene", "MIMO_SceneFromPicture", SHOWN)],
                [Node("proxy", "MIMO_DecodeProxy", PLAYED)],
            ),
            group(
                "3  Put it together",
                GREEN,
                [Node("composite", "MIMO_Composite", PLAYED, {"color_match": "none"})],
                [save_video("video", "mimo_app")],
            ),
        ),
    ),
    links=(
        "picture.IMAGE > identity.character",
        "place.IMAGE > scene.picture",
        "load.motion > scene.motion",
        "load.motion > proxy.motion",
        "identity.identity > proxy.identity",
        "scene.scene > proxy.scene",
        "scene.scene > composite.scene",
        "proxy.images > composite.images",
        "proxy.mask > composite.mask",
        "composite.video > video.video",
    ),
)
