"""Composing images (contact sheets, labelled grids), and converting users' pictures."""
