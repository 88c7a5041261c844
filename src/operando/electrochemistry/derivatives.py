"""dQ/dV and dV/dQ that survive noise and data that go back and forth."""

import numpy as np
from pydantic import Field

from operando.model.parameters import Parameters
from operando.model.products.electrochemistry import DERIVATIVES, Curve, Derivatives, Protocol
from operando.model.step import step

FEWEST_SAMPLES = 20


class DerivativesParams(Parameters):
    """How finely the derivatives are resolved."""

    points: int = Field(default=200, description="points of each derivative", ge=20, le=2000)
    voltage_width_v: float = Field(
        default=0.005, description="standard deviation of the smoothing along the voltage, V", gt=0, le=0.2
    )
    charge_width: float = Field(
        default=0.01, description="the same along the charge, as a share of the step's charge", gt=0, le=0.2
    )


DEFAULTS = DerivativesParams()


@step(version=1)
def derivatives(curve: Curve, protocol: Protocol, params: DerivativesParams = DEFAULTS) -> Derivatives:
    """Differentiate every charge and discharge: dQ/dV (mAh/V) and dV/dQ (V/mAh), both positive.

    The voltage is first made monotonic by least squares (isotonic regression; Barlow et al. 1972), so that noise
    can't turn a derivative's sign; then charge is counted between equally spaced voltages and smoothed.
    """
    number, voltage, charge = curve["step"].values, curve["voltage"].values, curve["charge"].values
    rows = []
    for k in np.flatnonzero(np.isin(protocol["kind"].values, ["charge", "discharge"])):
        inside = np.flatnonzero((number == k) & np.isfinite(voltage))
        if inside.size >= FEWEST_SAMPLES:
            moved = np.abs(charge[inside] - charge[inside[0]])
            rows.append((int(k), differentiate(moved, voltage[inside], params)))
    tables = np.array([row[1] for row in rows], float).reshape(len(rows), 4, params.points)
    steps = np.array([row[0] for row in rows], int)
    return DERIVATIVES.new(
        step=steps,
        cycle=protocol["cycle"].values[steps],
        kind=protocol["kind"].values[steps],
        voltage=tables[:, 0],
        dq_dv=tables[:, 1],
        charge=tables[:, 2],
        dv_dq=tables[:, 3],
    )


def differentiate(moved: np.ndarray, voltage: np.ndarray, params: DerivativesParams) -> np.ndarray:
    """Four rows of ``points``: voltage and dQ/dV, charge and dV/dQ of one step.

    ``moved``: charge since the step began, mAh, growing.
    """
    rising = voltage[-1] >= voltage[0]
    smooth = monotonic(voltage if rising else -voltage)
    smooth = smooth if rising else -smooth
    return np.stack([
        *_by_voltage(moved, smooth, params.points, params.voltage_width_v),
        *_by_charge(moved, smooth, params.points, params.charge_width),
    ])  # fmt: skip


def monotonic(values: np.ndarray) -> np.ndarray:
    """The nearest series that never falls."""
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(values).x)


def _by_voltage(moved: np.ndarray, voltage: np.ndarray, points: int, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Charge between equally spaced voltages over their spacing; a plateau's charge stays in its place."""
    upward, charge = (voltage, moved) if voltage[-1] >= voltage[0] else (voltage[::-1], moved[-1] - moved[::-1])
    edges = np.linspace(upward[0], upward[-1], points + 1)
    if edges[-1] <= edges[0]:
        return np.full(points, np.nan), np.full(points, np.nan)
    below = charge[np.clip(np.searchsorted(upward, edges, "right") - 1, 0, charge.size - 1)]
    last, first = np.searchsorted(upward, edges, "right"), np.searchsorted(upward, edges, "left")
    between = (first == last) & (first > 0) & (last < upward.size)
    below[between] = np.interp(edges[between], upward, charge)
    below[0], below[-1] = charge[0], charge[-1]
    density = np.diff(below) / np.diff(edges)
    return (edges[1:] + edges[:-1]) / 2, _smoothed(density, width / (edges[1] - edges[0]))


def _by_charge(moved: np.ndarray, voltage: np.ndarray, points: int, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Change of voltage between equally spaced charges."""
    edges = np.linspace(moved[0], moved[-1], points + 1)
    slope = np.abs(np.diff(np.interp(edges, moved, voltage))) / np.diff(edges)
    return (edges[1:] + edges[:-1]) / 2, _smoothed(slope, width * points)


def _smoothed(values: np.ndarray, width: float) -> np.ndarray:
    """Gaussian of ``width`` points; reflected at the ends, so that the sum stays."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(values, width, mode="reflect"))
