"""Do the intervals of the lattice fit hold? Many made-up spectra with truth: bias, coverage, width, areas.

    python benchmarks/validate_diffraction.py [REALISATIONS] [PROCESSES] [SEED]
    python benchmarks/validate_diffraction.py paper [SPECTRA]
    python benchmarks/validate_diffraction.py shares [PRESET] [SPECTRA]
    python benchmarks/validate_diffraction.py texture [DRAWS]
    python benchmarks/validate_diffraction.py absent [SPECTRA] [SEED]
    python benchmarks/validate_diffraction.py structure [DRAWS] [SEED]

Each realisation draws new lattices, amounts and Poisson counts of In and InLi. It passes if the bias of a(InLi) is
under 1e-4 and under a fifth of the interval, the coverage of the 95 % interval is not rejected by a binomial test at
1 %, and the summed areas of each phase are within 3 %. With ``paper`` the spectra are those of the preset: In and InLi
among the hundreds of lines of the electrolyte, fitted one by one and refined together. With ``shares`` the volume
shares of In and InLi and the response of beam, cell and detector are compared with the truth, nothing of them given;
``texture`` does so with made-up lines of log-normal texture. ``absent`` counts how often a named phase that is not
there is reported. ``structure`` holds the intensities within a phase to its structure factors, with the true response,
and compares with free ones: what that would buy, and what it would cost where there is texture.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.stats import binomtest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "diffraction"))

from made import Phase, expected, spectrum, true_cell

from operando.diffraction import element
from operando.diffraction.calibrate import calibrate
from operando.diffraction.correct import correct
from operando.diffraction.element import FitParameters
from operando.diffraction.fit import fit
from operando.diffraction.known_response import ResponseParameters
from operando.diffraction.phases import Pattern
from operando.diffraction.refine import refine
from operando.diffraction.response import response
from operando.diffraction.series import analyse
from operando.materials.catalogue import load
from operando.materials.structure import lines as structure_lines
from operando.model.material import Material
from operando.model.products.raw import SPECTRUM
from operando.twin.beam import through_filters as beam_on_sample
from operando.twin.series import Series, series
from operando.twin.spectrometer import efficiency

SEED = 20261124
NAMES = ("In", "InLi")
NORMAL_95 = 1.959963984540054


def realise(number: int, seed: int = SEED) -> dict[str, np.ndarray]:
    """One spectrum: deviations of the edges in relative units, their standard deviations, ratio of the areas."""
    random = np.random.default_rng([seed, number])
    amounts = np.exp(random.uniform(np.log(500), np.log(8000), 2))
    a, c, inli = random.normal(0.0, 1e-3, 3)
    phases = [Phase("In", amounts[0], (a, a, c)), Phase("InLi", amounts[1], (inli,) * 3)]
    mean, truth = expected(phases, level=float(random.uniform(10, 80)))
    (lines,), (lattice,), _ = analyse([spectrum(random.poisson(mean), live=100.0)], [load(name) for name in NAMES])
    off = [lattice["cell"].values[n] / true_cell(one) - 1.0 for n, one in enumerate(phases)]
    std = [lattice["cell_std"].values[n] / true_cell(one) for n, one in enumerate(phases)]
    ratios, ratio_stds, pulls = [], [], []
    for name in NAMES:
        of_phase = lines.isel(line=np.flatnonzero((lines["phase"] == name).values))
        hkl = list(zip(*(of_phase[index].values.tolist() for index in "hkl"), strict=True))
        true = np.array([truth[name, indices][1] for indices in hkl])
        ratios.append(float(of_phase["area"].sum()) / true.sum())
        ratio_stds.append(float(np.sqrt((of_phase["area_std"] ** 2).sum())) / true.sum())
        strong = true > 0.3 * true.max()
        pulls.append(((of_phase["area"].values - true) / of_phase["area_std"].values)[strong])
    return {
        "off": np.array([off[0][0], off[0][2], off[1][0]]),
        "std": np.array([std[0][0], std[0][2], std[1][0]]),
        "ratio": np.array(ratios),
        "pull": np.concatenate(pulls),
    }


def report(found: list[dict[str, np.ndarray]]) -> bool:
    """Print the table; true if everything passes."""
    off, std = (np.array([one[key] for one in found]) for key in ("off", "std"))
    passed = True
    print(f"{len(found)} realisations, relative units")
    for column, name in enumerate(("a(In)", "c(In)", "a(InLi)")):
        known = np.isfinite(off[:, column])
        deviation, sigma = off[known, column], std[known, column]
        weights = sigma**-2.0
        bias, mean_off = float((weights * deviation).sum() / weights.sum()), float(np.median(deviation))
        inside = int((np.abs(deviation) < NORMAL_95 * sigma).sum())
        p = binomtest(inside, int(known.sum()), 0.95).pvalue
        width = 2 * NORMAL_95 * float(np.median(sigma))
        ok = abs(bias) < 1e-4 and abs(mean_off) < width / 5 and p > 0.01
        passed &= ok
        print(
            f"{name:8s} bias {bias:+.1e} median {mean_off:+.1e}  95 % interval {width:.1e} wide, "
            f"covers {100 * inside / known.sum():.1f} % (p = {p:.3f})  missing {int((~known).sum())}  "
            f"{'ok' if ok else 'FAILED'}"
        )
    ratio = np.array([one["ratio"] for one in found])
    for column, name in enumerate(NAMES):
        ok = abs(float(np.median(ratio[:, column])) - 1.0) < 0.03
        passed &= ok
        low, high = np.percentile(ratio[:, column], [2.5, 97.5])
        print(f"area of {name:5s}: median ratio {np.median(ratio[:, column]):.4f}, 95 % in {low:.3f} … {high:.3f}"
              f"  {'ok' if ok else 'FAILED'}")  # fmt: skip
    pulls = np.concatenate([one["pull"] for one in found])
    print(f"single areas: pull mean {pulls.mean():+.3f}, std {pulls.std():.3f}, "
          f"covered {100 * (np.abs(pulls) < NORMAL_95).mean():.1f} %")  # fmt: skip
    return passed


def staged(preset: str, count: int) -> tuple[Series, tuple[Material, ...], list[xr.Dataset]]:
    """The series of a preset, its materials and its spectra."""
    found = series(preset, count=count)
    materials = tuple(load(one.name) for one in found.seen[0].phases)
    start = np.datetime64("2026-01-01T00:00:00", "ns")
    times = [start + np.timedelta64(15 * frame, "m") for frame in range(count)]
    spectra = [
        SPECTRUM.new(
            attrs={"frame": frame, "file": f"{preset}_{frame:04d}.med"},
            counts=found.counts[frame],
            energy_coefficients=found.instrument.coefficients(),
            two_theta=found.instrument.two_theta(),
            live_time=found.live_s[frame],
            real_time=found.real_s[frame],
            start=times[frame],
            end=times[frame] + np.timedelta64(90, "s"),
        )
        for frame in range(count)
    ]
    return found, materials, spectra


def volume_shares(preset: str, count: int) -> int:
    """Print the share of In in the diffracting volume of the anode, and the response, beside the truth."""
    found, materials, spectra = staged(preset, count)
    shared = calibrate(spectra[0], materials, None)
    params = FitParameters(free_lines=False)
    lines = [fit(correct(one, shared), shared, materials, params)[0] for one in spectra]
    seen, share = response(lines, shared, materials, (), ResponseParameters(apart=(materials[2].name,)))
    print(*seen.attrs["warnings"], *seen.attrs["assumptions"], sep="\n")
    volumes = np.array([[np.max(phase.volume) for phase in one.phases[:2]] for one in found.seen])
    true = volumes[:, 0] / volumes.sum(axis=1)
    value, low, high = (share[f"volume_share{end}"].values[:, 0] for end in ("", "_low", "_high"))
    off, held = value - true, int(((low <= true) & (true <= high)).sum())
    print(f"share of In: bias {off.mean():+.4f}, scatter {off.std():.4f}, "
          f"95 % interval {np.median(high - low):.4f} wide, holds the truth in {held} of {count}")  # fmt: skip
    weight = share["amount"].values[:, 1]
    effective = np.sum(
        [w * np.asarray(one.phases[1].volume) for w, one in zip(weight, found.seen, strict=True)], axis=0
    )
    energy = seen["energy"].values
    at = float(np.sqrt(energy[0] * energy[-1]))
    every = np.r_[at, energy]
    beam = beam_on_sample(found.instrument.beam, every) / every**2 * efficiency(every)
    ideal = beam * np.interp(every, found.instrument.energies(), effective)
    for row in range(0, len(energy), 10):
        inside = f"{seen['relative_low'].values[row]:.4g} … {seen['relative_high'].values[row]:.4g}"
        print(f"{energy[row]:6.1f} keV: response {seen['relative'].values[row]:.4g} ({inside}), "
              f"true {ideal[1 + row] / ideal[0]:.4g}")  # fmt: skip
    return 0


def textured(draws: int) -> int:
    """Print how often the interval of In's share holds the truth where texture scatters the lines."""
    from test_response import MATERIALS, VOLUMES, calibration, measured

    true = VOLUMES[0, 0] / VOLUMES[0].sum()
    for texture in (0.0, 0.1, 0.3):
        found = [response(measured(VOLUMES[:2], 100 + n, texture), calibration(), MATERIALS)[1] for n in range(draws)]
        share, low, high = (
            np.array([float(one[f"volume_share{end}"][0, 0]) for one in found]) for end in ("", "_low", "_high")
        )
        held = int(((low <= true) & (true <= high)).sum())
        print(f"texture {texture:.1f}: bias {share.mean() - true:+.4f}, "
              f"95 % interval {np.median(high - low):.4f} wide, holds the truth in {held} of {draws}")  # fmt: skip
    return 0


