"""Rigid motions: the mathematics, on bare arrays with axes (z, y, x).

A point p of the first scan is found at ``R (p - c) + c + t`` in the later one; c is the volume's middle.
Rotation vectors are written about (z, y, x) and are right-handed in (x, y, z).
"""

from dataclasses import dataclass, field

import numpy as np


def rotation_matrix(vector: np.ndarray) -> np.ndarray:
    """Matrix, in the order (z, y, x), of a rotation vector about (z, y, x), rad (Rodrigues' formula).

    >>> quarter_about_z = rotation_matrix(np.array([np.pi / 2, 0, 0]))
    >>> (quarter_about_z @ np.array([0, 0, 1.0])).round(6).tolist()  # x goes to y
    [0.0, 1.0, 0.0]
    """
    from scipy.spatial.transform import Rotation

    matrix = Rotation.from_rotvec(np.asarray(vector, float)[::-1]).as_matrix()
    return np.ascontiguousarray(matrix[::-1, ::-1])


def rotation_vector(matrix: np.ndarray) -> np.ndarray:
    """Rotation vector about (z, y, x), rad, of a matrix in the order (z, y, x)."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(np.asarray(matrix, float)[::-1, ::-1]).as_rotvec()[::-1].copy()


@dataclass(frozen=True)
class Rigid:
    """A rigid motion about ``centre``; all lengths in µm."""

    matrix: np.ndarray = field(default_factory=lambda: np.eye(3))
    translation: np.ndarray = field(default_factory=lambda: np.zeros(3))
    centre: np.ndarray = field(default_factory=lambda: np.zeros(3))

    @classmethod
    def of(cls, translation: np.ndarray, rotation: np.ndarray, centre: np.ndarray) -> "Rigid":
        """From translation (µm) and rotation vector (rad), both along z, y, x."""
        return cls(rotation_matrix(rotation), np.asarray(translation, float), np.asarray(centre, float))

    @property
    def rotation(self) -> np.ndarray:
        """Rotation vector about (z, y, x), rad."""
        return rotation_vector(self.matrix)

    @property
    def is_still(self) -> bool:
        """Whether nothing moves, so that no voxel has to be interpolated."""
        return bool(np.all(self.matrix == np.eye(3)) and np.all(self.translation == 0))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Where points (…, 3) of the first scan are found in this one."""
        return (points - self.centre) @ self.matrix.T + (self.centre + self.translation)

    def inverse(self, points: np.ndarray) -> np.ndarray:
        """Where points (…, 3) of this scan lie in the first scan's frame."""
        return (points - self.centre - self.translation) @ self.matrix + self.centre

    def after(self, step: np.ndarray) -> "Rigid":
        """This motion after the inverse of a small one: ``step`` = (translation, rotation), 6 numbers.

        It is the update of the inverse-compositional Gauss-Newton method.
        """
        small = rotation_matrix(step[3:])
        matrix = self.matrix @ small.T
        return Rigid(matrix, self.translation - matrix @ step[:3], self.centre)


def displacement_jacobian(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """How points (n, 3) move with (translation, rotation about z, y, x): shape (n, 3, 6)."""
    z, y, x = (points - centre).T
    zero = np.zeros_like(z)
    jacobian = np.zeros((len(points), 3, 6))
    jacobian[:, :, :3] = np.eye(3)
    jacobian[:, :, 3] = np.stack([zero, x, -y], axis=1)
    jacobian[:, :, 4] = np.stack([-x, zero, z], axis=1)
    jacobian[:, :, 5] = np.stack([y, -z, zero], axis=1)
    return jacobian
