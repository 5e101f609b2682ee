from .bundle import load_bundle as load_bundle
from .engine import Runtime as Runtime
from .engine import load as load
from .networks import Networks as Networks
from .results import Edited as Edited
from .results import Inverted as Inverted
