"""Evaluation: metrics of reconstructions, and the fidelity of one generator to another."""
