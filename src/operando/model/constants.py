"""Physical constants and conventions shared by the rooms.

CODATA 2018 (https://doi.org/10.1103/RevModPhys.93.025010); the first two are exact since 2019.
"""

HC_KEV_ANGSTROM = 12.398419843320026
"""Planck constant times speed of light, keV Å."""

FARADAY_C_PER_MOL = 96485.33212331001
"""Charge of a mole of electrons, C/mol."""

FARADAY_MAH_PER_MOL = FARADAY_C_PER_MOL / 3.6
"""The same in mAh/mol."""

AVOGADRO_PER_MOL = 6.02214076e23

CUBIC_ANGSTROM_TO_CM3 = 1e-24

CM3_TO_UM3 = 1e12

NORMAL_95 = 1.959963984540054
"""Half-width of the central 95 % interval of a normal distribution, in standard deviations."""

GERMANIUM_ESCAPE_KEV = (9.886, 10.982)
"""Energies of Ge Kα and Kβ: an escape line stands this far below its parent."""

UNKNOWN_LABEL = 255
"""Label of a voxel whose phase can't be known (untrusted)."""

OUTSIDE_LABEL = 0
"""Label of container and surroundings: no phase. Phases are 1, 2, … in the order of the configuration."""
