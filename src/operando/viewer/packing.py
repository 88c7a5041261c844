"""Numbers on their way to the browser: a JSON header, then the arrays as they lie in memory."""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

ALIGNMENT = 8
TYPES = {"float32": "<f4", "float64": "<f8", "uint8": "u1", "int32": "<i4"}


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Little-endian: length of the JSON (4 bytes), 4 empty bytes, JSON, arrays; each part starts at a multiple of 8.

    The JSON is ``{"header": …, "arrays": {name: {"type", "shape", "offset"}}}``, offsets counted from the JSON's end.
    """
    about, parts, offset = {}, [], 0
    for name, array in arrays.items():
        content = np.ascontiguousarray(array, TYPES[array.dtype.name]).tobytes()
        about[name] = {"type": array.dtype.name, "shape": list(array.shape), "offset": offset}
        parts.append(content.ljust(_aligned(len(content)), b"\0"))
        offset += len(parts[-1])
    text = json.dumps({"header": header, "arrays": about}, allow_nan=False).encode()
    text = text.ljust(_aligned(len(text)))
    return b"".join([struct.pack("<II", len(text), 0), text, *parts])


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def plain(values: np.ndarray) -> list[Any]:
    """Numbers for JSON, ``None`` for what is not one; times as milliseconds since 1970."""
    if values.dtype.kind == "M":
        return [None if np.isnat(v) else int(v.astype("datetime64[ms]").astype("int64")) for v in values]
    if values.dtype.kind == "f":
        return [float(v) if np.isfinite(v) else None for v in values]
    return [v.item() for v in values]
