from .config import PRESETS as PRESETS
from .config import EmbedderConfig as EmbedderConfig
from .embedder import Embedder as Embedder
from .embedder import make_embedder as make_embedder
from .embedder_file import load_embedder as load_embedder
from .embedder_file import save_embedder as save_embedder
from .identity import IdentityEncoder as IdentityEncoder
from .treeconnect import TreeConnect as TreeConnect
