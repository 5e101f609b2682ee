"""Measurements of the project: how each figure of the documentation is made, kept and shown."""
