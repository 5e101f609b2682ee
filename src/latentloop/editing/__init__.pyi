from .directions import Direction as Direction
from .directions import conditional as conditional
from .directions import edit as edit
from .layers import parse_layers as parse_layers
from .mixing import mix as mix
from .mixing import transfer as transfer
from .morphing import morph as morph
