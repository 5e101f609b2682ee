from .coder import PhotoCoder as PhotoCoder
from .coder import load_photo_coder as load_photo_coder
from .dataset import record_dataset as record_dataset
from .options import BulkOptions as BulkOptions
from .photos import BulkPhoto as BulkPhoto
from .run import BulkRun as BulkRun
from .run import bulk_files as bulk_files
from .sources import find_bulk_photos as find_bulk_photos
