from .folder import RecordFolder as RecordFolder
from .folder import open_records as open_records
from .naming import is_record_folder as is_record_folder
from .neighbours import nearest as nearest
from .schema import COLUMNS as COLUMNS
from .schema import RecordRun as RecordRun
from .schema import arrow_schema as arrow_schema
