"""Which bone of a foreign skeleton is which joint of ours: by name, by place in the hierarchy, or by a given map.

Known families: SMPL, CMU, Mixamo, MotionBuilder and Maya characters, Unreal, VRM and VRoid, Unity, 3ds Max Biped,
Rigify, MakeHuman, Daz and Poser, Second Life, OptiTrack, Xsens, Rokoko, iClone, Kinect, ARKit, SOMA (GEM-X, Kimodo).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..body.skeleton import JOINTS
from ..errors import InputError


LEFT_AND_RIGHT = ("left", "right")
# Names without side, signs and counting numbers. Of a row the first name that the skeleton has counts.
LIMB_NAMES = {
    "hip": ("upleg", "thigh", "femur", "upperleg", "legupper", "thighbend", "upthigh", "hip"),
    "knee": ("leg", "shin", "calf", "tibia", "lowerleg", "leglower", "lowleg", "shank", "knee"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "toes", "toe", "ball", "toesbase", "metatarsals", "foot"),
    "collar": ("clavicle", "collar", "shoulder", "scapula"),
    "shoulder": ("arm", "upperarm", "uparm", "uarm", "humerus", "armupper", "shldr", "shldrbend", "shoulder"),
    "elbow": ("forearm", "lowerarm", "lowarm", "farm", "radius", "armlower", "forearmbend", "elbow"),
    "wrist": ("wrist", "hand"),
}
KNUCKLES = ("handmiddle1", "middle1", "middlefinger1", "fmiddle1", "mid1", "finger2", "finger31", "hand")
PELVIS_NAMES = ("hips", "pelvis", "hip", "hipcenter", "spinebase", "root")
HEAD_NAMES = ("head", "skull")
NEEDED_JOINTS = ("hip", "knee", "shoulder", "elbow")
NAMED_JOINTS = JOINTS[:22]  # the hands are found by their fingers, if at all
MOST_GIVEN = 1000
LISTED_NAMES = 60  # names of a file that a message lists at most
SHARE_OF_PREFIX = 0.8  # of the names begin with a word that is then no part of them
SHARE_OF_NUMBERS = 0.6  # of the names end in a number of their own, as Sketchfab writes them
SIDE_WORDS = {"left": "left", "l": "left", "lft": "left", "right": "right", "r": "right", "rgt": "right"}
NOISE = re.compile(
    r"mixamorig\d*|[mf]|avg|bip\d*|valvebiped|j|jnt|jt|joint|bone|bind|bn|def|c|character\d*|skel(eton)?"
)
HELPERS = {"twist", "roll", "ik", "fk", "pole", "ctrl", "nub", "end", "site", "helper", "share", "target", "org", "mch"}


@dataclass(frozen=True)
class Bones:
    """Bones of a foreign skeleton by number."""

    pelvis: int
    spine: tuple[int, ...]  # from above the pelvis to where the arms branch off
    neck: tuple[int, ...]  # above that, below the head
    head: int
    limbs: dict[str, int]  # "left_hip" and so on, as far as they are there


def find_bones(
    names: tuple[str, ...], parents: tuple[int, ...], *, file: str, given: Mapping[str, str] | None = None
) -> Bones:
    """Recognise a skeleton of J bones by their names and parents (-1 for a root).

    `given` maps joints of ours to names of the file, or the other way round, and goes before what is recognised.
    Raises InputError naming the joints that are missing and the names that the file has.
    """
    plain = _plain_names(names)
    depth = [len(_ancestors(parents, bone)) for bone in range(len(names))]
    limbs = {}
    for side in LEFT_AND_RIGHT:
        own: dict[str, int] = {}
        for number in sorted(range(len(names)), key=lambda bone: (depth[bone], bone)):
            if plain[number][0] == side:
                own.setdefault(plain[number][1], number)
        limbs |= {f"{side}_{joint}": number for joint, number in _limbs_of_side(own).items()}
    middle = {bone: number for number, (side, bone) in reversed(list(enumerate(plain))) if not side}
    chosen = _read_given(given or {}, names, file)
    limbs |= {joint: number for joint, number in chosen.items() if joint.startswith(LEFT_AND_RIGHT)}
    heads = (number for name, number in middle.items() if name.rstrip("0123456789") in HEAD_NAMES)
    head = chosen.get("head", min(heads, key=lambda bone: depth[bone], default=None))
    _check_found(limbs, names, file, has_head=head is not None)
    if head is None:
        head = _topmost(plain, parents, depth, limbs)
    if head is None:
        raise InputError(_missing_message(["head"], names, file))
    found = _spine_and_neck(parents, limbs, head, middle, chosen)
    spine = tuple(chosen[joint] for joint in ("spine1", "spine2", "spine3") if joint in chosen)
    found = replace(found, spine=spine) if spine else found
    return replace(found, neck=(chosen["neck"],)) if "neck" in chosen else found


def parse_names(text: str) -> dict[str, str]:
    """A map of names from JSON text, such as {"left_hip": "Thigh_L"}; empty text is no map. Raises InputError."""
    if not text.strip():
        return {}
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f'The map of names is no JSON ({error}). Write it like {{"left_hip": "Thigh_L"}}.') from error
    if not isinstance(given, dict) or len(given) > MOST_GIVEN:
        raise InputError('The map of names must be one JSON object, such as {"left_hip": "Thigh_L"}.')
    return given


def _read_given(given: Mapping[str, str], names: tuple[str, ...], file: str) -> dict[str, int]:
    """A map between our joints and the file's names, in either direction, as {joint: number}."""
    chosen = {}
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise InputError('The map of names must be JSON like {"left_hip": "LeftUpLeg"}.')
        joint, name = (key, value) if key in JOINTS else (value, key)
        if joint not in JOINTS:
            raise InputError(
                f"The map of names has {key!r}: {value!r}; one of the two must be {', '.join(NAMED_JOINTS)}."
            )
        if name not in names:
            raise InputError(f"{file} has no bone {name!r}, which the map of names gives. {_list_names(names)}")
        chosen[joint] = names.index(name)
    return chosen


