"""Labels and number formats of the metrics in reports."""

from latentloop.metrics.facts import FACTS

SHOWN = ("mse", "psnr", "ssim", "lpips_alex", "id", "lpips_full", "pattern", "pattern_photo")
LABELS = {name: (FACTS[name].heading, FACTS[name].digits, FACTS[name].arrow) for name in SHOWN}
"""Heading, decimals and arrow to the better side of each metric."""
