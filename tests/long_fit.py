"""`python long_fit.py SHORT LONG` prints by how many kB a frame more lets the memory of a fit grow.

The person is seen at the begin and the end and invisible in between, so that few windows are solved and all that is
made for the whole clip counts.
"""

import resource
import sys
from pathlib import Path

import torch


sys.path.insert(0, str(Path(__file__).parent.parent))

from mimo_core.pose.fit import fit_motion
from mimo_core.pose.landmarks import Landmarks
from mimo_lab.bench.pose import project_true_landmarks
from tests.test_fit import CAMERA, FPS, swinging


SEEN = 4  # frames at either end


def measure_peak() -> int:
    """kB of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fit_frames(frames: int) -> None:
    seen = project_true_landmarks(swinging(2 * SEEN))
    rows = torch.cat([torch.arange(SEEN), torch.full((frames - 2 * SEEN,), SEEN), torch.arange(SEEN, 2 * SEEN)])
    landmarks = Landmarks(seen.pixels[rows], seen.world[rows], seen.confidence[rows], seen.score[rows])
    landmarks.score[SEEN:-SEEN] = 0
    fit_motion(landmarks, CAMERA, fps=FPS)


if __name__ == "__main__":
    short, long = (int(count) for count in sys.argv[1:])
    fit_frames(short)
    before = measure_peak()
    fit_frames(long)
    sys.stdout.write(f"{(measure_peak() - before) / (long - short)}\n")
