from .distill_setup import set_up_distilling as set_up_distilling
from .entry import distill as distill
from .entry import train as train
from .options import DistillOptions as DistillOptions
from .options import TrainOptions as TrainOptions
from .run import Progress as Progress
from .settings_file import read_options as read_options
from .setup import set_up_training as set_up_training
