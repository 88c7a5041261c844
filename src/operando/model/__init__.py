"""Contracts of the products, the step decorator, units, clock and constants: nouns only."""
