from .facts import FACTS as FACTS
from .facts import MetricFacts as MetricFacts
from .identity import identity_similarity as identity_similarity
from .pattern import periodic_pattern as periodic_pattern
from .pixels import ms_ssim as ms_ssim
from .pixels import mse as mse
from .pixels import psnr as psnr
from .pixels import ssim as ssim