ABSENT = ("In", "Li2S", "InLi2", "steel304")


def claimed(number: int, seed: int) -> np.ndarray:
    """Which of the absent phases are reported in one spectrum of InLi alone."""
    random = np.random.default_rng([seed, number])
    alloy = Phase("InLi", float(np.exp(random.uniform(np.log(500), np.log(8000)))), (random.normal(0.0, 1e-3),) * 3)
    mean, _ = expected([alloy], level=float(random.uniform(10, 80)))
    materials = tuple(load(name) for name in ("InLi", *ABSENT))
    _, (lattice,), _ = analyse([spectrum(random.poisson(mean))], materials, None, FitParameters(free_lines=False))
    return np.asarray(lattice["there"].values[1:])


def absent(count: int, seed: int) -> int:
    """Print how often each absent phase is reported; the fit is asked for one in a thousand."""
    with ProcessPoolExecutor(2) as pool:
        found = np.array(list(pool.map(partial(claimed, seed=seed), range(count), chunksize=10)))
    rate = FitParameters().false_alarm_rate
    for name, number in zip(ABSENT, found.sum(axis=0), strict=True):
        print(f"{name}: reported in {number} of {count} spectra")
    total = int(found.sum())
    p = binomtest(total, found.size, rate, alternative="greater").pvalue
    print(f"together {total} of {found.size}, asked for at most {rate:g} (p of more than that by chance {p:.2f})")
    return 0 if p > 0.01 else 1


