"""Settings of collaborative learning; imports no PyTorch."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from latentloop.optim.names import OptimizerName, check_optimizer
from latentloop.stamps import left_out_at

StartFrom = Literal["best", "embedder", "cache", "average"]
"""Codes that the iterator can start from."""
ImageTarget = Literal["teacher", "photo"]
"""Targets that the network's image can be compared with."""
CodeDistance = Literal["plain", "metric"]
"""Squared distances of codes: Euclidean, or in the generator's perceptual metric."""


@dataclass(frozen=True)
class CollaborationConfig:
    """Settings of collaborative learning (Guan et al., arXiv:2007.01758)."""

    resolution: int = 256
    """Side in pixels of the images compared by the iterator and in the loss; at most the generator's."""
    teacher_steps: int = 10
    """Steps of the iterator on each photo; 0 switches it off."""
    teacher_optimizer: OptimizerName = "muon"
    """Optimizer of the iterator; adam, as in the paper, needs a teacher_lr of about 0.02."""
    teacher_lr: float = 0.04
    """First step size of the iterator, in units of W; it falls to 0. The default is half of what suits a start from the
    mean latent, since the network's codes are near."""
    cache: bool = True
    """Teach with the best code of each photo so far; without the cache, with the iterator's latest code."""
    good_loss: float = 0.0
    """Loss below which a cached code counts as good: its photo gets good_steps instead of teacher_steps."""
    good_steps: int = 2
    """Steps of the iterator on a photo whose cached code is good."""
    start_from: StartFrom = "best"
    """Start of the iterator. best: the cached code or the network's, whichever has the lower loss (without a cache, the
    network's); cache: the cached code, if any; embedder: the network's; average: the mean latent."""
    image_target: ImageTarget = "teacher"
    """Image that the network's is compared with: that of the teacher's code, or the photo."""
    teacher_metric: bool = left_out_at(False, default=False)
    """Let the iterator's Muon step in the generator's perceptual metric: one to three steps then achieve what ten do
    without. Needs a teacher_lr of about 0.06."""
    code_distance: CodeDistance = left_out_at("plain", default="plain")
    """Distance of the codes weighted by lambda_w. plain: mean squared difference; metric: in the generator's perceptual
    metric, which weighs differences by their visibility."""
    lambda_w: float = 1.0
    """Weight of the distance between the codes."""
    lambda_img: float = 1.0
    """Weight of the mean squared error between the images."""
    lambda_per: float = 0.8
    """Weight of the LPIPS between the images."""
    lambda_id: float = 0.0
    """Weight of 1 - the cosine similarity of MobileFaceNet's embeddings; for images of faces only."""
    lambda_second_look: float = left_out_at(0.0, default=0.0)
    """Weight of the same loss after a second look, at the photo and at the image of the first code, which one image in
    four gets; 0 trains no second look. 1 is a good value; it costs a quarter more time."""

    def __post_init__(self) -> None:
        if self.resolution < 1:
            raise ValueError(f"resolution must be 1 or more, got {self.resolution}")
        for name in ("teacher_steps", "good_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        check_optimizer("teacher_optimizer", self.teacher_optimizer)
        if not 0 < self.teacher_lr <= 100:
            raise ValueError(f"teacher_lr must be above 0 and at most 100, got {self.teacher_lr}")
        self._check_choices()
        for name in ("good_loss", "lambda_w", "lambda_img", "lambda_per", "lambda_id", "lambda_second_look"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.lambda_w == self.lambda_img == self.lambda_per == self.lambda_id == 0:
            raise ValueError("one of lambda_w, lambda_img, lambda_per and lambda_id must be above 0")

        if self.teacher_metric and self.teacher_optimizer != "muon":
            raise ValueError(f"teacher_metric is for muon, not {self.teacher_optimizer}")

    @property
    def takes_metric(self) -> bool:
        """True if the generator's perceptual metric is needed."""
        return self.teacher_metric or self.code_distance == "metric"

    def _check_choices(self) -> None:
        choices = {"start_from": StartFrom, "image_target": ImageTarget, "code_distance": CodeDistance}
        for name, known in ((name, get_args(choice)) for name, choice in choices.items()):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)}")
        if self.start_from == "cache" and not self.cache:
            raise ValueError("start_from cache needs the cache")
