"""Still pictures in and out."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..output import whole_file
from .video import check_size


PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def read_picture(path) -> np.ndarray:
    """A picture file as (H, W, 3 or 4) uint8: upright, RGB, with alpha if the file has it.

    Raises InputError for a file that is missing, not a picture, or above 64 megapixels.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        with Image.open(path) as picture:
            check_size(*picture.size)
            picture = ImageOps.exif_transpose(picture)
            has_alpha = "A" in picture.getbands() or "transparency" in picture.info
            return np.array(picture.convert("RGBA" if has_alpha else "RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path.name} cannot be read as a picture: {error}. Save it again as PNG or JPEG.") from error


def write_picture(path, picture: np.ndarray) -> None:
    """Write (H, W, 3) or (H, W) uint8 in the format of the file's name."""
    from PIL import Image

    with whole_file(path) as partial:
        Image.fromarray(picture).save(partial)
