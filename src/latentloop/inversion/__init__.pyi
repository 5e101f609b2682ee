from .chain import IteratorChain as IteratorChain
from .config import IteratorConfig as IteratorConfig
from .iterator import Inversion as Inversion
from .iterator import LatentIterator as LatentIterator
