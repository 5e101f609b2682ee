"""A benchmark of inversion methods: every method on every image, measured by one protocol."""
