"""The only writer of files: outputs appear whole or not at all, and a manifest says what should be there."""

from churnvalue.storage.files import locked, package_version, write_text
from churnvalue.storage.folders import MANIFEST, Stage, read_json, read_manifest, read_parquet, staged, verify
from churnvalue.storage.plain import json_text

__all__ = [
    "MANIFEST",
    "Stage",
    "json_text",
    "locked",
    "package_version",
    "read_json",
    "read_manifest",
    "read_parquet",
    "staged",
    "verify",
    "write_text",
]
