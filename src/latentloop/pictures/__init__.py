"""Many images as one picture."""
