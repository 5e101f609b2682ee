"""Pretrained feature extractors: LPIPS, MobileFaceNet and VGG16."""
