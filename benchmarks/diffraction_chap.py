"""The energy-dispersive fit of CHESS's pipeline on given spectra: run by an interpreter that has it.

    PYTHON benchmarks/diffraction_chap.py SPECTRA.npz

needs ``pip install ChessAnalysisPipeline lmfit``; its own steps need more (hexrd), but they only wrap this call, as
``CHAP.edd.utils.get_spectra_fits`` does: one multi-peak model a phase with one common scale of its peak positions,
free amplitudes and widths, a linear background, least squares.
"""

import json
import sys
import time

import numpy as np
from CHAP.pipeline import PipelineData
from CHAP.utils.fit import FitProcessor


def main() -> None:
    """Print seconds, success and reduced chi-squared as JSON."""
    given = np.load(sys.argv[1])
    names = sorted(name for name in given.files if name.startswith("centres_"))
    models = [{"model_type": "linear", "prefix": "bkgd_"}]
    for name in names:
        models.append({
            "model_type": "multipeak", "centers": given[name].tolist(), "fit_type": "uniform",
            "peak_models": "gaussian",
            "centers_range": 0.5, "fwhm_min": 0.2, "fwhm_max": 1.0, "prefix": name.removeprefix("centres_") + "_",
        })  # fmt: skip
    begin = time.perf_counter()
    fitted = FitProcessor.run(
        data=[
            PipelineData(name="signal", data=given["counts"]),
            PipelineData(name="coordinates", data=given["energy"]),
            PipelineData(name="mask", data=given["mask"]),
        ],
        config={"models": models, "num_proc": 1, "max_nfev": 64000, "method": "leastsq"},
    )
    lasted = time.perf_counter() - begin
    print(json.dumps({
        "seconds": lasted, "success": int(np.sum(fitted.success)), "redchi": float(np.median(fitted.redchi)),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
