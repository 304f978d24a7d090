"""Show several videos of one length side by side, for `make demo`.

python tools/side_by_side.py OUT.mp4 A.mp4 B.mp4 ...   also writes OUT.png, some frames of each
"""

import sys
from pathlib import Path

import numpy as np

from mimo_core.media.clip import Clip, write_video
from mimo_core.media.picture import write_picture
from mimo_core.media.sheet import draw_contact_sheet, sample_frames


SHEET_GAP = 8


def main(out: Path, *paths: str):
    clips = [Clip.from_file(path) for path in paths]
    length = min(len(clip) for clip in clips)
    gap = np.full((clips[0].height, SHEET_GAP, 3), 255, np.uint8)

    def joined():
        for pictures in zip(*clips, strict=False):
            yield np.hstack([part for picture in pictures for part in (picture, gap)][:-1])

    write_video(out, joined(), fps=clips[0].fps, total=length)
    shown = sample_frames(6, length)
    write_picture(out.with_suffix(".png"), draw_contact_sheet([[clip[frame] for frame in shown] for clip in clips]))
    print(f"wrote {out} and {out.with_suffix('.png')}: {', '.join(paths)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
