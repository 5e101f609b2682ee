"""Names of the classifiers that the earlier methods use; a module of its own, so that reading them needs no PyTorch."""

from typing import Literal

FeatureNet = Literal["alexnet", "vgg16"]
