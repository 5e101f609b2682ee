"""Training: the embedding network together with the iterator, and generators from generators."""
