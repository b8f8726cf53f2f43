"""The page of the public Python API, read from the code without importing it: signatures and first lines of docstrings."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
_GROUPS = (
    ("The commands, and what they are made of", "churnvalue", ()),
    ("Estimators: models", "churnvalue.models", ()),
    ("Estimators: timing", "churnvalue.timing", ()),
    ("Estimators: decisions", "churnvalue.decisions", ()),
    ("Declaring features", "churnvalue.features", ("feature", "expand", "families")),
    ("Declaring features: words", "churnvalue.features.sentences", ("Sentence",)),
    ("Declaring features: the measures of events", "churnvalue.views", ("History", "Events")),
    ("Simulated logs", "churnvalue.simulate", ("simulate_log", "SimulatedLog", "Shop")),
    ("Errors", "churnvalue.errors", ()),
)
_PROTOCOL = ("__init__",)


@dataclass(frozen=True)
class Public:
    """A public name: how it is called, and what its docstring says first."""

    name: str
    signature: str
    says: str
    methods: tuple["Public", ...] = ()


def python() -> str:
    """Return the page of the public names."""
    parts = [
        "# Python\n",
        "What may be imported; everything else may change. Estimators follow scikit-learn: settings in the constructor, `fit`"
        " returns the estimator, what was learnt ends in `_`. `help(name)` says more: shapes, units, bounds, errors, sources.\n",
    ]
    for title, module, chosen in _GROUPS:
        names = chosen or public_names(module)
        parts.append(f"## {title}\n\n`from {module} import …`\n")
        for name in names:
            parts.append(_entry(find(module, name)))
    return "\n".join(parts)


def public_names(module: str) -> tuple[str, ...]:
    """Return what a module offers: its ``__all__``, what it imports when first asked, or else the classes it defines."""
    tree = _tree(module)
    for wanted in ("_HOMES", "__all__"):
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == wanted:
                value = node.value
                keys = value.keys if isinstance(value, ast.Dict) else getattr(value, "elts", [])
                return tuple(sorted(one.value for one in keys if isinstance(one, ast.Constant)))
    return tuple(node.name for node in tree.body if isinstance(node, ast.ClassDef))


def find(module: str, name: str) -> Public:
    """Return a public name, wherever it is defined.

    Raises:
        LookupError: If the module has no such name.
    """
    tree = _tree(module)
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return _public(node, module)
        named = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(named, ast.Name) and named.id == name and isinstance(node.value, ast.Name):
            return replace(find(module, node.value.id), name=name)  # another name of the same
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _gives(node, name):
            return find(str(node.module), name)
        if isinstance(node, ast.Dict) and (home := _home(node, name)):
            return find(f"{module}.{home}", name)
    raise LookupError(f"{module} has no '{name}'.")


def _gives(node: ast.ImportFrom, name: str) -> bool:
    """Whether a name is imported from another module of the package."""
    return str(node.module).startswith("churnvalue") and name in [one.name for one in node.names]


def _home(node: ast.Dict, name: str) -> str | None:
    """Return the module of a name, in the table of those that are imported when they are first asked for."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == name and isinstance(value, ast.Constant):
            return str(value.value)
    return None


def _tree(module: str) -> ast.Module:
    path = SOURCE.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def _public(node: ast.ClassDef | ast.FunctionDef, module: str) -> Public:
    says = _first_line(node)
    if isinstance(node, ast.FunctionDef):
        return Public(node.name, _call(node, skip=0), says)
    functions = [one for one in node.body if isinstance(one, ast.FunctionDef)]
    made = next((one for one in functions if one.name in _PROTOCOL), None)
    signature = _call(made, skip=1) if made else "(" + ", ".join(_fields(node)) + ")" if _is_data(node) else ""
    methods = tuple(
        Public(one.name, "" if _is_property(one) else _call(one, skip=1), _first_line(one))
        for one in functions
        if not one.name.startswith("_")
    )
    return Public(node.name, signature, says, (*methods, *_inherited(node, module, {one.name for one in methods})))


def _inherited(node: ast.ClassDef, module: str, own: set[str]) -> Iterator[Public]:
    """Yield the methods of the classes of this package that a class is made from, without those that it has itself."""
    for base in node.bases:
        if isinstance(base, ast.Name):
            try:
                found = find(module, base.id)
            except LookupError:
                continue  # a class of Python or of another package
            yield from (one for one in found.methods if one.name not in own)


def _call(node: ast.FunctionDef, skip: int) -> str:
    """Return parameters with their defaults, without types; ``skip`` of them, as ``self``, left out."""
    given = [*node.args.posonlyargs, *node.args.args]
    defaults = [None] * (len(given) - len(node.args.defaults)) + list(node.args.defaults)
    parts = [_with_default(one, value) for one, value in zip(given, defaults, strict=True)][skip:]
    if node.args.kwonlyargs:
        parts.append("*")
        named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        parts += [_with_default(one, value) for one, value in named]
    return "(" + ", ".join(parts) + ")"


def _with_default(argument: ast.arg, value: ast.expr | None) -> str:
    return argument.arg if value is None else f"{argument.arg}={ast.unparse(value)}"


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and not _is_fixed(one):
            yield one.target.id + (f"={ast.unparse(one.value)}" if one.value else "")


def _is_fixed(one: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(one.annotation)


def _is_data(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(one) for one in node.decorator_list)


def _is_property(node: ast.FunctionDef) -> bool:
    return any(getattr(one, "id", "") == "property" for one in node.decorator_list)


def _first_line(node: ast.ClassDef | ast.FunctionDef) -> str:
    text = (ast.get_docstring(node) or "").split("\n\n")[0]
    return " ".join(text.split()).replace("``", "`")


def _entry(public: Public) -> str:
    lines = [f"**`{public.name}{public.signature}`**  \n{public.says}\n"]
    lines += [f"- `{one.name}{one.signature}`: {one.says}" for one in public.methods]
    return "\n".join(lines) + ("\n" if public.methods else "")
