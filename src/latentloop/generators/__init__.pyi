from .compiled import compiled as compiled
from .drawn_by import Draw as Draw
from .drawn_by import DrawnBy as DrawnBy
from .low_precision import low_precision as low_precision
from .mobilestylegan import MobileStyleGAN as MobileStyleGAN
from .protocol import Generator as Generator
from .registry import load_generator as load_generator
from .registry import load_renderer as load_renderer
