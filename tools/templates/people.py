"""The template of several people: one chain of nodes a person, each drawing into the scene of the one before."""

from .parts import (
    AMBER,
    BLUE,
    FOLLOWED,
    GREEN,
    MOVING,
    NOTE_WIDTH,
    PLAYED,
    PURPLE,
    SEPARATED,
    SHOT_LINKS,
    SHOWN,
    SMALL,
    Node,
    Template,
    group,
    note,
    save_video,
)


NAME = "two_people"


def _draw(key: str, person: str, title: str, color: str, *after: list[Node]):
    """The group that draws one person."""
    return group(
        title,
        color,
        [Node(f"choose_{key}", "MIMO_ChoosePeople", MOVING, {"people": person})],
        [Node(f"proxy_{key}", "MIMO_DecodeProxy", SHOWN), Node(f"composite_{key}", "MIMO_Composite", PLAYED)],
        *after,
    )


def _join(key: str, scene: str) -> tuple[str, ...]:
    """What joins the nodes of one person, who is drawn into a scene."""
    return (
        f"pose.motion > choose_{key}.motion",
        f"{scene}.scene > choose_{key}.scene",
        f"identity_{key}.identity > proxy_{key}.identity",
        f"choose_{key}.motion > proxy_{key}.motion",
        f"choose_{key}.scene > proxy_{key}.scene",
        f"choose_{key}.scene > composite_{key}.scene",
        f"proxy_{key}.images > composite_{key}.images",
        f"proxy_{key}.mask > composite_{key}.mask",
    )


TWO_PEOPLE = Template(
    NAME,
    "Replace two people",
    "Two characters take the places of two people, behind and in front of each other as those are.",
    rows=(
        (
            group(
                "1  Start",
                AMBER,
                [
                    Node("example", "MIMO_Example", (NOTE_WIDTH, 460), {"shot": "two people"}),
                    Node("other", "MIMO_Example", (NOTE_WIDTH, 460), title="Another character"),
                ],
                [note(NAME)],
            ),
            group(
                "2  Take the shot apart",
                BLUE,
                [
                    Node("pose", "MIMO_EstimatePose", FOLLOWED, {"person": -1}),
                    Node("scene", "MIMO_SeparateScene", SEPARATED),
                ],
                [
                    Node("identity_a", "MIMO_EncodeIdentity", SMALL, title="Character of the first person"),
                    Node("identity_b", "MIMO_EncodeIdentity", SMALL, title="Character of the second person"),
                ],
            ),
            _draw("a", "0", "3  The first person", PURPLE),
            _draw("b", "1", "4  The second person", GREEN, [save_video("video", "mimo_two_people")]),
        ),
    ),
    links=(
        *SHOT_LINKS,
        "example.character > identity_a.character",
        "other.character > identity_b.character",
        *_join("a", "scene"),
        *_join("b", "composite_a"),
        "composite_b.video > video.video",
    ),
)
