"""The anode's surface as triangles, and the files that other programs read: STL and PLY."""

from pathlib import Path

import numpy as np

from operando.model.errors import OperandoError
from operando.model.products.morphology import Interface


def surface_mesh(interface: Interface, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the height map: corners (n, 3) in µm along x, y, z, and faces (m, 3) of their numbers.

    Every ``step``-th column is used. Cells with an unknown corner are left open. Faces look towards the electrolyte.
    """
    height = interface["height"].values[::step, ::step].astype(float)
    y, x = (interface[name].values[::step] for name in ("y_map", "x_map"))
    known = np.isfinite(height)
    if known.sum() < 3:
        raise OperandoError("the interface has no known surface, so that there is no mesh to write.")
    number = np.full(height.shape, -1)
    number[known] = np.arange(known.sum())
    rows, columns = np.nonzero(known)
    corners = np.stack([x[columns], y[rows], height[known]], axis=1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    faces = np.concatenate([np.stack(part, axis=-1).reshape(-1, 3) for part in ([a, b, c], [b, d, c])])
    faces = faces[(faces >= 0).all(axis=1)]
    return corners, faces if int(interface["facing"]) >= 0 else faces[:, ::-1]


def write_stl(path: Path, corners: np.ndarray, faces: np.ndarray) -> None:
    """Write a binary STL file, lengths in µm."""
    triangles = corners[faces].astype("<f4")
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    record = np.zeros(len(faces), np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("spare", "<u2")]))
    record["normal"], record["corners"] = normals, triangles
    with path.open("wb") as file:
        file.write(b"operando, um".ljust(80, b" "))
        file.write(np.uint32(len(faces)).astype("<u4").tobytes())
        file.write(record.tobytes())


def change_mesh(before: Interface, after: Interface, step: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The later surface where both scans show it, with its advance since the earlier one (µm, one a corner).

    Positive where the anode gained, negative where it lost. Corners and faces as in ``surface_mesh``.
    """
    both = after.assign(height=after["height"].where(np.isfinite(before["height"].values)))
    corners, faces = surface_mesh(both, step)
    moved = int(after["facing"]) * (after["height"].values - before["height"].values)[::step, ::step].astype(float)
    return corners, faces, moved[np.isfinite(both["height"].values[::step, ::step])]


def write_change(path: Path, before: Interface, after: Interface, step: int = 1) -> None:
    """Write the later surface as PLY, coloured by what it gained and lost since the earlier scan.

    Corners carry ``advance`` (µm) and the ``gap`` (µm, NaN where not told) before the later surface.
    """
    corners, faces, moved = change_mesh(before, after, step)
    known = np.isfinite(before["height"].values) & np.isfinite(after["height"].values)
    gap = after["gap"].values[::step, ::step][known[::step, ::step]]
    write_ply(path, corners, faces, gap, moved)


def gain_and_loss_colours(advance: np.ndarray) -> np.ndarray:
    """Red, green, blue (n, 3) as uint8: white at rest, to purple where it gained, to orange where it lost.

    The scale ends at the 99th percentile of the size. Told apart with any kind of colour vision.

    >>> gain_and_loss_colours(np.array([0.0, 2.0, -2.0])).tolist()
    [[247, 247, 247], [84, 39, 136], [179, 88, 6]]
    """
    reach = float(np.percentile(np.abs(advance), 99)) if advance.size else 1.0
    part = np.clip(advance / reach, -1, 1)[:, None] if reach else np.zeros((advance.size, 1))
    rest, gain, loss = (np.array(colour, float) for colour in ((247, 247, 247), (84, 39, 136), (179, 88, 6)))
    colour = rest + np.clip(part, 0, 1) * (gain - rest) + np.clip(-part, 0, 1) * (loss - rest)
    return np.rint(colour).astype(np.uint8)


def write_ply(
    path: Path,
    corners: np.ndarray,
    faces: np.ndarray,
    gap: np.ndarray | None = None,
    advance: np.ndarray | None = None,
) -> None:
    """Write a binary PLY file, lengths in µm; ``gap`` and ``advance`` (a value a corner) become properties of corners.

    With ``advance`` the corners are coloured by gain and loss.
    """
    given = {name: values for name, values in (("gap", gap), ("advance", advance)) if values is not None}
    fields = [(name, "<f4") for name in ("x", "y", "z", *given)]
    colours = ("red", "green", "blue") if advance is not None else ()
    vertex = np.zeros(len(corners), np.dtype(fields + [(name, "u1") for name in colours]))
    for i, name in enumerate(("x", "y", "z")):
        vertex[name] = corners[:, i]
    for name, values in given.items():
        vertex[name] = values
    if advance is not None:
        for i, name in enumerate(colours):
            vertex[name] = gain_and_loss_colours(advance)[:, i]
    face = np.zeros(len(faces), np.dtype([("count", "u1"), ("corner", "<i4", 3)]))
    face["count"], face["corner"] = 3, faces
    properties = "".join(f"property float {name}\n" for name, _ in fields)
    properties += "".join(f"property uchar {name}\n" for name in colours)
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment operando, um\n"
        f"element vertex {len(corners)}\n{properties}"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    with path.open("wb") as file:
        file.write(header.encode("ascii"))
        file.write(vertex.tobytes())
        file.write(face.tobytes())
