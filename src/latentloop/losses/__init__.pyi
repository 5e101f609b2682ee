from .config import LossConfig as LossConfig
from .identity import IdentityDistance as IdentityDistance
from .image import ImageLoss as ImageLoss
from .image import LossToward as LossToward
from .image import pixel_loss as pixel_loss
from .image import toward as toward
from .image import weighted_sum as weighted_sum
from .iterator import iterator_loss as iterator_loss
