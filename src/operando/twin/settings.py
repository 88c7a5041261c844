"""The settings of a simulated experiment: what a preset or a user's TOML may say, with units in the key names."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

StepKind = Literal["rest", "charge", "discharge"]


class Section(BaseModel):
    """A table of the settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Protrusion(Section):
    """A bump of the anode's surface: ``height × (1 - (r/radius)²)²``, of volume ``π radius² height / 3``."""

    at_um: tuple[float, float] = Field(description="x, y from the rotation axis")
    radius_um: float = Field(gt=0)
    height_um: float = Field(ge=0)
    growth_share: float = Field(0.0, ge=0, lt=1, description="share of the anode's volume change that goes into it")
    grows_above_mah: float = Field(0.0, ge=0, description="it grows with what is stored beyond this")


class Particle(Section):
    """A dense grain of the electrolyte that is pushed along when the anode grows."""

    at_um: tuple[float, float, float] = Field(description="z from the first row, x and y from the axis")
    radius_um: tuple[float, float, float] = Field(description="semi-axes along z, x, y")
    relative_density: float = Field(1.0, ge=0, description="of the pure material; 0 is a pore")


class Anode(Section):
    """A host that takes up lithium by a named reaction."""

    material: str = "InLi"
    host: str = Field("In", description="phase without the lithium that cycles")
    alloy: str = Field("InLi", description="phase with it")
    reaction: str = "In + Li -> InLi"
    thickness_um: float = Field(gt=0, description="of the whole anode before the experiment")
    alloyed_share: float = Field(0.3, ge=0, le=1, description="share of the host that is alloyed before")
    active_share: float = Field(1.0, gt=0, le=1, description="share of the host, next to the interface, that reacts")
    surface_um: float = Field(description="mean height z of the surface in the first scan")
    roughness_um: float = Field(1.5, ge=0, description="root mean square of the surface")
    correlation_um: float = Field(40.0, gt=0, description="shortest wavelength of roughness and cavities")
    protrusion: tuple[Protrusion, ...] = ()
    hidden_share: float = Field(0.0, ge=0, le=1, description="share of the shrinkage that opens voids out of sight")
    cavity_contrast_um: float = Field(6.0, gt=0, description="how unevenly cavities open")


class Electrolyte(Section):
    """The separator."""

    material: str = "Li10SnP2S12"
    mass_mg: float | None = Field(None, gt=0)
    relative_density: float = Field(0.78, gt=0, le=1, description="of the pressed powder to the crystal")
    thickness_um: float = Field(400.0, gt=0)
    conductivity_S_per_cm: float = Field(4e-3, gt=0)
    grains: int = Field(0, ge=0, description="number of random grains and pores")
    grain_um: float = Field(12.0, gt=0, description="mean semi-axis of a random grain")
    pore_share: float = Field(0.5, ge=0, le=1, description="share of the random grains that are pores")
    particle: tuple[Particle, ...] = ()
    push_decay_um: float = Field(400.0, gt=0, description="depth over which the anode's push fades")


class Cathode(Section):
    """Lithium source; outside the field of view."""

    material: str = "Li2S"
    active_mg: float = Field(gt=0, description="mass of the active material")
    active_fraction: float = Field(0.35, gt=0, le=1)
    theoretical_capacity_mAh_per_g: float = Field(1166.0, gt=0)
    thickness_um: float = Field(80.0, gt=0)


class Wall(Section):
    """A tube around the bore."""

    material: str
    thickness_um: float = Field(gt=0)


class Cell(Section):
    """The cell."""

    bore_um: float = Field(gt=0)
    temperature_c: float = 70.0
    walls: tuple[Wall, ...] = ()
    marks: int = Field(0, ge=0, description="dense specks in the first wall: what registration can hold on to")
    mark_um: float = Field(6.0, gt=0, description="mean radius of the specks")
    screw: str = Field("steel304", description="material of the current collectors")
    anode: Anode
    electrolyte: Electrolyte
    cathode: Cathode


class Beam(Section):
    """White beam of a wiggler and the filters in it."""

    critical_energy_kev: float = Field(13.45, gt=0, description="0.665 × energy²/GeV² × field/T; 7 T at 1.7 GeV")
    lowest_kev: float = Field(6.0, gt=0)
    highest_kev: float = Field(120.0, gt=0)
    filters_mm: dict[str, float] = Field(default_factory=lambda: {"Al": 2.0})
    energies: int = Field(32, ge=1, le=200, description="energies in the polychromatic sum")
    ring_current_ma: float = Field(250.0, gt=0)
    ring_lifetime_h: float = Field(8.0, gt=0)
    top_up_ma: float = Field(2.0, ge=0, description="the current is refilled after this loss; 0: never")


class Detector(Section):
    """Scintillator, optics and camera."""

    scintillator_um: float = Field(200.0, gt=0, description="LuAG:Ce")
    columns: int = Field(gt=0)
    rows: int = Field(gt=0)
    pixel_um: float = Field(2.5, gt=0)
    open_counts: float = Field(30000.0, gt=0, description="open beam, counts a frame")
    counts_per_quantum: float = Field(1.0, gt=0, description="Poisson statistics are those of counts / this")
    read_noise_counts: float = Field(4.0, ge=0)
    dark_counts: float = Field(100.0, ge=0)
    glare: float = Field(0.01, ge=0, lt=0.5, description="share of the open beam that long-tailed glare spreads")
    glare_radius_um: float = Field(300.0, gt=0)
    phase_contrast_um2: float = Field(
        0.0, ge=0, description="distance × δ / μ of the sample: bright and dark fringes at edges; 0 is none"
    )
    blur_um: float = Field(1.5, ge=0, description="standard deviation of the optics' blur")
    ring_pattern: float = Field(0.003, ge=0, description="gain error of a pixel that the flat fields miss")
    flat_drift: float = Field(0.005, ge=0, description="drift of the beam profile between the flats")
    hot_pixels: int = Field(0, ge=0)
    dead_pixels: int = Field(0, ge=0)
    zingers: float = Field(0.0, ge=0, description="mean number in a frame")
    slits_um: tuple[float, float] | None = Field(None, description="z between the beam's slits; dark outside")
    roll_mrad: float = Field(0.0, description="tilt of the rotation axis against the detector's columns")


