from .compiled import CompiledGenerator as CompiledGenerator
from .mobilestylegan import MobileStyleGAN as MobileStyleGAN
from .protocol import Generator as Generator
from .registry import load_generator as load_generator
from .registry import load_renderer as load_renderer
