"""From a TOML file to a configuration, or to one sentence that says which key does not fit."""

import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from churnvalue.config.databases import masked
from churnvalue.config.sections import Config
from churnvalue.errors import ConfigError, near_match


def read_config(path: str | Path) -> Config:
    """Return the configuration in the TOML file at ``path``.

    Raises:
        ConfigError: If there is no such file, it is not TOML, or a key or value does not fit; names the key.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"A configuration is needed at {path}, but there is none. Write one with: churnvalue init SOURCE"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} must be a TOML file, but: {error}") from None
    return parse_config(raw, folder=path.resolve().parent)


def parse_config(raw: dict[str, Any], folder: Path) -> Config:
    """Return the configuration of a mapping as TOML gives it.

    Raises:
        ConfigError: If a key or value does not fit; names the key and a near match.
    """
    if "folder" in raw:
        raise ConfigError("Unknown key 'folder' in the configuration. Remove it.")
    try:
        return Config.model_validate({**raw, "folder": folder})
    except ValidationError as error:
        raise ConfigError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    """Return the first complaint of pydantic as one sentence with the key, what came and a near match."""
    details = error.errors(include_url=False)
    first = next((d for d in details if d["type"] == "extra_forbidden"), details[0])
    place = [str(part) for part in first["loc"] if part not in _UNION_TAGS]
    key = ".".join(place)
    if first["type"] == "extra_forbidden":
        known = _fields_at(Config, [part for part in first["loc"][:-1] if isinstance(part, str)])
        where = f"in [{'.'.join(place[:-1])}]" if len(place) > 1 else "at the top level"
        return f"Unknown key '{place[-1]}' {where} of the configuration.{near_match(place[-1], known)}"
    if first["type"] == "missing":
        return f"The configuration must have '{key}', but it is missing. Add it."
    if key == "":
        return f"The configuration does not fit together: {first['msg']}."
    message = first["msg"].removeprefix("Value error, ")
    return f"'{key}' of the configuration does not fit: {message}; {masked(repr(first['input']))} came."


_UNION_TAGS = {
    "int",
    "str",
    "FromColumn",
    "constrained-int",
    "constrained-str",
    "tuple[str, ...]",
    "function-after[_distinct(), Retention]",
}


def _fields_at(section: type[BaseModel], path: list[str]) -> list[str]:
    """Names of the keys of the section that ``path`` leads to."""
    for part in path:
        if part not in section.model_fields:
            continue
        nested = [
            kind
            for kind in _leaves(section.model_fields[part].annotation)
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if nested:
            section = nested[0]
    return [field.alias or name for name, field in section.model_fields.items() if name != "folder"]


def _leaves(annotation: Any) -> list[Any]:
    """Return the plain types inside a nested annotation."""
    arguments = get_args(annotation)
    return [leaf for argument in arguments for leaf in _leaves(argument)] if arguments else [annotation]
