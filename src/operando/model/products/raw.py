"""What the readers of ``formats`` give: the instruments' own records, lazily, with UTC times."""

from typing import Annotated

import xarray as xr

from operando.model.contract import Contract, Variable

PROJECTION, FLAT, DARK = 0, 1, 2
"""Values of ``image_key`` (NXtomo's convention)."""

SCAN = Contract(
    "scan",
    "one tomography scan: every frame as the detector gave it",
    {
        "counts": Variable(("frame", "row", "column"), "count", "detector counts, lazy"),
        "image_key": Variable(("frame",), "1", "0 projection, 1 flat field, 2 dark field"),
        "rotation_angle": Variable(("frame",), "rad", "NaN where the frame has none"),
        "frame_time": Variable(("frame",), "time", "middle of the frame's exposure", optional=True),
        "ring_current": Variable(("frame",), "mA", "beam current, for normalisation", optional=True),
        "pixel_size": Variable((), "um", "detector pixel at the sample; absent if unknown", optional=True),
        "start": Variable((), "time", "start of the sample frames; NaT if unknown"),
        "end": Variable((), "time", "end of the sample frames; NaT if unknown"),
    },
    frame="scan",
    slab="row",
)

SPECTRA = Contract(
    "spectra",
    "the energy-dispersive spectra of one file",
    {
        "counts": Variable(("spectrum", "element", "channel"), "count", "counts per channel"),
        "energy_coefficients": Variable(
            ("element", "order"), "keV", "E = sum of coefficient × channel^order; NaN if the file has none"
        ),
        "two_theta": Variable(("element",), "deg", "diffraction angle; NaN if the file has none"),
        "azimuth": Variable(("element",), "deg", "of the element about the beam", optional=True),
        "live_time": Variable(("spectrum", "element"), "s", "time the electronics could count"),
        "real_time": Variable(("spectrum", "element"), "s", "time on the clock"),
        "ring_current": Variable(("spectrum",), "mA", "mean beam current", optional=True),
        "start": Variable(("spectrum",), "time", "start of counting; NaT if unknown"),
        "end": Variable(("spectrum",), "time", "end of counting; NaT if unknown"),
    },
)

SPECTRUM = Contract(
    "spectrum",
    "one energy-dispersive spectrum of all detector elements",
    {
        name: Variable(tuple(d for d in v.dims if d != "spectrum"), v.unit, v.meaning, v.uncertainty, v.optional)
        for name, v in SPECTRA.variables.items()
    },
    frame="spectrum",
)

PATTERN = Contract(
    "pattern",
    "an angle- or energy-resolved pattern already reduced by somebody else (two-column text, XAS, powder)",
    {
        "intensity": Variable(("point",), "1", "as the file gives it", "std"),
        "abscissa": Variable(("point",), "1", "as the file gives it; its unit in attrs['abscissa_unit']"),
        "start": Variable((), "time", "NaT if unknown"),
        "end": Variable((), "time", "NaT if unknown"),
    },
    frame="spectrum",
)

RECORD = Contract(
    "record",
    "one cycler file: the record of one cell",
    {
        "time": Variable(("sample",), "time", "of the sample, on the instrument's clock or the beamline's"),
        "elapsed": Variable(
            ("sample",), "s", "the instrument's own time, known also where the absolute one is not", optional=True
        ),
        "voltage": Variable(("sample",), "V", "of the cell"),
        "current": Variable(("sample",), "mA", "positive while charging"),
        "charge": Variable(("sample",), "mAh", "the instrument's own net charge, as a check", optional=True),
        "temperature": Variable(("sample",), "degC", "of the cell", optional=True),
        "segment": Variable(("sample",), "1", "which file or technique the sample comes from", optional=True),
    },
    frame="record",
)

IMPEDANCE = Contract(
    "impedance",
    "impedance spectra of the cell",
    {
        "frequency": Variable(("spectrum", "point"), "Hz", "NaN pads short spectra"),
        "impedance_real": Variable(("spectrum", "point"), "ohm", "Re Z"),
        "impedance_imaginary": Variable(("spectrum", "point"), "ohm", "Im Z, negative for a capacitor"),
        "time": Variable(("spectrum",), "time", "start of the spectrum"),
    },
    frame="record",
)

RAW_VOLUME = Contract(
    "raw_volume",
    "a volume that somebody else reconstructed, as its file gives it",
    {
        "grey": Variable(("z", "y", "x"), "1", "grey values or labels, lazy"),
        "voxel_size": Variable((), "um", "edge of a voxel; absent if unknown", optional=True),
        "start": Variable((), "time", "of the scan; NaT if unknown"),
        "end": Variable((), "time", "of the scan; NaT if unknown"),
    },
    frame="scan",
    slab="z",
)

Scan = Annotated[xr.Dataset, SCAN]
RawVolume = Annotated[xr.Dataset, RAW_VOLUME]
Spectra = Annotated[xr.Dataset, SPECTRA]
Spectrum = Annotated[xr.Dataset, SPECTRUM]
Pattern = Annotated[xr.Dataset, PATTERN]
Record = Annotated[xr.Dataset, RECORD]
Impedance = Annotated[xr.Dataset, IMPEDANCE]
