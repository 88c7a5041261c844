"""``operando.toml`` as typed, frozen models: units are in the key names, every key but the files has a default."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Files = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
"""A glob, or a list of files and globs, relative to the configuration file."""


class Section(BaseModel):
    """A table of the configuration; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Experiment(Section):
    """What the experiment is called."""

    title: str = Field("untitled experiment", description="title of the report and the figures")


class Electrode(Section):
    """An electrode or the electrolyte."""

    material: str = Field(description="a name known to `operando materials`")
    mass_mg: float | dict[str, float] | None = Field(None, description="mass in mg, or one for each constituent")
    reaction: str | None = Field(None, description='host reaction, e.g. "In + Li -> InLi"')
    active_fraction: float = Field(1.0, gt=0, le=1, description="share of the mass that is active material")
    theoretical_capacity_mAh_per_g: float | None = Field(None, gt=0, description="of the active material")
    thickness_um: float | None = Field(None, gt=0, description="along the current, for conductivity")


class Cell(Section):
    """The cell: geometry, temperature and the three layers."""

    bore_mm: float | None = Field(None, gt=0, description="inner diameter of the tube, if known")
    temperature_c: float = Field(25.0, gt=-273.15, description="temperature of the cell")
    pressing_pressure_mpa: float | None = Field(None, gt=0, description="pressure the layers were pressed at")
    anode: Electrode | None = None
    electrolyte: Electrode | None = None
    cathode: Electrode | None = None


class Track(Section):
    """A length to follow from scan to scan."""

    name: str
    kind: Literal["protrusion", "particle"]
    at_um: tuple[float, float, float] = Field(description="z, y, x in the first scan")
    radius_um: float = Field(gt=0)


class Spectrum(Section):
    """The white beam's spectrum, to straighten beam hardening."""

    energy_kev: tuple[float, ...] = Field(description="energies, in any steps")
    weight: tuple[float, ...] = Field(description="spectrum × detector response at each, on any scale")


class Tomography(Section):
    """The tomography scans."""

    files: Files = ()
    volumes: Files = Field((), description="reconstructed volumes, instead of files")
    pixel_size_um: float | None = Field(None, gt=0, description="only where the files have none")
    centre: Literal["auto"] | float = Field("auto", description='"auto", or pixels from the middle of column 0')
    times: str | None = Field(None, description="CSV: file,start,end; only where the files have none")
    time_zone: str | None = Field(None, description="IANA name; only where the files have none")
    clock_offset_s: float = Field(0.0, description="add to this instrument's clock to get the beamline's")
    clock_drift_ppm: float = 0.0
    phases: tuple[str, ...] = Field(("void", "electrolyte", "anode"), description="dark to bright")
    track: tuple[Track, ...] = ()
    spectrum: Spectrum | None = None
    blur_um: float | None = Field(
        None, gt=0, description="standard deviation of the camera's blur (scintillator and optics), where it is known"
    )


class Gauge(Section):
    """Where the diffracting volume lies."""

    centre_um: tuple[float, float, float] = Field(description="z, y, x in the first scan")
    slits_um: tuple[float, ...] = Field(description="openings: along z, across")


class Diffraction(Section):
    """The energy-dispersive spectra."""

    files: Files = ()
    two_theta_deg: float | None = Field(None, gt=0, lt=180, description="only where the files have none")
    phases: tuple[str, ...] = Field((), description="names known to `operando materials`")
    reference: str = Field("first", description="the pristine spectrum: first, or a file")
    calibration: str | None = Field(None, description="a saved calibration, or a reference powder's spectrum")
    times: str | None = Field(None, description="CSV: file,start,end; only where the files have none")
    time_zone: str | None = Field(None, description="IANA name; only where the files have none")
    clock_offset_s: float = Field(0.0, description="add to this instrument's clock to get the beamline's")
    clock_drift_ppm: float = 0.0
    gauge: Gauge | None = None


class Electrochemistry(Section):
    """The cycler's files of one cell, merged in the order of their times."""

    files: Files = ()
    positive_current: Literal["charge", "discharge"] = "charge"
    clock_offset_s: float = Field(0.0, description="add to this file's clock to get the beamline's")
    clock_drift_ppm: float = 0.0
    start_time: str | None = Field(None, description="only where the file has none")
    time_zone: str | None = Field(None, description="IANA name; only where the files have none")
    columns: dict[str, str] = Field(default_factory=dict, description="plain CSV only: our name = column")


class Results(Section):
    """How results are stored."""

    volume_type: Literal["uint16", "float32"] = Field(
        "uint16", description="reconstructed volumes on disk: integers with a stated range (half the size), or float32"
    )


class Watch(Section):
    """When a figure of quality raises an alarm in `operando watch` and in the viewer."""

    beam_drop: float = Field(0.3, gt=0, lt=1, description="drop of the ring current below the series' median")
    centre_drift_px: float = Field(2.0, gt=0, description="of the centre of rotation from the series' median")
    sample_drift_um: float = Field(50.0, gt=0, description="how far the cell moved since the first scan")
    noise_rise: float = Field(1.5, gt=1, description="noise of a scan over the series' median")
    sharpness_drop: float = Field(0.5, gt=0, lt=1, description="drop of the sharpness below the series' median")
    untrusted_share: float = Field(0.3, gt=0, lt=1, description="of the volume inside the bore")
    dead_time: float = Field(0.4, gt=0, lt=1, description="of the spectrometer")
    line_shift: float = Field(2e-3, gt=0, description="relative shift of the strongest line from the series' median")
    gap_factor: float = Field(1.8, gt=1, description="time between two frames over the usual time")
    cycler_silence_s: float = Field(
        900.0, gt=0, description="time by which the cycler's record may lag behind the frames"
    )
    disk_left_gb: float = Field(20.0, ge=0, description="free space where the results lie")
    lag_s: float = Field(1800.0, gt=0, description="time by which the results may lag behind the files")


class Materials(Section):
    """The user's own phases."""

    files: Files = Field((), description="CIF, TOML, or a list of d and I")


class Configuration(Section):
    """The whole of operando.toml."""

    experiment: Experiment = Experiment()
    cell: Cell = Cell()
    tomography: Tomography | None = None
    diffraction: Diffraction | None = None
    electrochemistry: Electrochemistry | None = None
    materials: Materials = Materials()
    results: Results = Results()
    watch: Watch = Watch()
    steps: dict[str, dict[str, Any]] = Field(default_factory=dict)
