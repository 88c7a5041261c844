"""Products of the morphology wing. Lengths in µm, in the first scan's frame, axes (z, y, x)."""

from typing import Annotated

import xarray as xr

from operando.model.contract import Contract, Variable

_VOXEL = ("z", "y", "x")

MOTION = Contract(
    "motion",
    "rigid motion: a point p of the first scan is found at R(p - c) + c + t in this one, c the volume's middle",
    {
        "translation": Variable(("axis",), "um", "t, along z, y, x", "std"),
        "rotation": Variable(("axis",), "rad", "rotation vector about z, y, x; R = exp of it", "std"),
        "correlation": Variable((), "1", "normalised cross-correlation on the parts that don't react, after"),
        "correlation_before": Variable((), "1", "the same without the motion"),
        "grey_scale": Variable((), "1", "factor that brings this scan's mu to the first scan's", "std"),
    },
    frame="scan",
)

MOTIONS = Contract(
    "motions",
    "the motion of every scan after a look at the whole series; coordinate scan is the frame's index",
    {
        "translation": Variable(("scan", "axis"), "um", "t, along z, y, x", "std"),
        "rotation": Variable(("scan", "axis"), "rad", "rotation vector about z, y, x", "std"),
        "grey_scale": Variable(("scan",), "1", "factor that brings the scan's mu to the first scan's", "std"),
        "outlier": Variable(("scan",), "1", "true where the scan's own motion does not fit the series"),
    },
)

BORE = Contract(
    "bore",
    "the inside of the tube in the first scan's frame, and what else the series shares: field of view, grey range",
    {
        "centre": Variable(("axis",), "um", "a point of the tube's axis: z, y, x"),
        "slope": Variable(("across",), "1", "how the axis moves along y and x for each µm along z"),
        "radius": Variable((), "um", "of the tube's inside; infinite where no tube is seen", "std"),
        "field_radius": Variable((), "um", "of the reconstructed circle; infinite where the whole grid is filled"),
        "origin": Variable(("axis",), "um", "centre of the first scan's first voxel"),
        "extent": Variable(("axis",), "1", "number of voxels along z, y, x"),
        "grey": Variable(("edge",), "1/cm", "lowest and highest grey value that histograms have to hold"),
    },
)

HISTOGRAM = Contract(
    "histogram",
    "grey values inside the bore of one scan, scaled to the first scan; coordinates grey (1/cm), region",
    {
        "core": Variable(("region", "grey"), "1", "trusted voxels away from edges, by sector of the bore"),
        "edge": Variable(("grey",), "1", "trusted voxels on edges"),
        "edge_gradient": Variable(("grey",), "1/cm", "mean change from voxel to voxel on edges"),
        "noise": Variable((), "1/cm", "standard deviation of the voxels where nothing changes"),
        "noise_correlation": Variable((), "1", "variance of a sum over many voxels, over that of independent ones"),
    },
    frame="scan",
)

_CLASS_VARIABLES = {
    "mean": Variable(("phase",), "1/cm", "attenuation of each class", "std"),
    "mean_drift": Variable(("phase",), "1/cm", "how far a mean varies at one place from scan to scan"),
    "sector_drift": Variable(("phase",), "1/cm", "the same beside what it varies everywhere", optional=True),
    "width": Variable(("phase",), "1/cm", "standard deviation of the voxels of a class"),
    "threshold": Variable(("boundary",), "1/cm", "between neighbouring classes", "std"),
    "blur": Variable((), "um", "standard deviation of the point spread at edges; zero in a label image"),
    "streaks": Variable((), "1", "share of the edge voxels that are darker than any phase can be"),
    "noise": Variable((), "1/cm", "standard deviation of a voxel"),
    "noise_correlation": Variable((), "1", "variance of a sum over many voxels, over that of independent ones"),
}

CLASSES = Contract("classes", "the grey classes shared by the whole series", _CLASS_VARIABLES)

LEVELS = Contract(
    "levels",
    "the grey classes as one scan shows them: a phase whose composition changes changes its attenuation",
    _CLASS_VARIABLES | {"own": Variable(("phase",), "1", "whether this scan shows enough of the class to say so")},
    frame="scan",
)

