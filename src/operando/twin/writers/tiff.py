"""A folder of TIFF files a scan, flats and darks in folders of their own, as many laboratories keep them."""

from pathlib import Path

from operando.twin.writers.frames import DARK, FLAT, PROJECTION, Frames

_FOLDERS = {PROJECTION: "projections", FLAT: "flats", DARK: "darks"}


def write(path: Path, frames: Frames) -> Path:
    """Write one file a frame, numbered in the order in which they were taken; the angles go into angles.txt."""
    import tifffile

    for name in _FOLDERS.values():
        (path / name).mkdir(parents=True, exist_ok=True)
    for frame, image in enumerate(frames.images):
        name = _FOLDERS[int(frames.key[frame])]
        tifffile.imwrite(path / name / f"{name}_{frame:05d}.tif", image)
    angles = frames.angle[frames.selected(PROJECTION)]
    (path / "angles.txt").write_text("".join(f"{angle:.6f}\n" for angle in angles), encoding="ascii")
    return path
