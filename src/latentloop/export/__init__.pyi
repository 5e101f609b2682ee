from .options import ExportOptions as ExportOptions
from .run import Export as Export
from .run import Exported as Exported
from .run import set_up_export as set_up_export
