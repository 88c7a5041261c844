"""Fit an impedance spectrum by a series resistance, depressed arcs and a tail."""

from dataclasses import dataclass

import numpy as np

ELECTROLYTE_CAPACITANCE_F_PER_CM = 1e-7
"""Arcs whose capacitance × L / A is below this belong to the electrolyte: bulk about 1e-12 F/cm, grain boundaries 1e-11
to 1e-8 F/cm, interfaces 1e-7 F and more (Irvine, Sinclair and West 1990, https://doi.org/10.1002/adma.19900020304)."""

FEWEST_POINTS = 8
MOST_ARCS = 3


@dataclass(frozen=True)
class Arc:
    """A resistance (ohm) beside a constant phase element, with its effective capacitance (F)."""

    resistance: float
    exponent: float
    capacitance: float


@dataclass(frozen=True)
class Fit:
    """A fitted spectrum; ohms. ``misfit`` is the root mean square of the relative residuals."""

    electrolyte: float
    electrolyte_std: float
    interface: float
    interface_std: float
    series: float
    arcs: tuple[Arc, ...]
    misfit: float
    sentence: str | None


NAN = float("nan")


def model(parameters: np.ndarray, omega: np.ndarray, arcs: int) -> np.ndarray:
    """Impedance (ohm) at ``omega`` (rad/s).

    ``parameters``: log R0, then log R, log τ, n of every arc, then log Q, n of the tail 1 / (Q (iω)ⁿ).
    """
    jw = 1j * omega
    total = np.exp(parameters[0]) + np.exp(-parameters[-2]) / jw ** parameters[-1]
    for k in range(arcs):
        log_r, log_tau, n = parameters[1 + 3 * k : 4 + 3 * k]
        total = total + np.exp(log_r) / (1 + (jw * np.exp(log_tau)) ** n)
    return np.asarray(total)


def gradient(parameters: np.ndarray, omega: np.ndarray, arcs: int) -> np.ndarray:
    """Derivatives (frequency, parameter) of ``model``."""
    jw = 1j * omega
    columns = [np.full(omega.size, np.exp(parameters[0]), complex)]
    for k in range(arcs):
        log_r, log_tau, n = parameters[1 + 3 * k : 4 + 3 * k]
        logarithm = np.log(jw) + log_tau
        u = np.exp(n * logarithm)
        slope = -np.exp(log_r) * u / (1 + u) ** 2
        columns += [np.exp(log_r) / (1 + u), slope * n, slope * logarithm]
    tail = np.exp(-parameters[-2]) / jw ** parameters[-1]
    return np.stack([*columns, -tail, -tail * np.log(jw)], axis=1)


def fit_spectrum(frequency: np.ndarray, impedance: np.ndarray, length_over_area: float = 1.0) -> Fit:
    """Fit frequencies (Hz) and complex impedances (ohm); NaN pads and inductive points are ignored.

    ``length_over_area`` of the electrolyte (1/cm) tells arcs of a small cell from those of a small capacitance.

    Residuals are relative to |Z|; the number of arcs is the one of least BIC. Its standard deviation follows from
    the residuals and the Jacobian.
    """
    good = np.isfinite(frequency) & np.isfinite(impedance) & (frequency > 0) & (impedance.imag < 0)
    if good.sum() < FEWEST_POINTS:
        return Fit(
            NAN, NAN, NAN, NAN, NAN, (), NAN, f"only {int(good.sum())} usable points, {FEWEST_POINTS} are needed"
        )
    omega, z = 2 * np.pi * frequency[good], impedance[good]
    best = _fit_arcs(omega, z, 0)
    for arcs in range(1, MOST_ARCS + 1):
        more = _fit_arcs(omega, z, arcs)
        if more[0] >= best[0]:
            break
        best = more
    return _as_fit(best[1], best[2], omega, z, length_over_area)


def _residuals(parameters: np.ndarray, omega: np.ndarray, z: np.ndarray, arcs: int) -> np.ndarray:
    off = (model(parameters, omega, arcs) - z) / np.abs(z)
    return np.concatenate([off.real, off.imag])


def _jacobian(parameters: np.ndarray, omega: np.ndarray, z: np.ndarray, arcs: int) -> np.ndarray:
    slopes = gradient(parameters, omega, arcs) / np.abs(z)[:, None]
    return np.concatenate([slopes.real, slopes.imag])


