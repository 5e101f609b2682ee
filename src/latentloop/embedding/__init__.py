"""Embedding: from photos to codes, reconstructions and figures in a folder."""