LABELS = Contract(
    "labels",
    "phase of every voxel in the first scan's frame: 0 container or outside, 1… the phases, 255 unknown",
    {
        "label": Variable(_VOXEL, "1", "uint8: the phase that fills most of the voxel"),
        "other": Variable(_VOXEL, "1", "uint8: the phase that shares an edge voxel; the label itself elsewhere"),
        "share": Variable(_VOXEL, "1", "uint8: 85 (1 + share of the label in the voxel); 170 away from edges"),
    },
    frame="scan",
    slab="z",
)

PHASE_VOLUMES = Contract(
    "phase_volumes",
    "volume of each phase inside the bore and the scan's own field of view",
    {
        "volume": Variable(("phase",), "um3", "trusted; partial volumes counted as parts", "bounds"),
        "in_first_field": Variable(
            ("phase",), "um3", "the same in the first scan's field, to compare scans of a cell that moves", "bounds"
        ),
        "untrusted_volume": Variable((), "um3", "inside the bore, counted as no phase", "bounds"),
        "untrusted_rows": Variable(("range", "edge"), "1", "first and last row of ranges that can't be trusted"),
        "centroid": Variable(("phase", "axis"), "um", "centre of gravity of each phase; NaN where there is none"),
        "placement_std": Variable(
            ("motion",), "1", "of what placed the scan: translation z, y, x (um), rotation (rad), grey scale (1)"
        ),
        "untrusted_share": Variable((), "1", "of the volume inside the bore"),
    },
    frame="scan",
)

SURFACE = Contract(
    "surface",
    "the anode's surface towards the electrolyte as a height map, and what the labels show before it",
    {
        "height": Variable(("y_map", "x_map"), "um", "of the anode's surface along z; NaN where unknown"),
        "void": Variable(("y_map", "x_map"), "um", "thickness of the void that the labels show before it"),
        "facing": Variable((), "1", "1 if the surface faces growing z, -1 if it faces falling z, 0 if unknown"),
    },
    frame="scan",
)

REACH = Contract(
    "reach",
    "how far the anode's surface has come up to this scan",
    {"height": Variable(("y_map", "x_map"), "um", "farthest towards the electrolyte; NaN where it was never seen")},
    frame="scan",
)

INTERFACE = Contract(
    "interface",
    "the anode's surface towards the electrolyte as a height map, and the gap before it",
    {
        "height": Variable(("y_map", "x_map"), "um", "of the anode's surface along z; NaN where unknown"),
        "gap": Variable(("y_map", "x_map"), "um", "thickness of the void between anode and electrolyte; 0 in contact"),
        "cavity": Variable(
            ("y_map", "x_map"), "1", "number of the cavity before the surface; 0 in contact", optional=True
        ),
        "contact_area": Variable((), "um2", "triangulated anode | electrolyte surface without void between", "bounds"),
        "contact_loss": Variable((), "1", "share of the surface with void before it", "bounds"),
        "contact_loss_seen": Variable(
            (), "1", "the same; its bounds leave out gaps too thin to be seen, which may hide everywhere", "bounds"
        ),
        "cavity_volume": Variable((), "um3", "void between the anode's surface and the electrolyte", "bounds"),
        "cavity_counted": Variable((), "um3", "what the labels show of it", optional=True),
        "cavity_grey": Variable((), "1/cm", "mean attenuation of the void in it", optional=True),
        "thin_gap_std": Variable(
            (), "um", "of gaps that the surface's retreat tells, common to all; NaN where it tells none", optional=True
        ),
        "void_doubted": Variable((), "um3", "void on the anode, in the labels, that may be streaks", optional=True),
        "unknown_share": Variable((), "1", "of the bore's columns, where the surface is not known", optional=True),
        "roughness": Variable((), "um", "root mean square of the height about its plane", "bounds"),
        "facing": Variable((), "1", "1 if the surface faces growing z, -1 if it faces falling z, 0 if unknown"),
    },
    frame="scan",
)

CAVITIES = Contract(
    "cavities",
    "every cavity before the anode, followed over the series; coordinates cavity (from 1), scan (the frame's index)",
    {
        "volume": Variable(("cavity", "scan"), "um3", "zero where it is not open"),
        "area": Variable(("cavity", "scan"), "um2", "of its map"),
        "thickness": Variable(("cavity", "scan"), "um", "largest"),
        "position": Variable(("cavity", "across"), "um", "centre of gravity, y and x, where it is largest"),
        "born": Variable(("cavity",), "1", "scan in which it is first seen"),
        "split_from": Variable(("cavity",), "1", "cavity that it was a part of before; 0: none"),
        "merged_into": Variable(("cavity",), "1", "cavity that took it up; 0: none"),
    },
)

