"""Names of an ONNX model: which node or tensor one stands for, in graphs within graphs and in the model's own functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..support.checks import shown

__all__ = ["Scope", "Unknown", "nodes", "of_model"]

#: ``AttributeProto.type`` and the field that holds its value.
_FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings", 9: "tensors", 10: "graphs"}
_STRING, _STRINGS, _GRAPHS = 3, 8, (5, 10)
#: Graphs and functions within one another, and nodes in calls of functions: functions that call functions multiply.
_DEEPEST, _MOST_CALLED = 40, 50_000


class Unknown(ValueError):
    """A value that only a run of the model would give, or that is not computed here; the text says why."""


@dataclass(eq=False)
class Scope:
    """What the nodes of one graph, or of one call of a function, see by name.

    Attributes
    ----------
    outputs : tuple of str, what it gives
    tensors : dict, {name: TensorProto}
    producers : dict, {name: NodeProto}
    given : dict, {name: None where a run brings it, or (scope, name) of what a call passes}
    functions : dict, {(domain, name, overload): FunctionProto}, of the model
    outer : Scope or None, of the graph around
    passed : dict, {name: AttributeProto}, what a call passes to a function
    depth : int
    calls : dict, {outputs of a node: scope of its call}, kept so that a value within is computed once
    """

    outputs: tuple[str, ...]
    tensors: Mapping[str, Any]
    producers: Mapping[str, Any]
    given: Mapping[str, tuple[Scope, str] | None]
    functions: Mapping[tuple[str, str, str], Any]
    outer: Scope | None = None
    passed: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0
    calls: dict[tuple[str, ...], Scope] = field(default_factory=dict)

    def origin(self, name: str) -> tuple[Scope, str, Any]:
        """The scope where a name is made, its name there, and the TensorProto or NodeProto that it is made by.

        Raises
        ------
        Unknown
            a run of the model brings it
        ValueError
            nothing has this name
        """
        scope: Scope | None = self
        while scope is not None:
            made = scope.tensors.get(name) or scope.producers.get(name)
            if made is not None:
                if hasattr(made, "indices"):
                    raise Unknown(f"{shown(name)} is a sparse tensor, which is not read")
                return scope, name, made
            if name in scope.given:
                passed = scope.given[name]
                if passed is None:
                    raise Unknown(f"{shown(name)} is given at run time")
                scope, name = passed
            else:
                scope = scope.outer
        raise ValueError(f"nothing in the graph has the name {shown(name)}")

    def output(self, which: int) -> tuple[Scope, str]:
        """One of the outputs, as a name in this scope."""
        if which >= len(self.outputs):
            raise ValueError(f"a function of {len(self.outputs)} outputs is asked for output {which}")
        return self, self.outputs[which]

    def attributes(self, node: Any) -> dict[str, Any]:
        """Attributes of a node by name, texts as str; of graphs the GraphProto."""
        out = {}
        for own in node.attribute:
            given = self.passed.get(own.ref_attr_name) if own.ref_attr_name else own
            if given is None or given.type not in _FIELDS:
                continue
            value = getattr(given, _FIELDS[given.type])
            if given.type == _STRING:
                value = value.decode("utf-8", "replace")
            elif given.type == _STRINGS:
                value = [text.decode("utf-8", "replace") for text in value]
            out[own.name] = list(value) if given.type in (6, 7) else value
        return out

    def called(self, node: Any) -> Scope | None:
        """The scope of a call of one of the model's own functions; None of any other node."""
        function = self.functions.get((node.domain, node.op_type, getattr(node, "overload", "")))
        if function is None:
            return None
        key = tuple(node.output)
        if key not in self.calls:
            self.calls[key] = self._call(node, function)
        return self.calls[key]

    def _call(self, node, function):
        if self.depth >= _DEEPEST:
            raise ValueError(f"functions that call functions, more than {_DEEPEST} of them: {shown(node.op_type)}")
        passed = {entry.name: entry for entry in (*function.attribute_proto, *node.attribute) if not entry.ref_attr_name}
        passed |= {entry.name: self.passed[entry.ref_attr_name] for entry in node.attribute if entry.ref_attr_name in self.passed}
        names = [*node.input, *[""] * (len(function.input) - len(node.input))]
        given = {own: (self, name) if name else None for own, name in zip(function.input, names)}
        return Scope(tuple(function.output), {}, _producers(function), given, self.functions, None, passed, self.depth + 1)

    def within(self, graph: Any) -> Scope:
        """The scope of a graph that a node of this one holds."""
        return _of_graph(graph, self.functions, self, self.depth + 1)


def of_model(model: Any) -> Scope:
    """The scope of a model's graph.

    Parameters
    ----------
    model : onnx.ModelProto
    """
    functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}
    return _of_graph(model.graph, functions, None, 0)


def _of_graph(graph, functions, outer, depth):
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    tensors |= {tensor.values.name: tensor for tensor in graph.sparse_initializer}
    given = {entry.name: None for entry in graph.input}
    passed = outer.passed if outer is not None else {}
    outputs = tuple(entry.name for entry in graph.output)
    return Scope(outputs, tensors, _producers(graph), given, functions, outer, passed, depth)


def _producers(graph):
    made = {}
    for node in graph.node:
        for name in filter(None, node.output):
            if name in made:
                raise ValueError(f"two of its nodes make {shown(name)}")
            made[name] = node
    return made


def nodes(scope: Scope, graph: Any) -> Iterator[tuple[Any, Scope, str]]:
    """All nodes in the order of the graph, with the scope each stands in and the names of the calls that lead to it.

    Nodes of the graphs and functions that a node holds follow it.

    Parameters
    ----------
    scope : Scope, of the ``graph``
    graph : GraphProto

    Raises
    ------
    ValueError
        more of them than any model has, or deeper within one another
    """
    called = 0
    for node, where, path in _walk(scope, graph, ""):
        called += path != ""
        if called > _MOST_CALLED:
            raise ValueError(f"calls of its functions unfold into more than {_MOST_CALLED} nodes")
        yield node, where, path


def _walk(scope, graph, path):
    if scope.depth > _DEEPEST:
        raise ValueError(f"its graphs are nested more than {_DEEPEST} deep")
    for node in graph.node:
        if not (isinstance(node.op_type, str) and isinstance(node.domain, str)):  # protobuf gives bytes that are no text as bytes
            raise ValueError(f"the operator of one of its nodes is no text: {shown(node.op_type)} of {shown(node.domain)}")
        yield node, scope, path
        call = scope.called(node)
        if call is not None:
            function = scope.functions[node.domain, node.op_type, getattr(node, "overload", "")]
            yield from _walk(call, function, f"{path}{node.name or node.op_type}/")
        for own in node.attribute:
            given = scope.passed.get(own.ref_attr_name) if own.ref_attr_name else own
            if given is not None and given.type in _GRAPHS:
                for inner in [given.g] if given.type == 5 else given.graphs:
                    yield from _walk(scope.within(inner), inner, path)
