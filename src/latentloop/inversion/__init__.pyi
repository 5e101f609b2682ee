from .chain import IteratorChain as IteratorChain
from .config import IteratorConfig as IteratorConfig
from .iterator import Inversion as Inversion
from .iterator import LatentIterator as LatentIterator
from .metric import PerceptualMetric as PerceptualMetric
from .prior import CodePrior as CodePrior
from .prior import code_prior as code_prior
from .prior_config import PriorConfig as PriorConfig