TRACKS = Contract(
    "tracks",
    "the lengths that the user asked to follow",
    {
        "length": Variable(("track",), "um", "height of the protrusion, or distance of the particle", "bounds"),
        "position": Variable(("track", "axis"), "um", "of the feature in the first scan's frame"),
    },
    frame="scan",
)

DIFFERENCE = Contract(
    "difference",
    "what the anode gained and lost between two scans, in the field that both can trust",
    {
        "net": Variable((), "um3", "gain - loss", "bounds"),
        "gain": Variable((), "um3", "gross", "bounds"),
        "loss": Variable((), "um3", "gross", "bounds"),
        "cavity_change": Variable((), "um3", "of the void between anode and electrolyte", "bounds"),
        "untrusted_volume": Variable((), "um3", "of the common field that could not be compared"),
        "mean_advance": Variable((), "um", "net over the bore's area"),
        "surface_change": Variable(
            (), "um3", "cross-check of the net: mean advance of the height map × surface_area", "bounds", optional=True
        ),
        "surface_area": Variable((), "um2", "of the columns whose surface both scans show", optional=True),
        "advance": Variable(("y_map", "x_map"), "um", "where it happened: net over the column's area; NaN outside"),
        "share_of_error": Variable(
            ("cause",), "1", "of the net's variance: threshold, registration, noise, grey scale, gap"
        ),
    },
    frame="pair",
)

ADVANCE = Contract(
    "advance",
    "how far and how fast the anode's surface moves towards the electrolyte; coordinate scan is the frame's index",
    {
        "advance": Variable(("scan",), "um", "mean over the columns, since the first scan with a surface", "bounds"),
        "since_last": Variable(("scan",), "um", "the same since the scan before; NaN in the first", "bounds"),
        "hours": Variable(("scan",), "h", "between the middles of this scan and the one before; NaN where unknown"),
        "velocity": Variable(("scan",), "um/h", "since_last over hours", "bounds"),
        "area": Variable(("scan",), "um2", "of the columns that this scan and the one before both show"),
    },
)

DISPLACEMENT = Contract(
    "displacement",
    "displacement field of the electrolyte between two scans",
    {
        "displacement": Variable(("node", "axis"), "um", "along z, y, x", "std"),
        "position": Variable(("node", "axis"), "um", "of the node, z, y, x"),
        "strain": Variable(("node", "component"), "1", "zz, yy, xx, zy, zx, yx"),
        "strain_noise": Variable(("component",), "1", "noise floor: standard deviation of a node's strain"),
        "strain_seen": Variable(
            ("node", "component"), "1", "true where strain stands out from its noise by 95 %", optional=True
        ),
    },
    frame="pair",
)

STRAIN = Contract(
    "strain",
    "the electrolyte's strain of every pair beside the noise floor that the pair at rest shows; coordinate pair",
    {
        "floor": Variable(("component",), "1", "95 % of the nodes of the pair at rest stay below; NaN without one"),
        "fitted_floor": Variable(("component",), "1", "1.96 × what the scatter about planes gives, median over pairs"),
        "strain": Variable(("pair", "component"), "1", "median over the nodes", "bounds"),
        "seen_share": Variable(("pair", "component"), "1", "of the nodes, those above the floor"),
        "nodes": Variable(("pair",), "1", "places with a strain"),
    },
)

Motion = Annotated[xr.Dataset, MOTION]
Motions = Annotated[xr.Dataset, MOTIONS]
Bore = Annotated[xr.Dataset, BORE]
Histogram = Annotated[xr.Dataset, HISTOGRAM]
Classes = Annotated[xr.Dataset, CLASSES]
Levels = Annotated[xr.Dataset, LEVELS]
Labels = Annotated[xr.Dataset, LABELS]
PhaseVolumes = Annotated[xr.Dataset, PHASE_VOLUMES]
Surface = Annotated[xr.Dataset, SURFACE]
Reach = Annotated[xr.Dataset, REACH]
Interface = Annotated[xr.Dataset, INTERFACE]
Cavities = Annotated[xr.Dataset, CAVITIES]
Tracks = Annotated[xr.Dataset, TRACKS]
Difference = Annotated[xr.Dataset, DIFFERENCE]
Advance = Annotated[xr.Dataset, ADVANCE]
Displacement = Annotated[xr.Dataset, DISPLACEMENT]
Strain = Annotated[xr.Dataset, STRAIN]
