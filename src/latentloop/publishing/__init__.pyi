from .contents import Contents as Contents
from .contents import contents_of as contents_of
from .options import PushOptions as PushOptions
from .push import Push as Push
from .push import push as push
from .push import set_up_push as set_up_push
