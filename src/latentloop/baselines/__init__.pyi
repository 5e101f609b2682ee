from .image2stylegan import Image2StyleGAN as Image2StyleGAN
from .image2stylegan import Image2StyleGANPlusPlus as Image2StyleGANPlusPlus
from .networks import Networks as Networks
from .networks import load_networks as load_networks
from .projector import Projector as Projector
from .refiner import Refiner as Refiner
from .stylegan_encoder import StyleGANEncoder as StyleGANEncoder
