"""The 24 joints of SMPL, in SMPL order, and how the larger skeletons of its family contain them."""

JOINTS = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
)
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
MIRRORED_JOINT = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)
JOINT = {name: number for number, name in enumerate(JOINTS)}

# A hand of SMPL-H and SMPL-X has 15 finger joints: index, middle, pinky, ring, thumb, three each.
FINGER_JOINTS = 15
MIDDLE_KNUCKLE = 3  # among the finger joints; SMPL's hand joint sits there


def family_parts(joints: int) -> tuple[int, ...]:
    """For a skeleton of 24, 52 (SMPL-H) or 55 (SMPL-X) joints: the SMPL joint that each one belongs to."""
    body = tuple(range(22))
    fingers = (JOINT["left_hand"],) * FINGER_JOINTS + (JOINT["right_hand"],) * FINGER_JOINTS
    jaw_and_eyes = (JOINT["head"],) * 3
    return {24: tuple(range(24)), 52: body + fingers, 55: body + jaw_and_eyes + fingers}[joints]


def family_joints(joints: int) -> tuple[int, ...]:
    """Where the 24 SMPL joints lie in a skeleton of 24, 52 or 55 joints. The hands are the middle knuckles."""
    if joints == 24:
        return tuple(range(24))
    left = joints - 2 * FINGER_JOINTS + MIDDLE_KNUCKLE
    return (*range(22), left, left + FINGER_JOINTS)
