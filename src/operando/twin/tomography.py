"""One tomography scan: when its frames are taken, how the stage moves, and the frames themselves."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from operando.twin.beam import Spectrum
from operando.twin.cell import TwinCell
from operando.twin.detector import Camera, ring_current
from operando.twin.projector import Scene, View, transmission
from operando.twin.settings import Experiment
from operando.twin.writers.frames import DARK, FLAT, PROJECTION, Frames

_THREADS = 2
_MANY_COLUMNS = 1000


@dataclass(frozen=True)
class Pose:
    """Where the cell stands in one scan, relative to the first; and the centre of rotation in pixels."""

    centre_px: float
    shift_um: tuple[float, float, float]
    turn_rad: float
    tilt_rad: float


def scan_start(settings: Experiment, index: int) -> float:
    """Start of the first projection, s after the cycler's start."""
    return 60.0 * (settings.tomography.first_min + index * settings.tomography.every_min)


def pose(settings: Experiment, index: int) -> Pose:
    """Smooth drift over the experiment plus a jitter of the centre from scan to scan."""
    motion, total = settings.motion, max(settings.tomography.scans - 1, 1)
    progress = index / total
    jitter = np.random.default_rng([settings.seed, 41, index]).standard_normal() * motion.centre_jitter_px
    middle = (settings.detector.columns - 1) / 2
    z, y, x = (progress * part for part in motion.cell_shift_um)
    return Pose(
        centre_px=middle + motion.centre_offset_px + progress * motion.centre_drift_px + float(jitter),
        shift_um=(z, y, x),
        turn_rad=progress * motion.cell_rotation_mrad * 1e-3,
        tilt_rad=progress * motion.cell_tilt_mrad * 1e-3,
    )


@dataclass(frozen=True)
class Plan:
    """The frames of a scan in the order in which they are taken; ``seconds`` after the cycler's start."""

    key: np.ndarray
    angle: np.ndarray
    seconds: np.ndarray
    exposure_s: float


def plan(settings: Experiment, index: int) -> Plan:
    """Darks and flats before, projections over half a turn, flats after."""
    given = settings.tomography
    exposure = given.duration_s / given.angles
    key = np.repeat([DARK, FLAT, PROJECTION, FLAT], [given.darks, given.flats, given.angles, given.flats])
    order = np.arange(len(key)) - given.darks - given.flats
    turning = np.pi * order / given.angles
    angle = np.where(key == PROJECTION, turning, np.where(order < 0, 0.0, np.pi))
    return Plan(key, angle, scan_start(settings, index) + order * exposure, exposure)


@dataclass(frozen=True)
class Scanner:
    """Takes the scans of one experiment. ``scene_at(seconds)`` is the cell at a time."""

    settings: Experiment
    cell: TwinCell
    camera: Camera
    spectrum: Spectrum
    scene_at: Callable[[float], Scene]
    epoch: np.datetime64

    def frames(self, index: int) -> Frames:
        """All frames of scan ``index``, lazily, in order."""
        schedule = plan(self.settings, index)
        start = scan_start(self.settings, index)
        scene = self.scene_at(start + self.settings.tomography.duration_s / 2)
        times = self.epoch + np.rint(schedule.seconds * 1e9).astype("int64").astype("timedelta64[ns]")
        current = ring_current(self.settings.beam, schedule.seconds + 3600.0)
        return Frames(
            title=f"{self.settings.title}, scan {index}",
            shape=self.camera.shape,
            key=schedule.key,
            angle=np.degrees(schedule.angle),
            time=times,
            ring_current=current,
            exposure_s=schedule.exposure_s,
            pixel_um=self.settings.detector.pixel_um,
            images=_ahead(lambda frame: self.frame(index, frame, schedule, scene, current), len(times)),
        )

    def frame(self, index: int, frame: int, schedule: Plan, scene: Scene, current: np.ndarray) -> np.ndarray:
        """One frame of scan ``index`` as the camera gives it, uint16."""
        key = schedule.key[frame]
        if key == DARK:
            return self.camera.expose(None, (index, frame))
        progress = frame / (len(schedule.key) - 1)
        relative = float(current[frame]) / self.settings.beam.ring_current_ma
        if key == FLAT:
            ideal = self.camera.open_beam
        else:
            ideal = self.camera.image(self._transmission(index, frame, schedule, scene))
        return self.camera.expose(self.camera.mean_counts(ideal, progress, relative, key == FLAT), (index, frame))

    def _transmission(self, index: int, frame: int, schedule: Plan, scene: Scene) -> np.ndarray:
        """The ideal image; rows in the slits' shadow are left at zero, for nothing shines there."""
        lit = self.camera.lit_rows
        ideal = np.zeros(self.camera.shape, np.float32)
        ideal[lit] = transmission(scene, self._view(index, frame, schedule), self._subsamples)
        return ideal

    @property
    def _subsamples(self) -> int:
        """Rays a pixel: two, but one where pixels are small against everything in the cell."""
        return 1 if self.settings.detector.columns > _MANY_COLUMNS else 2

    def _view(self, index: int, frame: int, schedule: Plan) -> View:
        """How one projection sees the cell, with the drift inside the scan and the angle's jitter."""
        given, motion, lit = self.settings.detector, self.settings.motion, self.camera.lit_rows
        stands = pose(self.settings, index)
        first = np.flatnonzero(schedule.key == PROJECTION)[0]
        progress = (frame - first) / max(np.sum(schedule.key == PROJECTION) - 1, 1) - 0.5
        jitter = 0.0
        if motion.angle_jitter_mrad:
            generator = np.random.default_rng([self.settings.seed, 42, index, frame])
            jitter = generator.standard_normal() * motion.angle_jitter_mrad * 1e-3
        z, y, x = stands.shift_um
        return View(
            angle=float(schedule.angle[frame]) + jitter,
            rows=lit.stop - lit.start,
            columns=given.columns,
            pixel_um=given.pixel_um,
            centre_px=stands.centre_px,
            shift_um=(z, y, x + motion.within_scan_um * progress),
            turn=stands.turn_rad,
            tilt=(0.0, stands.tilt_rad),
            roll=given.roll_mrad * 1e-3,
            first_row=lit.start,
            middle_row=(given.rows - 1) / 2 - lit.start,
        )


def _ahead(make: Callable[[int], np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Make frames in threads, a few ahead of the writer, and give them in order."""
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting = deque(pool.submit(make, frame) for frame in range(min(count, 2 * _THREADS)))
        following = len(waiting)
        while waiting:
            image = waiting.popleft().result()
            if following < count:
                waiting.append(pool.submit(make, following))
                following += 1
            yield image
