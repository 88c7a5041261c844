"""The same experiment with larger pixels: nothing in the cell changes but the origin of z."""

from operando.twin.settings import Cell, Experiment, Spectrometer


def adapted(settings: Experiment, binning: int | None, seed: int | None) -> Experiment:
    """Settings with another seed, or with ``binning`` times larger pixels and fewer rows, columns and angles."""
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    if binning is None or binning == 1:
        return settings
    given = settings.detector
    # Lengths count from the middle of the first row, which lies deeper when rows are thicker.
    deeper = (binning - 1) / 2 * given.pixel_um
    detector = {
        "columns": given.columns // binning,
        "rows": given.rows // binning,
        "pixel_um": given.pixel_um * binning,
        "slits_um": None if given.slits_um is None else (given.slits_um[0] - deeper, given.slits_um[1] - deeper),
    }
    pixels = ("centre_offset_px", "centre_drift_px", "centre_jitter_px")
    motion = {name: getattr(settings.motion, name) / binning for name in pixels}
    angles = max(settings.tomography.angles // binning, 8)
    return settings.model_copy(
        update={
            "cell": _shifted_cell(settings.cell, deeper),
            "detector": given.model_copy(update=detector),
            "motion": settings.motion.model_copy(update=motion),
            "tomography": settings.tomography.model_copy(update={"angles": angles}),
            "spectrometer": _shifted_gauge(settings.spectrometer, deeper),
        }
    )


def _shifted_cell(cell: Cell, by: float) -> Cell:
    particles = tuple(
        particle.model_copy(update={"at_um": (particle.at_um[0] - by, *particle.at_um[1:])})
        for particle in cell.electrolyte.particle
    )
    return cell.model_copy(
        update={
            "anode": cell.anode.model_copy(update={"surface_um": cell.anode.surface_um - by}),
            "electrolyte": cell.electrolyte.model_copy(update={"particle": particles}),
        }
    )


def _shifted_gauge(spectrometer: Spectrometer, by: float) -> Spectrometer:
    z, y, x = spectrometer.gauge_centre_um
    return spectrometer.model_copy(update={"gauge_centre_um": (z - by, y, x)})
