"""Settings of MLflow, made before it is imported; what the user has set in the environment stands."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

for _name, _value in {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_SCHEMA_DETAILS": "true",  # its schema errors print rows of customers
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # A call that is not answered ends after two tries of 6 s. By MLflow's own settings it takes up to hours.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "6",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
}.items():
    os.environ.setdefault(_name, _value)

from mlflow.exceptions import MlflowException  # noqa: E402
from sqlalchemy.exc import SQLAlchemyError  # noqa: E402

from churnvalue.errors import RegistryError  # noqa: E402

# Their errors are raised again as one line; they would print them as well, with the whole trace.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
logging.getLogger("alembic").setLevel(logging.WARNING)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PASSWORD = re.compile(r"(?<=://)[^/\s]*@")
_SILENCE = re.compile("max retries exceeded|timed out|connection (?:refused|aborted|to server)|could not connect", re.I)


class UnreachableError(RegistryError):
    """The tracking server, or the server of its database, does not answer."""


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Turn a failure of MLflow, its database, its server or its disk into one line.

    Raises:
        UnreachableError: If nothing answers.
        RegistryError: Instead of the others.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        kind = UnreachableError if _SILENCE.search(str(error)) else RegistryError
        raise kind(
            f"MLflow at {without_password(uri)} must do its part, but: {_reason(error)}. "
            "Check [mlflow] in the configuration and run again; the champion is untouched."
        ) from None


def _reason(error: Exception) -> str:
    """Return the first sentence of an error, or what it comes down to."""
    text = without_password(str(error)).strip() or type(error).__name__
    if "database is locked" in text:
        return "another process has kept the database locked for 20 seconds"
    if _SILENCE.search(text):
        return "the server does not answer"
    sentence = re.split(r"\n|(?<=\w{2})\. ", text, maxsplit=1)[0].rstrip(". ")
    return sentence if len(sentence) <= 300 else sentence[:300] + " …"


def plain_name(name: str, what: str) -> str:
    """Return ``name`` if it can do no harm in a path or a page.

    Raises:
        RegistryError: If it holds anything but letters, digits, '.', '_' and '-'.
    """
    if not _NAME.fullmatch(name):
        raise RegistryError(
            f"The name of a {what} must be made of letters, digits, '.', '_' and '-', but {name!r} came."
        )
    return name


def without_password(uri: str) -> str:
    """Return ``uri`` with user and password left out.

    >>> without_password("postgresql://me:secret@db/log#events")
    'postgresql://db/log#events'
    """
    return _PASSWORD.sub("", uri)
