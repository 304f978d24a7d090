"""Which bone of a foreign skeleton is which joint of ours: SMPL, CMU, Mixamo and their kin, by name and by place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InputError


LEFT_AND_RIGHT = ("left", "right")
# Names without side, spaces and signs. Where a skeleton has several bones of a row, the first name that it has counts.
LIMB_NAMES = {
    "hip": ("upleg", "thigh", "femur", "upperleg", "hip"),
    "knee": ("leg", "shin", "calf", "tibia", "lowerleg", "knee"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "toes", "toe", "ball", "foot"),
    "collar": ("clavicle", "collar", "shoulder"),
    "shoulder": ("arm", "upperarm", "humerus", "shoulder"),
    "elbow": ("forearm", "lowerarm", "radius", "elbow"),
    "wrist": ("wrist", "hand"),
    "hand": ("handmiddle1", "middle1", "hand"),
}
PELVIS_NAMES = ("hips", "pelvis", "root", "hip")
HEAD_NAMES = ("head",)
NEEDED_JOINTS = ("hip", "knee", "shoulder", "elbow")
NAME_PREFIX = re.compile(r"^(.*:|mixamorig\d*|[mf]avg|bip01|bip001|jbip|def|cc base)", re.IGNORECASE)


@dataclass(frozen=True)
class Bones:
    """Bones of a foreign skeleton by number."""

    pelvis: int
    spine: tuple[int, ...]  # from above the pelvis to where the arms branch off
    neck: tuple[int, ...]  # above that, below the head
    head: int
    limbs: dict[str, int]  # "left_hip" and so on, as far as they are there


def find_bones(names: tuple[str, ...], parents: tuple[int, ...], *, file: str) -> Bones:
    """Recognise a skeleton. Raises InputError naming what is missing."""
    plain = [_plain(name) for name in names]
    limbs = {}
    for side in LEFT_AND_RIGHT:
        own = {bone: number for number, (place, bone) in reversed(list(enumerate(plain))) if place == side}
        limbs |= {f"{side}_{joint}": number for joint, number in _limbs(own).items()}
    pelvis, head = (_first(plain, wanted) for wanted in (PELVIS_NAMES, HEAD_NAMES))
    missing = [
        f"{side} {joint}" for side in LEFT_AND_RIGHT for joint in NEEDED_JOINTS if f"{side}_{joint}" not in limbs
    ]
    missing += [name for name, number in (("hips", pelvis), ("head", head)) if number is None]
    if missing:
        raise InputError(
            f"The skeleton of {file} has no {', '.join(missing)} that is known by name. Names of SMPL, CMU and Mixamo "
            f"are read; it has {len(names)} bones: {', '.join(names[:12])}{' ...' if len(names) > 12 else ''}."
        )
    chain = _between(parents, pelvis, head)
    if chain is None:
        raise InputError(f"In {file} the head ({names[head]}) does not hang on the hips ({names[pelvis]}).")
    arms = [set(_ancestors(parents, limbs[f"{side}_shoulder"])) for side in LEFT_AND_RIGHT]
    spine = tuple(bone for bone in chain if all(bone in arm for arm in arms))
    return Bones(pelvis, spine, tuple(chain[len(spine) :]), head, limbs)


def _plain(name: str) -> tuple[str, str]:
    """Side ("left", "right" or "") and bare name of a bone: mixamorig:LeftUpLeg is ("left", "upleg")."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name.rpartition(":")[2])
    words = re.sub(r"[\W_]+", " ", words).strip()
    words = NAME_PREFIX.sub("", words).strip().lower().split()
    for sign, side in (("left", "left"), ("right", "right"), ("l", "left"), ("r", "right")):
        if sign in words:
            words.remove(sign)
            return side, "".join(words)
    bare = "".join(words)
    for sign, side in (("left", "left"), ("right", "right")):
        if bare.startswith(sign) or bare.endswith(sign):
            return side, bare.replace(sign, "", 1)
    known = {bone for row in LIMB_NAMES.values() for bone in row}
    for sign, side in (("l", "left"), ("r", "right")):  # lfemur of the CMU data
        if bare.startswith(sign) and bare[1:] in known and bare not in known:
            return side, bare[1:]
    return "", re.sub(r"0*(\d+)$", r"\1", bare)


def _limbs(own: dict[str, int]) -> dict[str, int]:
    """Joints of one side. "shoulder", "hand" and "foot" mean different joints in different families."""
    found = {}
    for joint, row in LIMB_NAMES.items():
        bone = next((name for name in row if name in own), None)
        if bone is not None:
            found[joint] = own[bone]
    if (
        "arm" not in own
        and "upperarm" not in own
        and "humerus" not in own
        and found.get("collar") == own.get("shoulder")
    ):
        found.pop("collar", None)  # the only shoulder is the joint of the arm
    if found.get("foot") == found.get("ankle"):
        found.pop("foot", None)
    if found.get("hand") == found.get("wrist"):
        found.pop("hand", None)
    return found


def _first(plain: list[tuple[str, str]], wanted: tuple[str, ...]) -> int | None:
    middle = {bone: number for number, (side, bone) in reversed(list(enumerate(plain))) if not side}
    return next((middle[name] for name in wanted if name in middle), None)


def _ancestors(parents: tuple[int, ...], bone: int) -> list[int]:
    line = [bone]
    while parents[line[-1]] >= 0:
        line.append(parents[line[-1]])
    return line


def _between(parents: tuple[int, ...], low: int, high: int) -> list[int] | None:
    """Bones above `low` and below `high`, upwards, or None if one does not hang on the other."""
    line = _ancestors(parents, high)
    return line[1 : line.index(low)][::-1] if low in line else None
