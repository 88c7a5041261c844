"""Rigid motions, as mathematics."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operando.morphology.rigid import Rigid, displacement_jacobian, rotation_matrix, rotation_vector

numbers = st.floats(-0.3, 0.3)
vectors = st.tuples(numbers, numbers, numbers).map(np.array)


@given(vectors)
def test_vector_and_matrix_agree(vector: np.ndarray) -> None:
    assert np.allclose(rotation_vector(rotation_matrix(vector)), vector, atol=1e-9)


@given(vectors, vectors, vectors)
def test_motion_and_inverse_lead_back(translation: np.ndarray, rotation: np.ndarray, point: np.ndarray) -> None:
    motion = Rigid.of(translation, rotation, np.array([1.0, 2.0, 3.0]))
    assert np.allclose(motion.inverse(motion(point)), point)


@given(vectors, vectors)
def test_jacobian_is_the_derivative(rotation: np.ndarray, point: np.ndarray) -> None:
    step = np.concatenate([np.zeros(3), 1e-6 * rotation])
    moved = Rigid.of(step[:3], step[3:], np.zeros(3))(point) - point
    assert np.allclose(displacement_jacobian(point[None], np.zeros(3))[0] @ step, moved, atol=1e-10)


def test_x_turns_towards_y_about_z() -> None:
    assert np.allclose(rotation_matrix(np.array([np.pi / 2, 0, 0])) @ [0, 0, 1], [0, 1, 0])
