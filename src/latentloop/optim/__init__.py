"""Optimizers, and their names."""
