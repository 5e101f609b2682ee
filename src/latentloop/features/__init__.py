"""Pretrained networks that see an image as features: LPIPS and face identity."""
