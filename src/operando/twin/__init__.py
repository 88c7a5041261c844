"""The whole experiment simulated, with known truth."""
