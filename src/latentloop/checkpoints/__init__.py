"""Readers of other projects' weight files, which parse data and never run code."""
