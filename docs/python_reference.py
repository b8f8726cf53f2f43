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
_LONGEST = 120  # characters of a signature


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
                return tuple(sorted(str(one.value) for one in keys if isinstance(one, ast.Constant)))
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
        if (
            isinstance(node, ast.Assign)
            and getattr(node.targets[0], "id", "") == name
            and isinstance(node.value, ast.Name)
        ):
            return replace(find(module, node.value.id), name=name)  # another name of the same
    for part in ast.walk(tree):
        if isinstance(part, ast.ImportFrom) and _gives(part, name):
            return find(str(part.module), name)
        if isinstance(part, ast.Dict) and (home := _home(part, name)):
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
    own = tuple(
        Public(one.name, "" if _is_property(one) else _call(one, skip=1), _first_line(one))
        for one in functions
        if not one.name.startswith("_")
    )
    bases = list(_bases(node, module))
    known = {one.name for one in own}
    methods = (*own, *(one for base in bases for one in base.methods if one.name not in known))
    made = next((one for one in functions if one.name == "__init__"), None)
    if made:
        signature = _call(made, skip=1)
    elif _is_data(node):
        signature = "(" + ", ".join(_fields(node)) + ")"
    else:
        signature = next((base.signature for base in bases if base.signature), "")
    return Public(node.name, signature, says, methods)


def _bases(node: ast.ClassDef, module: str) -> Iterator[Public]:
    """Yield the classes of this package that a class is made from."""
    for base in node.bases:
        if isinstance(base, ast.Name):
            try:
                yield find(module, base.id)
            except LookupError:
                continue  # of Python or of another package


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
    shown = public.name + public.signature
    if len(shown) > _LONGEST:
        shown = shown[: shown.rindex(",", 0, _LONGEST)] + ", …)"
    lines = [f"**`{shown}`**  \n{public.says}\n"]
    lines += [f"- `{one.name}{one.signature}`: {one.says}" for one in public.methods]
    return "\n".join(lines) + ("\n" if public.methods else "")