_free_pattern = element._pattern  # noqa: SLF001


def structured(*how: object) -> Pattern:
    """Lines of a phase as one group: structure factors × the beam that the made-up spectra have."""
    one = _free_pattern(*how)  # type: ignore[arg-type]
    energy = float(how[1]) / one.d  # type: ignore[arg-type]
    group = np.zeros(len(one.d), int)
    return replace(one, group=group, intensity=one.intensity * np.exp(-0.5 * ((energy - 60.0) / 30.0) ** 2))


def compared(weak: float, texture: float, number: int, seed: int) -> np.ndarray:
    """(free or structure; off, std of a(In)) of one spectrum of little In beside InLi."""
    random = np.random.default_rng([seed, number, int(weak), int(100 * texture)])
    a, c, inli = random.normal(0.0, 1e-3, 3)

    def grains(name: str) -> dict[tuple[int, int, int], float]:
        return {one.hkl: float(np.exp(random.normal(0.0, texture))) for one in structure_lines(load(name), 0.7)}

    phases = [Phase("In", weak, (a, a, c), grains("In")), Phase("InLi", 4000.0, (inli,) * 3, grains("InLi"))]
    one = spectrum(random.poisson(expected(phases)[0]), live=100.0)
    found = []
    kinds: tuple[Callable[..., Pattern], ...] = (_free_pattern, structured)
    for kind in kinds:
        element._pattern = kind  # type: ignore[assignment]  # noqa: SLF001
        _, (lattice,), _ = analyse([one], [load(name) for name in NAMES], None, FitParameters(free_lines=False))
        true = true_cell(phases[0])[0]
        found.append([float(lattice["cell"][0, 0]) / true - 1.0, float(lattice["cell_std"][0, 0]) / true])
    return np.array(found)


