"""Optimizers: Muon, Adam as a function, and their names."""