class Motion(Section):
    """How the cell and the stage move."""

    centre_offset_px: float = Field(1.3, description="centre of rotation - middle of the detector, first scan")
    centre_drift_px: float = Field(0.0, description="over the experiment")
    centre_jitter_px: float = Field(0.0, ge=0, description="standard deviation from scan to scan")
    angle_jitter_mrad: float = Field(0.0, ge=0, description="standard deviation of a projection's angle")
    cell_shift_um: tuple[float, float, float] = Field((0.0, 0.0, 0.0), description="z, y, x, over the experiment")
    cell_rotation_mrad: float = Field(0.0, description="about the axis, over the experiment")
    cell_tilt_mrad: float = Field(0.0, description="over the experiment")
    within_scan_um: float = Field(0.0, ge=0, description="drift along x during one scan")


class Tomography(Section):
    """When and how scans are taken."""

    enabled: bool = True
    angles: int = Field(gt=1)
    scans: int = Field(gt=0)
    first_min: float = Field(5.0, ge=0, description="start of the first scan after the cycler's")
    every_min: float = Field(15.0, gt=0)
    duration_s: float = Field(90.0, gt=0)
    flats: int = Field(10, ge=0, description="before, and as many after")
    darks: int = Field(5, ge=0)
    hardening_material: str | None = Field(None, description="steps.linearise.hardening_material of operando.toml")
    layout: Literal["nxtomo", "dataexchange", "tiff"] = "nxtomo"


class Spectrometer(Section):
    """Germanium detector at a fixed angle."""

    enabled: bool = True
    layout: Literal["med", "spec", "nexus"] = "med"
    elements: int = Field(1, ge=1, le=64)
    channels: int = Field(4096, ge=256)
    offset_kev: float = 0.05
    slope_kev: float = Field(0.03, gt=0)
    quadratic_kev: float = 0.0
    two_theta_deg: float = Field(8.0, gt=0, lt=90)
    noise_kev: float = Field(0.25, ge=0, description="electronic part of the FWHM")
    fano: float = Field(0.12, ge=0)
    counts_per_s: float = Field(4000.0, gt=0, description="of the pristine cell, all channels")
    dead_time_us: float = Field(5.0, ge=0, description="a pulse's")
    shift_ev_per_dead: float = Field(0.0, description="shift of the energy scale at 100 % dead time, eV")
    divergence_mrad: float = Field(0.15, ge=0, description="spread of 2θ, standard deviation")
    gauge_centre_um: tuple[float, float, float] = Field(description="z, y, x in the first scan")
    slits_um: tuple[float, float] = Field((100.0, 500.0), description="opening along z; across")
    microstrain: float = Field(5e-4, ge=0)
    texture: float = Field(0.0, ge=0, description="log-normal spread of line intensities; 0 is a powder")
    scatter_share: float = Field(0.35, ge=0, description="Compton and diffuse background, share of all counts")
    fluorescence: dict[str, float] = Field(
        default_factory=lambda: {"In": 1.0, "Pb": 0.3}, description="strength of each element's lines"
    )
    duration_s: float = Field(90.0, gt=0)


class Step(Section):
    """One step of the cycler's protocol; its length by time, or by the share of the theoretical capacity."""

    kind: StepKind
    c_rate: float | None = Field(None, gt=0)
    current_ma: float | None = Field(None, gt=0)
    hours: float | None = Field(None, gt=0)
    share: float | None = Field(None, gt=0, description="of the theoretical capacity")
    side_share: float | None = Field(None, ge=0, lt=1, description="instead of the cycler's, for this charge")
    of_charge: float | None = Field(None, gt=0, description="discharge: share of the charge just before")


class Cycler(Section):
    """The cycler, its clock and the cell's electrical model."""

    enabled: bool = True
    layout: Literal["bdf", "mpt"] = "bdf"
    sample_s: float = Field(30.0, gt=0)
    clock_offset_s: float = Field(0.0, description="to be added to the cycler's clock to get the beamline's")
    clock_drift_ppm: float = 0.0
    resistance_ohm: float = Field(400.0, gt=0, description="ohmic, at full contact")
    transfer_ohm: float = Field(300.0, gt=0, description="charge transfer, at full contact")
    relaxation_s: float = Field(60.0, gt=0)
    side_share: float = Field(0.0, ge=0, lt=1, description="share of the charge that goes into side reactions")
    voltage_noise_mv: float = Field(0.2, ge=0)
    impedance: bool = False
    step: tuple[Step, ...]


class Experiment(Section):
    """Everything about one simulated experiment."""

    title: str = "simulated experiment"
    scenario: str = Field("paper", description="what happens: see twin.scenarios")
    scenario_size: float | None = Field(None, description="extent of the scenario's cause, in its own unit")
    seed: int = 1
    start_time: str = "2018-05-04T08:00:00+02:00"
    time_zone: str = "Europe/Berlin"
    cell: Cell
    beam: Beam = Beam()
    detector: Detector
    motion: Motion = Motion()
    tomography: Tomography
    spectrometer: Spectrometer
    cycler: Cycler