def structure(draws: int, seed: int) -> int:
    """Print how well a(In) is known with free intensities and with those of the structure."""
    for weak in (150.0, 600.0, 2000.0):
        for texture in (0.0, 0.1, 0.3):
            with ProcessPoolExecutor(2) as pool:
                work = partial(compared, weak, texture, seed=seed)
                found = np.array(list(pool.map(work, range(draws), chunksize=5)))
            for name, (off, std) in zip(("free", "structure"), found.transpose(1, 2, 0), strict=True):
                seen = np.isfinite(off)
                inside = int((np.abs(off) < NORMAL_95 * std)[seen].sum())
                print(f"In of {weak:.0f} counts, texture {texture:.1f}, {name:9s}: seen {seen.sum()} of {draws}, "
                      f"interval {2 * NORMAL_95 * np.median(std[seen]):.1e} wide, scatter {off[seen].std():.1e}, "
                      f"covers {inside} of {seen.sum()}", flush=True)  # fmt: skip
    return 0


def paper(count: int) -> int:
    """Print bias, scatter and coverage of the free edges in the preset's spectra, fitted alone and together."""
    found, materials, spectra = staged("paper", count)
    names = [one.name for one in materials]
    shared = calibrate(spectra[0], materials, None)
    results = [fit(correct(one, shared), shared, materials, FitParameters(free_lines=False)) for one in spectra]
    refined, _ = refine([one[3] for one in results])
    for note in refined.attrs["warnings"]:
        print(note)
    for column, label in enumerate(refined["edge"].values.astype(str)):
        name, _, edge = label.rpartition(" ")
        phase, axis = names.index(name), "abc".index(edge)
        true = np.array([one.phases[phase].cell[axis] for one in found.seen])
        alone = np.array([[one[1][key].values[phase, axis] for key in ("cell", "cell_std")] for one in results]).T
        for how, (cell, std) in (("alone", alone), ("together", refined_edge(refined, column))):
            known = np.isfinite(cell)
            off, sigma = (cell / true - 1.0)[known], (std / true)[known]
            inside = int((np.abs(off) < NORMAL_95 * sigma).sum())
            print(f"{label:14s} {how:9s} bias {off.mean():+.1e}  scatter {off.std():.1e}  "
                  f"stated {np.median(sigma):.1e}  "
                  f"95 % interval holds the truth in {inside} of {len(off)}")  # fmt: skip
    return 0


def refined_edge(refined: xr.Dataset, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Cell edge and its standard deviation of all spectra."""
    return refined["cell"].values[:, column], refined["cell_std"].values[:, column]


def main() -> int:
    """Run and return the exit status."""
    if sys.argv[1:2] == ["paper"]:
        return paper(int(sys.argv[2]) if len(sys.argv) > 2 else 136)
    if sys.argv[1:2] == ["texture"]:
        return textured(int((sys.argv[2:] or ["150"])[0]))
    if sys.argv[1:2] in (["absent"], ["structure"]):
        count, seed = (int(text) for text in [*sys.argv[2:4], *["1000", str(SEED)][len(sys.argv[2:4]) :]])
        return absent(count, seed) if sys.argv[1] == "absent" else structure(count, seed)
    if sys.argv[1:2] == ["shares"]:
        return volume_shares(sys.argv[2] if len(sys.argv) > 2 else "demo", int((sys.argv[3:] or ["12"])[0]))
    realisations = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    realise(0)
    with ProcessPoolExecutor(processes) as pool:
        seed = int(sys.argv[3]) if len(sys.argv) > 3 else SEED
        found = list(pool.map(partial(realise, seed=seed), range(realisations), chunksize=10))
    return 0 if report(found) else 1


if __name__ == "__main__":
    sys.exit(main())
