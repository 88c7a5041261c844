"""Products of the tomography wing."""

from typing import Annotated

import xarray as xr

from operando.model.contract import Contract, Variable
from operando.model.products.raw import SCAN

_FRAME = ("angle", "row", "column")
_PIXEL_SIZE = Variable((), "um", "detector pixel at the sample; absent if the file has none", optional=True)

UNCUT = Contract(
    "uncut",
    "a scan's frames, all of whose rows can still be read where the others are handed out in slabs",
    {
        **{name: SCAN.variables[name] for name in SCAN.variables},
        "every_row": Variable(("frame", "line", "column"), "count", "the counts again, by lines of the whole detector"),
    },
    frame="scan",
    slab="row",
)

FLATS = Contract(
    "flats",
    "how the open beam of each projection is put together from the flats; no components where they are interpolated",
    {
        "mixture": Variable(("component", "flat"), "1", "share of each flat frame in a component"),
        "weights": Variable(("projection", "component"), "1", "share of each component in a projection's open beam"),
    },
    frame="scan",
)

GLARE = Contract(
    "glare",
    "scattered light that fills opaque shadows: measured = (1 - s) × true + s × veil, s = level × surround",
    {
        "level": Variable((), "1", "what is subtracted: share of the open beam, 0 if it could not be measured", "std"),
        "bound": Variable((), "1", "highest level allowed, or what is unsure of it; enters the limit of trust"),
        "measured": Variable((), "1", "false where nothing in the field is opaque and nobody gave a level"),
        "veil": Variable(
            ("veil_angle", "veil_row", "veil_column"),
            "1",
            "light spread over the reach of the glare, over the open beam's; coordinates: projection, pixels",
        ),
        "surround": Variable(
            ("detector_row",),
            "1",
            "open beam spread over the reach of the glare, over the row's own: 1 in an even beam, large behind slits",
        ),
    },
    frame="scan",
)

TRANSMISSION = Contract(
    "transmission",
    "projections over flat fields, dark fields subtracted",
    {
        "transmission": Variable(_FRAME, "1", "never clipped: may be negative or above one"),
        "starved": Variable(_FRAME, "1", "true where transmission < 3 × (noise + glare level)"),
        "noise": Variable(("row", "column"), "1", "standard deviation of the transmission in the darkest rays"),
        "shot": Variable(("row",), "1", "variance that a transmission of one adds by counting quanta", optional=True),
        "rotation_angle": Variable(("angle",), "rad", "of each projection"),
        "pixel_size": _PIXEL_SIZE,
    },
    frame="scan",
    slab="row",
)

ATTENUATION = Contract(
    "attenuation",
    "line integrals of attenuation, -ln(transmission), hardening and glare corrected as configured",
    {
        "attenuation": Variable(_FRAME, "1", "line integral; starved rays carry a bounded, flagged value"),
        "starved": Variable(_FRAME, "1", "rays that can't be trusted"),
        "rotation_angle": Variable(("angle",), "rad", "of each projection"),
        "pixel_size": _PIXEL_SIZE,
    },
    frame="scan",
    slab="row",
)

SINOGRAMS = Contract(
    "sinograms",
    "what is back-projected: attenuation after ring removal, row by row",
    {
        "sinogram": Variable(("row", "angle", "column"), "1", "line integral of attenuation"),
        "starved": Variable(("row", "angle", "column"), "1", "rays that can't be trusted"),
        "rotation_angle": Variable(("angle",), "rad", "of each projection"),
        "pixel_size": _PIXEL_SIZE,
    },
    frame="scan",
    slab="row",
)

CENTRE = Contract(
    "centre",
    "the centre of rotation",
    {
        "centre": Variable((), "px", "from the middle of column 0", "std"),
        "overhang": Variable((), "px", "how far a round container reaches beyond either side of the field", None, True),
        "truncated": Variable((), "1", "true where the sample reaches beyond the field", None, True),
    },
    frame="scan",
)

CENTRES = Contract(
    "centres",
    "the centre of rotation of every scan after a look at the whole series; coordinate scan is the frame's index",
    {
        "centre": Variable(("scan",), "px", "as found, or from its neighbours where flagged", "std"),
        "outlier": Variable(("scan",), "1", "true where the scan's own centre does not fit the series"),
        "overhang": Variable(("scan",), "px", "how far a round container reaches beyond the field", None, True),
        "truncated": Variable(("scan",), "1", "true where the sample reaches beyond the field", None, True),
    },
)

VOLUME = Contract(
    "volume",
    "the linear attenuation coefficient; coordinates z, y, x in um from the centre of the first voxel",
    {"mu": Variable(("z", "y", "x"), "1/cm", "linear attenuation; attrs['scale']='1/pixel' never occurs here")},
    frame="scan",
    slab="z",
)

TRUST = Contract(
    "trust",
    "how far the reconstruction can be trusted, at quarter resolution (coordinates in um)",
    {
        "starved_share": Variable(
            ("z_coarse", "y_coarse", "x_coarse"), "1", "share of the voxel's rays that are starved"
        ),
        "noise": Variable(
            ("z_coarse", "y_coarse", "x_coarse"),
            "1/cm",
            "standard deviation of mu, from odd against even projections",
        ),
        "gained": Variable(
            ("z_coarse",), "1", "volume above Otsu's threshold that de-noising adds, relative", optional=True
        ),
        "lost": Variable(("z_coarse",), "1", "and what it takes away", optional=True),
    },
    frame="scan",
    slab="z_coarse",
    coarsening=4,
)

UNTRUSTED_SHARE = 0.3
"""A voxel is untrusted when more than this share of its rays are starved."""

Uncut = Annotated[xr.Dataset, UNCUT]
Flats = Annotated[xr.Dataset, FLATS]
Glare = Annotated[xr.Dataset, GLARE]
Transmission = Annotated[xr.Dataset, TRANSMISSION]
Attenuation = Annotated[xr.Dataset, ATTENUATION]
Sinograms = Annotated[xr.Dataset, SINOGRAMS]
Centre = Annotated[xr.Dataset, CENTRE]
Centres = Annotated[xr.Dataset, CENTRES]
Volume = Annotated[xr.Dataset, VOLUME]
Trust = Annotated[xr.Dataset, TRUST]
