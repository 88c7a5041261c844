"""From the cycler's record to steps, cycles, charge and resistance."""
