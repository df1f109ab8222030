"""The package as a whole: what importing it costs, that every name is there, and that rooms look upwards only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jaxgen

PACKAGE = Path(jaxgen.__file__).parent
ROOMS = (
    "core system objectives nets latents games training data metrics recipes runs tasks report comparison testing cli "
    "__main__"
).split()
HEAVY = set("jax flax optax orbax numpy scipy sklearn PIL matplotlib tensorflow tensorflow_datasets chex".split())
MODULES = sorted(path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py"))


def python(code: str) -> str:
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_importing_is_free():
    # Kills: an import of JAX, NumPy or anything that brings them at the top of jaxgen/__init__.py or of the command.
    code = "import sys, jaxgen, jaxgen.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    assert not HEAVY & set(python(code).split())


def test_every_public_name_is_there():
    # Kills: a name in __all__ without a home; a home that has moved; a room shadowed by a function of its name.
    for name in jaxgen.__all__:
        assert getattr(jaxgen, name) is not None, name
        assert name in dir(jaxgen)
    assert jaxgen.recipes.RECIPES and jaxgen.data.load and callable(jaxgen.compare)
    assert jaxgen.__version__.count(".") == 2
    assert callable(jaxgen.fit) and callable(jaxgen.load) and callable(jaxgen.make_step)


def test_unknown_name():
    # Kills: a __getattr__ that answers None, or with another error.
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        _ = jaxgen.nosuch


def test_type_checkers_see_the_same_names():
    # Kills: a public name that __getattr__ knows and `if TYPE_CHECKING` does not, or the other way round.
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    seen |= {node.target.id for node in block.body if isinstance(node, ast.AnnAssign)}
    assert seen == set(jaxgen.__all__)


def test_every_module_imports_without_network_or_rivals():
    # Kills: a module that cannot be imported on its own path; one that opens a connection, or TFDS, or pyplot.
    names = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in MODULES]
    code = f"""
import importlib, sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "urllib.Request"):
        raise RuntimeError(event)
sys.addaudithook(refuse)
for name in {names!r}:
    importlib.import_module(name)
print(*{{"tensorflow", "tensorflow_datasets", "matplotlib", "torch", "chex"}} & set(sys.modules))
"""
    assert python(code).strip() == ""


def imported(tree: ast.Module, module: Path) -> set[str]:
    """The rooms that a module names in its imports, inside functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = module.parts[: len(module.parts) - node.level]
            found |= {".".join((*base, node.module or "", alias.name)) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "jaxgen":
            found |= {f"jaxgen.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    parts = [[part for part in name.split(".") if part] for name in found]
    return {part[1] for part in parts if part[0] == "jaxgen" and len(part) > 1}


def room_of(module: Path) -> str:
    return module.with_suffix("").parts[1]


@pytest.mark.parametrize(
    "module", [path for path in MODULES if len(path.parts) > 2 or path.stem != "__init__"], ids=str
)
def test_rooms_look_upwards(module):
    # Kills: an import, at the top or inside a function, from a room below in the list; a module outside every room.
    own = ROOMS.index(room_of(module))
    for room in imported(ast.parse((PACKAGE.parent / module).read_text()), module):
        assert ROOMS.index(room) <= own, f"{module} imports jaxgen.{room}, which stands below it"


def test_the_check_sees_every_way_to_import():
    source = """
import jaxgen.nets.images
from jaxgen import data, recipes as rows
from . import step
from ..run import fit
def late():
    from jaxgen.report.numbers import number
"""
    found = imported(ast.parse(source), Path("jaxgen/training/loop.py"))
    assert found == {"nets", "data", "recipes", "training", "run", "report"}
