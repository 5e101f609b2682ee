"""Readers of other people's weight files. They parse data and never run code."""
