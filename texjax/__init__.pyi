from . import config as config
from . import errors as errors
from . import features as features
from . import images as images
from . import losses as losses
from . import measures as measures
from . import optimizers as optimizers
from . import pyramid as pyramid
from . import types as types
from .api import analogy as analogy
from .api import generate as generate
from .api import iterate as iterate
from .api import measure as measure
from .api import synthesize as synthesize
from .api import train as train
from .api import transfer as transfer

__version__: str
__all__: list[str]
