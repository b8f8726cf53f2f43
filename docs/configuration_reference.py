"""The page of the configuration, made from the sections and the words beneath their keys."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from docs.markdown import grid
from pydantic import BaseModel

from churnvalue import config
from churnvalue.config import Config, FromColumn

_SOURCE = Path(config.__file__).parent


@dataclass(frozen=True)
class Key:
    """A key of the configuration; ``default`` as TOML, a dash for none."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table of the configuration with its keys: ``[name]``, or ``[[name]]`` where it may come several times."""

    name: str
    repeated: bool
    meaning: str
    keys: tuple[Key, ...]

    @property
    def title(self) -> str:
        """Its name as TOML spells it."""
        return f"[[{self.name}]]" if self.repeated else f"[{self.name}]" if self.name else "At the top"


def tables(section: type[BaseModel] = Config, name: str = "", repeated: bool = False) -> list[Table]:
    """Return a section of the configuration and all inside it, in the order of the code."""
    schema, words = section.model_json_schema(), _words()[section.__name__]
    keys, inner = [], []
    for field_name, field in section.model_fields.items():
        if field_name == "folder":  # where the file lies: no key
            continue
        key = field.alias or field_name
        nested = next((one for one in _leaves(field.annotation) if _is_section(one)), None)
        if nested:
            many = "tuple" in str(field.annotation)
            inner += tables(nested, f"{name}.{key}" if name else key, many)
            continue
        default = "required" if field.is_required() else "–" if field.default is None else f"`{_toml(field.default)}`"
        keys.append(Key(key, _kind(schema["properties"][key], schema), default, words.get(field_name, "")))
    meaning = " ".join((section.__doc__ or "").split("\n\n")[0].replace("``", "`").split())
    return [Table(name, repeated, meaning, tuple(keys)), *inner]


def configuration() -> str:
    """Return the page of every key of the configuration."""
    parts = [
        "# Configuration\n",
        "Every section and every key of `churnvalue.toml`. Only `[[events]]` with its source is required. Relative paths start at"
        " the file's folder; an unknown key is an error. `pipelines/churnvalue.toml` shows all of them in one file.\n",
    ]
    for table in tables():
        parts.append(f"## {table.title}\n\n{table.meaning if table.name else 'Before the first section.'}\n")
        rows = [(f"`{key.name}`", key.kind, key.default, key.meaning) for key in table.keys]
        parts.append(grid(("key", "type", "default", "meaning"), rows))
        for name, default in _default_lists(table.name):
            parts.append(f"Without any `[[{name}]]` these hold:\n\n```toml fragment\n{default}```\n")
    return "\n".join(parts)


def _words() -> dict[str, dict[str, str]]:
    """Return, by class and key, the words that stand beneath each key in the code."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(_SOURCE.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name] = dict(_beneath(node))
    return found


def _beneath(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for one, after in zip(node.body, node.body[1:], strict=False):
        words = after.value if isinstance(after, ast.Expr) else None
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(words, ast.Constant):
            yield one.target.id, " ".join(str(words.value).split())


def _leaves(annotation: Any) -> list[Any]:
    arguments = get_args(annotation)
    return [leaf for one in arguments for leaf in _leaves(one)] if arguments else [annotation]


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not FromColumn


def _kind(schema: dict[str, Any], whole: dict[str, Any]) -> str:
    """Return a JSON schema of a value in words."""
    if "$ref" in schema:
        return '`{ column = "…" }`'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one, whole) for one in schema["anyOf"] if one.get("type") != "null"))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        if "prefixItems" in schema:
            return f"pair of {_plural(_kind(schema['prefixItems'][0], whole))}"
        return f"list of {_plural(_kind(schema['items'], whole))}"
    if schema["type"] == "object":
        return f"table of {_plural(_kind(schema['additionalProperties'], whole))}"
    if schema["type"] == "string":
        return "`HH:MM`" if ":" in schema.get("pattern", "") else "text"
    return ("whole number" if schema["type"] == "integer" else "number") + _bounds(schema)


def _plural(kind: str) -> str:
    return kind.replace("number", "numbers").replace("text", "texts")


def _bounds(schema: dict[str, Any]) -> str:
    """Return the bounds of a number, in brackets; nothing where there are none."""
    names = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    said = " ".join(f"{word} {schema[name]:,.12g}" for name, word in names.items() if name in schema)
    return f" ({said})" if said else ""


def _toml(value: Any) -> str:
    """Return a default as TOML spells it."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, BaseModel):
        return _toml(value.model_dump(exclude_defaults=True, by_alias=True))
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }" if value else "{}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _default_lists(name: str) -> Iterator[tuple[str, str]]:
    """Yield the tables that stand in a section where the user names none, by name, as TOML."""
    field = Config.model_fields.get(name)
    for key, value in field.default if field and isinstance(field.default, BaseModel) else ():
        if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            rows = "".join(f"  {_toml(one)},\n" for one in value)
            yield f"{name}.{key}", f"[{name}]\n{key} = [\n{rows}]\n"
