"""Many images as one: contact sheets and labelled grids."""
