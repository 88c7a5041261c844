"""From projections to attenuation in 1/cm: one module a verb."""