def _fit_arcs(omega: np.ndarray, z: np.ndarray, arcs: int) -> tuple[float, np.ndarray, int]:
    """BIC, parameters and number of arcs of the best of a few starts."""
    from scipy.optimize import least_squares

    low, high = _bounds(omega, z, arcs)
    found = [
        least_squares(
            _residuals,
            np.clip(start, low, high),
            jac=_jacobian,
            bounds=(low, high),
            args=(omega, z, arcs),
            x_scale="jac",
            ftol=1e-7,
            xtol=1e-7,
            max_nfev=300,
        )
        for start in _starts(omega, z, arcs)
    ]
    best = min(found, key=lambda result: result.cost)
    points = 2 * omega.size
    bic = points * np.log(max(2 * best.cost / points, 1e-16)) + best.x.size * np.log(points)
    return float(bic), best.x, arcs


def _bounds(omega: np.ndarray, z: np.ndarray, arcs: int) -> tuple[np.ndarray, np.ndarray]:
    scale = np.log(np.abs(z).max())
    low = [np.log(np.abs(z).max() * 1e-6)] + [scale - 12, -np.log(omega.max()) - 3, 0.4] * arcs + [-40.0, 0.05]
    high = [scale + 1] + [scale + 2, -np.log(omega.min()) + 3, 1.0] * arcs + [20.0, 1.0]
    return np.array(low), np.array(high)


def _starts(omega: np.ndarray, z: np.ndarray, arcs: int) -> list[np.ndarray]:
    """Arcs spread evenly over the frequencies, denser at the high or at the low end."""
    series = np.log(max(z.real.min(), np.abs(z).max() * 1e-4))
    height = np.log(max(np.ptp(z.real), 1e-3 * np.abs(z).max()) / max(arcs, 1))
    slowest, fastest = -np.log(omega.min()), -np.log(omega.max())
    lowest = int(np.argmin(omega))
    tail = -np.log(max(-z[lowest].imag, 1e-3 * np.abs(z[lowest]))) - 0.5 * np.log(omega[lowest])
    starts = []
    for bend in (0.5, 1.0, 2.0):
        places = fastest + (slowest - fastest) * (np.linspace(0, 1, arcs + 2)[1:-1] ** bend)
        middle = [value for tau in places for value in (height, tau, 0.85)]
        starts.append(np.array([series, *middle, tail, 0.5]))
    return starts if arcs else starts[:1]


def _as_fit(parameters: np.ndarray, arcs: int, omega: np.ndarray, z: np.ndarray, length_over_area: float) -> Fit:
    triples = parameters[1 : 1 + 3 * arcs].reshape(arcs, 3)
    circuit = [Arc(float(np.exp(log_r)), float(n), float(np.exp(log_tau - log_r))) for log_r, log_tau, n in triples]
    # Columns: electrolyte and interface; as the parameters are logarithms, the resistances are their own gradients.
    shares = np.zeros((parameters.size, 2))
    shares[0, 0] = np.exp(parameters[0])
    for k, arc in enumerate(circuit):
        inside = arc.capacitance * length_over_area < ELECTROLYTE_CAPACITANCE_F_PER_CM
        shares[1 + 3 * k, 0 if inside else 1] = arc.resistance
    covariance, misfit = _covariance(parameters, omega, z, arcs)
    electrolyte, interface = shares.sum(axis=0)
    electrolyte_std, interface_std = np.sqrt(np.diag(shares.T @ covariance @ shares))
    return Fit(
        electrolyte=float(electrolyte),
        electrolyte_std=float(electrolyte_std),
        interface=float(interface),
        interface_std=float(interface_std),
        series=float(np.exp(parameters[0])),
        arcs=tuple(circuit),
        misfit=misfit,
        sentence=f"the circuit misses the data by {100 * misfit:.0f} %" if misfit > 0.1 else None,
    )


def _covariance(parameters: np.ndarray, omega: np.ndarray, z: np.ndarray, arcs: int) -> tuple[np.ndarray, float]:
    """Covariance of the parameters and the root mean square residual."""
    residual = _residuals(parameters, omega, z, arcs)
    jacobian = _jacobian(parameters, omega, z, arcs)
    variance = float(residual @ residual) / max(residual.size - parameters.size, 1)
    return np.linalg.pinv(jacobian.T @ jacobian) * variance, float(np.sqrt(2 * np.mean(residual**2)))
