"""Whole jobs over folders of photos, as the commands run them."""
