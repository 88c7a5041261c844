"""A volume of bytes as a NIfTI-1 file (https://nifti.nimh.nih.gov/nifti-1), which niivue reads."""

import struct

from operando.model.constants import OUTSIDE_LABEL, UNKNOWN_LABEL
from operando.pipeline.display import Image, box_factor

UNKNOWN_AS_OUTSIDE = bytes(OUTSIDE_LABEL if label == UNKNOWN_LABEL else label for label in range(256))
"""What is unknown would hide what is known."""
HEADER_BYTES = 352
BYTE = 2
MILLIMETRE = 2
MM_PER_UM = 1e-3


def volume(image: Image, shape: tuple[int, int, int], content: bytes) -> bytes:
    """Header and voxels; x is the fastest axis in both worlds. Lengths in mm, as NIfTI wants them.

    The detector's rows grow downwards and NIfTI's third axis upwards: y and z are turned together, so that nothing
    is mirrored.
    """
    factor = box_factor(image.shape)
    spacing = [step * factor * MM_PER_UM for step in image.spacing_um[::-1]]
    origin = [
        start * MM_PER_UM + (factor - 1) / 2 * step * MM_PER_UM
        for start, step in zip(image.origin_um[::-1], image.spacing_um[::-1], strict=True)
    ]
    slope, intercept = (image.high - image.low) / 255.0, image.low
    if image.name == "labels":
        slope, intercept, content = 1.0, 0.0, content.translate(UNKNOWN_AS_OUTSIDE)
    header = bytearray(HEADER_BYTES)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, BYTE, 8)
    struct.pack_into("<8f", header, 76, 1.0, *spacing, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", header, 108, HEADER_BYTES, slope, intercept)
    struct.pack_into("<B", header, 123, MILLIMETRE)
    struct.pack_into("<2h", header, 252, 0, 1)
    for axis in range(3):
        row = [0.0, 0.0, 0.0, origin[axis]]
        row[axis] = spacing[axis]
        if axis:
            row = [-value for value in row]
        struct.pack_into("<4f", header, 280 + 16 * axis, *row)
    header[344:348] = b"n+1\0"
    return bytes(header) + content
