"""Still pictures in and out."""

import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..output import whole_file
from .container import check_file, check_size


# What Pillow raises for changed bytes, found by `mimo bench fuzz`.
DAMAGED_PICTURE = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, struct.error, zlib.error)
PROGRAM_FORMATS = {"EPS", "WMF"}  # Pillow draws these by running what they hold, in Ghostscript or in Windows
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def check_picture_name(path) -> Path:
    """`path`. Raises InputError for a name in whose format no picture is written."""
    path = Path(path)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise InputError(f"A picture is written as {', '.join(sorted(PICTURE_SUFFIXES))}, got {path.name}.")
    return path


def read_picture(path) -> np.ndarray:
    """A picture file as (H, W, 3 or 4) uint8: upright, RGB, with alpha if the file has it.

    Grey of 16 bits is brought to 8. Raises InputError for a file that is missing, not a picture, or above 64
    megapixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = check_file(path)
    Image.init()
    try:
        with Image.open(path, formats=[name for name in Image.ID if name not in PROGRAM_FORMATS]) as picture:
            check_size(*picture.size)
            picture = _reduce_depth(ImageOps.exif_transpose(picture))
            has_alpha = picture.getbands()[-1] in ("A", "a") or "transparency" in picture.info
            return np.array(picture.convert("RGBA" if has_alpha else "RGB"))
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        most = 2 * Image.MAX_IMAGE_PIXELS / 1e6
        raise InputError(
            f"{path.name} has more than {most:.0f} megapixels; the limit is 64. Make it smaller."
        ) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path.name} cannot be read as a picture: it is damaged or of an unknown kind. "
            "Save it again as PNG or JPEG."
        ) from error
    except DAMAGED_PICTURE as error:
        raise InputError(f"{path.name} cannot be read as a picture: {error}. Save it again as PNG or JPEG.") from error


def _reduce_depth(picture):
    """Grey of 16 or 32 bits in 8: Pillow's own conversion cuts it off at white."""
    from PIL import Image

    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
        return picture
    values = np.nan_to_num(np.asarray(picture, np.float64))
    brightest = values.max(initial=0)
    # Integers are 16 bit whatever the mode says; floats are 0..1, or in the range of the brightest value.
    full = 65535 if picture.mode != "F" else next((top for top in (1, 255, 65535) if brightest <= top), brightest)
    return Image.fromarray((values.clip(0, full) * (255 / full) + 0.5).astype(np.uint8))


def write_picture(path, picture: np.ndarray) -> None:
    """Write (H, W, 3) or (H, W) uint8 in the format of the file's name."""
    from PIL import Image

    with whole_file(path) as partial:
        Image.fromarray(picture).save(partial)
