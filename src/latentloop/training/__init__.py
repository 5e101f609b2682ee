"""Training: generators from generators."""
