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


def write_ply(path: Path, corners: np.ndarray, faces: np.ndarray, gap: np.ndarray | None = None) -> None:
    """Write a binary PLY file, lengths in µm; ``gap`` (one value a corner) becomes a property of the corners."""
    fields = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")] + ([] if gap is None else [("gap", "<f4")])
    vertex = np.zeros(len(corners), np.dtype(fields))
    for i, name in enumerate(("x", "y", "z")):
        vertex[name] = corners[:, i]
    if gap is not None:
        vertex["gap"] = gap
    face = np.zeros(len(faces), np.dtype([("count", "u1"), ("corner", "<i4", 3)]))
    face["count"], face["corner"] = 3, faces
    properties = "".join(f"property float {name}\n" for name, _ in fields)
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment operando, um\n"
        f"element vertex {len(corners)}\n{properties}"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    with path.open("wb") as file:
        file.write(header.encode("ascii"))
        file.write(vertex.tobytes())
        file.write(face.tobytes())
