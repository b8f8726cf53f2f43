"""``[sink]``: the database that results are published to; and how an address is shown without its password."""

import re
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from churnvalue.config.section import Section

_PASSWORD = re.compile(r"(postgres(?:ql)?://[^:@/\s]*:)\S*@")
_PARAMETER = re.compile(r"(password=)[^&\s]*")
_LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer names silently


class Sink(Section):
    """The PostgreSQL database to which ``score`` and ``plan`` publish their tables."""

    uri: SecretStr
    """Address as libpq reads it; the password may stand in it, in PGPASSWORD or in ~/.pgpass."""
    schema_name: Annotated[str, Field(min_length=1, alias="schema")] = "churnvalue"
    """The schema of the tables; made if it is not there."""

    @field_validator("schema_name")
    @classmethod
    def _fits(cls, value: str) -> str:
        if len(value.encode()) > _LONGEST_NAME or "\0" in value:
            raise ValueError(f"the name of a schema must have at most {_LONGEST_NAME} bytes")
        return value


def masked(text: str) -> str:
    """Return a text with ``***`` for the passwords of the addresses in it; rather too much is hidden than too little.

    >>> masked("postgresql://shop:secret@db:5432/sales#orders")
    'postgresql://shop:***@db:5432/sales#orders'
    """
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))