def _check_found(limbs: Mapping[str, int], names: tuple[str, ...], file: str, *, has_head: bool):
    missing = [
        f"{side}_{joint}" for side in LEFT_AND_RIGHT for joint in NEEDED_JOINTS if f"{side}_{joint}" not in limbs
    ]
    if missing:
        absent = [joint for joint in NAMED_JOINTS if joint.startswith(LEFT_AND_RIGHT) and joint not in limbs]
        raise InputError(_missing_message([*absent, *([] if has_head else ["head"])], names, file))


def _missing_message(missing: list[str], names: tuple[str, ...], file: str) -> str:
    listed = ", ".join(joint.replace("_", " ") for joint in missing)
    return (
        f"The skeleton of {file} has no {listed} that is known by name. {_list_names(names)} Give a map of names, such "
        'as {"left_hip": "LeftUpLeg"}.'
    )


def _list_names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:LISTED_NAMES])
    return f"It has {len(names)} bones: {shown}{' ...' if len(names) > LISTED_NAMES else ''}."


def _plain_names(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Side ("left", "right" or "") and bare name of each bone: mixamorig:LeftUpLeg is ("left", "upleg")."""
    words = [_name_words(name) for name in names]
    long_enough = [each for each in words if len(each) > 1]
    if len(long_enough) > 2:
        numbered = sum(bool(re.search(r"_\d+$", name)) for name in names)
        if numbered > SHARE_OF_NUMBERS * len(names):
            words = [
                each[:-1] if len(each) > 1 and re.search(r"_\d+$", name) else each
                for each, name in zip(words, names, strict=True)
            ]
        words = _strip_prefix(words)
    return [_side_and_bare(each) for each in words]


def _name_words(name: str) -> list[str]:
    """A name in small words: "Skeleton 001:LeftUpLeg" is left, up, leg; "DEF-thigh.L.001" is def, thigh, l, 001."""
    bare = name.split("|")[-1].rpartition(":")[2] or name
    bare = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", bare)
    bare = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", bare)
    return re.sub(r"[\W_]+", " ", bare).strip().lower().split()


def _strip_prefix(words: list[list[str]]) -> list[list[str]]:
    """The words without those that nearly all names begin with."""
    for _ in range(3):
        count = Counter(each[0] for each in words if len(each) > 1)
        first, often = max(count.items(), key=lambda item: item[1], default=("", 0))
        if often < SHARE_OF_PREFIX * len(words) or first in SIDE_WORDS:
            break
        words = [each[1:] if len(each) > 1 and each[0] == first else each for each in words]
    return words


def _side_and_bare(words: list[str]) -> tuple[str, str]:
    if not words or HELPERS & set(words):
        return "", "~".join(words)
    kept = [word for word in words if not NOISE.fullmatch(word)] or words
    kept = kept[1:] if kept[0] == "cc" and len(kept) > 1 else kept
    kept = kept[1:] if kept[0] == "base" and len(kept) > 1 else kept
    side = next((SIDE_WORDS[word] for word in kept if word in SIDE_WORDS), "")
    if side:
        kept = list(kept)
        kept.remove(next(word for word in kept if word in SIDE_WORDS))
        return side, _strip_zeros("".join(kept))
    bare = _strip_zeros("".join(kept))
    for sign in LEFT_AND_RIGHT:
        if bare.startswith(sign) or bare.endswith(sign):
            return sign, bare.replace(sign, "", 1)
    known = {bone for row in LIMB_NAMES.values() for bone in row}
    for sign, name in (("l", "left"), ("r", "right")):  # lfemur of the CMU data, LUArm of OptiTrack
        if bare.startswith(sign) and bare[1:].rstrip("0123456789") in known and bare not in known:
            return name, bare[1:]
    return "", bare


def _strip_zeros(bare: str) -> str:
    return re.sub(r"0+(\d+)$", r"\1", bare)


def _limbs_of_side(own: dict[str, int]) -> dict[str, int]:
    """Joints of one side. "shoulder", "leg", "hand" and "foot" mean different joints in different families."""
    counted: dict[str, int] = {}
    for name, number in own.items():
        counted.setdefault(name.rstrip("0123456789"), number)
    rows = dict(LIMB_NAMES)
    thighs = set(rows["hip"]) - {"hip"}
    shins = tuple(name for name in rows["knee"] if name != "leg" and name in counted)
    if "leg" in counted and shins and not thighs & counted.keys():
        rows |= {"hip": ("leg",), "knee": shins}  # SOMA and VRChat: a leg is a thigh
    found = {}
    for joint, row in rows.items():
        bone = next((name for name in row if name in counted), None)
        if bone is not None:
            found[joint] = counted[bone]
    if found.get("collar") == found.get("shoulder"):
        found.pop("collar", None)  # the only shoulder is the joint of the arm
    if found.get("foot") == found.get("ankle"):
        found.pop("foot", None)
    knuckle = next((own[name] for name in KNUCKLES if name in own), None)
    if knuckle is not None and knuckle != found.get("wrist"):
        found["hand"] = knuckle
    return found


def _topmost(plain, parents: tuple[int, ...], depth: list[int], limbs: Mapping[str, int]) -> int | None:
    """The last bone of a row of spine or neck bones, which Rigify uses for the head."""
    rows = [bone for bone, (side, name) in enumerate(plain) if not side and re.match(r"(spine|neck)\d*$", name)]
    if not rows:
        return None
    arms = set(_ancestors(parents, limbs["left_shoulder"])) & set(_ancestors(parents, limbs["right_shoulder"]))
    above = [bone for bone in rows if bone not in arms]
    return max(above, key=lambda bone: depth[bone], default=None)


def _spine_and_neck(parents, limbs: Mapping[str, int], head: int, middle: Mapping[str, int], chosen) -> Bones:
    """The bones between the legs, the arms and the head. Without a common root, what the names say."""
    line = _ancestors(parents, head)[::-1]  # root first
    legs = [set(_ancestors(parents, limbs[f"{side}_hip"])) for side in LEFT_AND_RIGHT]
    arms = [set(_ancestors(parents, limbs[f"{side}_shoulder"])) for side in LEFT_AND_RIGHT]
    low = [place for place, bone in enumerate(line) if all(bone in leg for leg in legs)]
    named = next((middle[name] for name in PELVIS_NAMES if name in middle), limbs["left_hip"])
    pelvis = chosen.get("pelvis", line[low[-1]] if low else named)
    above = line[low[-1] + 1 : -1] if low else line[:-1]
    spine = tuple(bone for bone in above if all(bone in arm for arm in arms))
    neck = tuple(bone for bone in above if bone not in spine)
    if not neck and "neck" in middle and middle["neck"] != head:
        neck = (middle["neck"],)
    return Bones(pelvis, spine, neck, head, dict(limbs))


def _ancestors(parents: tuple[int, ...], bone: int) -> list[int]:
    line = [bone]
    while parents[line[-1]] >= 0:
        line.append(parents[line[-1]])
    return line
