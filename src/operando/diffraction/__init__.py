"""From energy-dispersive spectra to lines, lattices, phases and causes."""
