"""Syntax sites of a Python source, and the small wrong programs that one changed site makes of it.

Left alone: imports, annotations and type aliases, docstrings, what follows `raise`, and text that is no dictionary key.
"""

import ast
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
}
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_TWINS = (
    "mean sum, all any, maximum minimum, max min, exp expm1, log log1p, zeros ones, zeros_like ones_like, "
    "normal uniform, normal laplace, softplus relu, sigmoid tanh, floor ceil"
)
TWINS: dict[str, list[str]] = {}
for _pair in _TWINS.split(", "):
    _one, _other = _pair.split()
    TWINS.setdefault(_one, []).append(_other)
    TWINS.setdefault(_other, []).append(_one)
# Of these the first argument alone is no value of the same kind, so that leaving the call out would only crash.
BUILTINS = set("dict enumerate getattr isinstance len list map next print range set sorted str tuple zip".split())


class Mutant(NamedTuple):
    """One changed site."""

    line: int
    kind: str
    before: str  # the site as it stands, on one line
    after: str
    at: tuple[int, int]  # the site by its position in the source, and which of its changes


class _Site(NamedTuple):
    node: ast.AST
    put: Callable[[ast.AST], None]
    changes: list[tuple[str, ast.AST]]


def mutants(source: str) -> list[list[Mutant]]:
    """The mutants of each site of `source`, in the order of the sites."""
    return [
        [
            Mutant(_line(site.node), kind, _short(site.node), _short(changed), (i, j))
            for j, (kind, changed) in enumerate(site.changes)
        ]
        for i, site in enumerate(_sites(ast.parse(source), {}))
    ]


def write(source: str, mutant: Mutant) -> str:
    """The whole module with the change. Comments are lost."""
    tree = ast.parse(source)
    site = list(_sites(tree, {}))[mutant.at[0]]
    site.put(site.changes[mutant.at[1]][1])
    return ast.unparse(tree)


def _line(node: ast.AST) -> int:
    return node.target.lineno if isinstance(node, ast.comprehension) else node.lineno


def _short(node: ast.AST) -> str:
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())


def _sites(parent: ast.AST, twins: dict[str, list[str]]) -> Iterator[_Site]:
    """The sites below `parent`; `twins`: names in scope, with those that were bound beside each."""
    if isinstance(parent, ast.FunctionDef | ast.Lambda):
        twins = {**twins, **_bound_together(parent)}
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns"):
            continue
        many = isinstance(value, list)
        for i, node in enumerate(value if many else [value]):
            if not isinstance(node, ast.AST) or _left_alone(node, parent):
                continue
            put = partial(value.__setitem__, i) if many else partial(setattr, parent, field)
            called = isinstance(parent, ast.Call) and field == "func" and isinstance(node, ast.Name)
            changes = [] if called else list(_changes(node, parent, twins))
            changes = [(kind, other) for kind, other in changes if ast.dump(other) != ast.dump(node)]
            if changes:
                yield _Site(node, put, changes)
            yield from _sites(node, twins)


def _left_alone(node: ast.AST, parent: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Raise | ast.JoinedStr):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    alias = isinstance(node, ast.Assign) and isinstance(parent, ast.Module)
    return alias and (isinstance(node.value, ast.Subscript) or _is_union(node.value))


def _is_union(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)


def _bound_together(function: ast.FunctionDef | ast.Lambda) -> dict[str, list[str]]:
    """Parameters of one function and one annotation, and targets of one assignment: what a slip would confuse."""
    args, groups = function.args, {}
    for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs):
        groups.setdefault(arg.annotation and ast.dump(arg.annotation), []).append(arg.arg)
    for node in ast.walk(function):
        if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store):
            groups[node] = [one.id for one in node.elts if isinstance(one, ast.Name) and one.id != "_"]
    return {name: [other for other in group if other != name] for group in groups.values() for name in group}


def _changes(node: ast.AST, parent: ast.AST, twins: dict[str, list[str]]) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
            yield "operator", ast.BinOp(left, ARITHMETIC[type(op)](), right)
            yield "term dropped", left
            if isinstance(op, ast.Add | ast.Sub | ast.Mult):
                yield "term dropped", right
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield "sign" if isinstance(node.op, ast.USub) else "condition", operand
        case ast.Compare(left, [op], [right]):
            for other in COMPARISONS[type(op)]:
                yield "comparison", ast.Compare(left, [other()], [right])
        case ast.Compare(left, ops, rights):
            for i, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield "comparison", ast.Compare(left, [*ops[:i], other(), *ops[i + 1 :]], rights)
        case ast.BoolOp(op, values):
            yield "condition", ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
            for i in range(len(values)):
                rest = [*values[:i], *values[i + 1 :]]
                yield "condition", rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.If(test, body, orelse):
            yield "condition", ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
            yield "condition", ast.If(ast.Constant(False), body, orelse)
        case ast.IfExp(_, body, orelse):
            yield "condition", body
            yield "condition", orelse
        case ast.comprehension(target, into, [_, *_]):
            yield "condition", ast.comprehension(target, into, [], node.is_async)
        case ast.Constant(value):
            yield from _constants(value, parent, node)
        case ast.Name(name, ast.Load()):
            for other in twins.get(name, ()):
                yield "name", ast.Name(other, ast.Load())
        case ast.Call():
            yield from _calls(node)
        case ast.Expr(ast.Call()):
            yield "statement dropped", ast.Pass()
        case ast.AugAssign(target, op, value):
            if type(op) in ARITHMETIC:
                yield "operator", ast.AugAssign(target, ARITHMETIC[type(op)](), value)
            yield "statement dropped", ast.Pass()
            yield "operator", ast.Assign([target], value, lineno=node.lineno)
        case ast.Assign([ast.Subscript()]):
            yield "statement dropped", ast.Pass()


def _constants(value: object, parent: ast.AST, node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", ast.Constant(value + 1)
        if value > 0:
            yield "constant", ast.Constant(value - 1)
    elif isinstance(value, float):
        yield "constant", ast.Constant(2 * value if value else 1.0)
    elif isinstance(value, str):
        is_key = isinstance(parent, ast.Dict) and node in parent.keys
        if is_key or isinstance(parent, ast.Subscript):
            yield "constant", ast.Constant(value + "_")


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    func, args, keywords = node.func, node.args, node.keywords
    starred = any(isinstance(arg, ast.Starred) for arg in args)
    if isinstance(func, ast.Attribute):
        for twin in TWINS.get(func.attr, ()):
            yield "call", ast.Call(ast.Attribute(func.value, twin, func.ctx), args, keywords)
    if args and not starred and not (isinstance(func, ast.Name) and func.id in BUILTINS):
        yield "call", args[0]
    for i in range(len(args) - 1):
        if not starred and ast.dump(args[i]) != ast.dump(args[i + 1]):
            yield "order", ast.Call(func, [*args[:i], args[i + 1], args[i], *args[i + 2 :]], keywords)
    for i in range(len(keywords)):
        yield "keyword dropped", ast.Call(func, args, [*keywords[:i], *keywords[i + 1 :]])
