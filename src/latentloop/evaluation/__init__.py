"""Measuring reconstructions, and showing what was measured."""
