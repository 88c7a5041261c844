"""Bias and coverage of the anode's net change over many volume-level realisations.

Run as ``python benchmarks/validate_morphology.py [COUNT [FIRST_SEED]]``; 200 take a few minutes. It prints the bias
(which must stay below 2 % and 0.02 voxel × area), the coverage of the 95 % intervals with the probability of so many
misses if they were right, the half-width against the actual error, and the null test.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "morphology"))

from realisations import Outcome, realise


def report(title: str, outcomes: list[Outcome]) -> None:
    """Print what the outcomes say."""
    from scipy.stats import binomtest

    truth, net, low, high, area = (
        np.array([getattr(o, n) for o in outcomes]) for n in ("truth", "net", "low", "high", "area")
    )
    error, half = net - truth, (high - low) / 2
    covered = sum(o.covered for o in outcomes)
    chance = binomtest(covered, len(outcomes), 0.95).pvalue
    rms = float(np.sqrt(np.mean(error**2)))
    print(f"{title}: {len(outcomes)} realisations")
    print(f"  bias {np.mean(error):+.1f} voxels = {np.mean(error / area):+.4f} voxel x area")
    if np.any(truth):
        print(f"  bias {100 * np.mean(error) / np.mean(truth):+.2f} % of the effect")
    print(f"  covered {covered} ({100 * covered / len(outcomes):.1f} %), probability {chance:.3f}")
    expected = 1.96 * rms
    middle = float(np.median(half))
    print(f"  median half-width {middle:.1f}; 1.96 x RMS error {expected:.1f}; ratio {middle / expected:.2f}")


def main() -> None:
    """Run both series."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    report("growing", [realise(first + seed) for seed in range(count)])
    report("at rest", [realise(first + seed, growth=0.0) for seed in range(count // 4)])


if __name__ == "__main__":
    main()
