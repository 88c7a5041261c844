"""operando.toml: what is wrong is said with its line and what to write instead."""

import pytest

from operando.model.errors import ConfigurationError
from operando.pipeline.configuration import parse

GOOD = """
[experiment]
title = "a cell"
[cell]
bore_mm = 3.0
[cell.anode]
material = "InLi"
mass_mg = { In = 10.6, Li = 1.5 }
[tomography]
files = "raw/*.nxs"
[[tomography.track]]
name = "protrusion"
kind = "protrusion"
at_um = [240.0, 320.0, 320.0]
radius_um = 60.0
"""


def test_the_example_of_the_interface_is_accepted() -> None:
    found = parse(GOOD)
    assert found.tomography is not None
    assert found.tomography.files == ("raw/*.nxs",)
    assert found.tomography.track[0].at_um == (240.0, 320.0, 320.0)
    assert found.cell.anode is not None
    assert found.cell.anode.mass_mg == {"In": 10.6, "Li": 1.5}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("bore_mm", "bor_mm", "line 5: unknown key 'cell.bor_mm'; did you mean \"bore_mm\"?"),
        ("bore_mm = 3.0", 'bore_mm = "3 mm"', "line 5: cell.bore_mm = '3 mm' is not possible"),
        ("[tomography]", "[tomografy]", "unknown key 'tomografy'; did you mean \"tomography\"?"),
        ("radius_um = 60.0", "radius_um = -1", "tomography.track.0.radius_um = -1 is not possible"),
        ('kind = "protrusion"', 'kind = "bump"', "tomography.track.0.kind = 'bump' is not possible"),
    ],
)
def test_a_wrong_key_or_unit_is_refused_with_its_line(old: str, new: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(GOOD.replace(old, new, 1), "operando.toml")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
