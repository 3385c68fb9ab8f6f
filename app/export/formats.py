"""The formats of files of rows, in one tuple: one file each. Capture files are made where the packets are (`app.export.pcap`)."""

from __future__ import annotations

from typing import Final

from app.export.csv_table import CsvWriter
from app.export.json_lines import NdjsonWriter
from app.export.json_list import JsonWriter
from app.export.tables import Format
from app.export.zeek_log import ZeekWriter

FORMATS: Final[dict[str, Format]] = {
    known.name: known
    for known in (
        Format("csv", "text/csv; charset=utf-8; header=present", "csv", CsvWriter),
        Format("json", "application/json", "json", JsonWriter),
        Format("ndjson", "application/x-ndjson", "ndjson", NdjsonWriter),
        Format("zeek", "text/tab-separated-values; charset=utf-8", "log", ZeekWriter),
    )
}
