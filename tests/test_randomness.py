"""A key becomes numbers in `draw`, in network init, in data order and splits, and in evaluation; nowhere else."""

import ast
from pathlib import Path

import jaxgen

HOME = Path(jaxgen.__file__).parent
# What derives keys from keys, or makes one from a seed, draws nothing.
KEYS_ONLY = {"key", "seed", "split", "fold_in", "key_data", "wrap_key_data", "clone", "key_impl"}
# Where a key becomes numbers besides functions called init and those whose name says draw: (file, function). A line
# more here is a decision.
KEYS = {
    ("training/order.py", "_epoch"),
    ("system/threefry.py", "_random_bits"),
}
# Where NumPy's seeded generators make data, splits and evaluation: files, or whole rooms.
SEEDS = ("training/order.py", "data/", "tasks/", "metrics/")
SAMPLERS = ("jax.random", "random", "jrandom", "jr", "extended.threefry_prng_impl")
GENERATORS = ("np.random", "numpy.random")


def draws(tree):
    """(module, innermost named function, line) of each use of a sampler; the lambda of `draw=lambda` is called draw."""
    found = []

    def visit(node, function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Lambda):
            function = node.arg or function
        if isinstance(node, ast.Attribute):
            module = ast.unparse(node.value)
            if module in GENERATORS or module in SAMPLERS and node.attr not in KEYS_ONLY:
                found.append((module, function, node.lineno))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("random"):
            found.append(("an import", function, node.lineno))
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(tree, "module")
    return found


def test_keys_become_numbers_where_the_list_says():
    # Kills: a sampler in a loss, in a network, in the loop.
    unknown, seen = [], set()
    for path in sorted(HOME.rglob("*.py")):
        name = path.relative_to(HOME).as_posix()
        for module, function, line in draws(ast.parse(path.read_text())):
            seen.add((name, function))
            by_seed = module in GENERATORS and name.startswith(SEEDS)
            if not (by_seed or function == "init" or "draw" in function.split("_") or (name, function) in KEYS):
                unknown.append(f"{module} in jaxgen/{name}:{line}, in {function}")
    assert unknown == []
    assert seen >= KEYS and any("draw" in function for _, function in seen)


def test_no_old_keys_and_no_hidden_streams():
    # Kills: an untyped key; a module that draws for itself; NumPy's global state.
    for path in HOME.rglob("*.py"):
        text = path.read_text()
        for forbidden in ("PRNGKey", "make_rng", "np.random.seed", "np.random.normal(", "np.random.rand("):
            assert forbidden not in text, f"{forbidden} in {path}"


def test_the_scan_sees_what_it_is_for():
    source = "import jax\ndef loss(key, x):\n    return (lambda: jax.random.normal(key))() + jax.random.fold_in(key, 1)"
    assert draws(ast.parse(source)) == [("jax.random", "loss", 3)]
    named = "Model(draw=lambda key, n: jax.random.normal(key, (n,)), mean=lambda y: jr.normal(y))"
    assert draws(ast.parse(named)) == [("jax.random", "draw", 1), ("jr", "mean", 1)]
    assert draws(ast.parse("from jax.random import normal")) == [("an import", "module", 1)]
    assert draws(ast.parse("x = np.random.default_rng(0)")) == [("np.random", "module", 1)]
