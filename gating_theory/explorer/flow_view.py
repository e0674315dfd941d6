"""What the page of a two-unit GRU shows, its weights and starts of trajectories: as a link, a flow, and Python [JSP]."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

from ..flow import GRUFlow, topology_catalogue
from ..flow.flow import Flow
from ..support.checks import shown

__all__ = ["LARGEST", "MATRICES", "MOST_STARTS", "PARAMETERS", "FlowView", "first_view", "presets", "short"]

#: Names of the arguments of GRUFlow in the order of the page, the candidate first; and all numbers of a view, by their paths.
MATRICES = {"U_h": 4, "b_h": 2, "U_z": 4, "b_z": 2, "U_r": 4, "b_r": 2}
_PLACES = {4: ("[0,0]", "[0,1]", "[1,0]", "[1,1]"), 2: ("[0]", "[1]")}
PARAMETERS = tuple(f"{name}{place}" for name, count in MATRICES.items() for place in _PLACES[count])

#: Largest modulus of a weight, and the number of trajectories at most.
LARGEST, MOST_STARTS = 100.0, 8


@dataclass(frozen=True)
class FlowView:
    """The weights of a two-unit GRU, and where trajectories begin.

    Parameters
    ----------
    values : mapping from paths ("U_h[0,1]", "b_z[1]") to numbers from -100 to 100
        What is left out is 0; zeros are left out.
    starts : tuple of pairs from -1 to 1, eight at most

    Raises
    ------
    TypeError, ValueError
        unknown paths, numbers that are not allowed
    """

    values: Mapping[str, float] = field(default_factory=dict)
    starts: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        unknown = [path for path in self.values if path not in PARAMETERS]
        if unknown:
            raise ValueError(f"values has no entry {shown(unknown[0])}: entries are {', '.join(PARAMETERS)}")
        known = {path: _number(path, self.values.get(path, 0.0), LARGEST) for path in PARAMETERS}
        object.__setattr__(self, "values", {path: value for path, value in known.items() if value != 0.0})
        if len(self.starts) > MOST_STARTS:
            raise ValueError(f"starts must be {MOST_STARTS} at most, got {len(self.starts)}")
        for start in self.starts:
            if len(start) != 2:
                raise ValueError(f"starts must be pairs of numbers, got {shown(start)}")
        object.__setattr__(self, "starts", tuple((_number("start", x, 1.0), _number("start", y, 1.0)) for x, y in self.starts))

    def __hash__(self) -> int:
        return hash((tuple(self.values.items()), self.starts))

    # --- to and from other forms

    @classmethod
    def from_flow(cls, flow: Flow, starts: tuple[tuple[float, float], ...] = ()) -> FlowView:
        """The view of a flow: of two units of the GRU, without an input.

        Parameters
        ----------
        flow : Flow
        starts : tuple of pairs

        Raises
        ------
        ValueError
            another cell or number of units, an input, weights that are too large
        """
        if flow.cell.name != "GRU" or flow.n_units != 2 or flow.input is not None:
            raise ValueError(f"flow must be that of a GRU of two units without input, got {shown(flow)}")
        given = flow.as_dict()
        values: dict[str, float] = {}
        for name, count in MATRICES.items():
            rows = given[name]
            numbers = [*rows[0], *rows[1]] if count == 4 else rows
            values |= {f"{name}{place}": number for place, number in zip(_PLACES[count], numbers)}
        return cls(values, starts)

    @classmethod
    def from_query(cls, query: str) -> FlowView:
        """The view of a link: what follows its "?".

        Parameters
        ----------
        query : str
            "U_h=3,-3,3,3&b_h=0,0.1&start=0.1,0.2": matrices row by row; as many starts as there are trajectories.

        Raises
        ------
        ValueError
            names, counts or numbers that are not allowed
        """
        values: dict[str, float] = {}
        starts = []
        seen = set()
        for name, text in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
            if name in seen and name != "start":
                raise ValueError(f"the link has {shown(name)} twice")
            seen.add(name)
            if name == "start":
                x, y = _numbers("start", text, 2)
                starts.append((x, y))
            elif name in MATRICES:
                places = _PLACES[MATRICES[name]]
                values |= {f"{name}{place}": v for place, v in zip(places, _numbers(name, text, len(places)))}
            else:
                raise ValueError(f"the link has an entry {shown(name)}: known are {', '.join(MATRICES)} and start")
        return cls(values, tuple(starts))

    def query(self) -> str:
        """What follows the "?" of its link; weights that are all 0 are left out."""
        pairs = [(name, ",".join(map(short, self.numbers(name)))) for name in MATRICES if any(self.numbers(name))]
        pairs += [("start", f"{short(x)},{short(y)}") for x, y in self.starts]
        return urlencode(pairs, safe=",")

    def numbers(self, name: str) -> list[float]:
        """The entries of one matrix, row by row, or of one bias.

        Parameters
        ----------
        name : str, of ``MATRICES``
        """
        return [self.values.get(f"{name}{place}", 0.0) for place in _PLACES[MATRICES[name]]]

    def arguments(self) -> dict[str, list]:
        """What GRUFlow takes; U_h always, what else is 0 left out."""
        out: dict[str, list] = {}
        for name, count in MATRICES.items():
            numbers = self.numbers(name)
            if any(numbers) or name == "U_h":
                out[name] = [numbers[:2], numbers[2:]] if count == 4 else numbers
        return out

    def flow(self) -> GRUFlow:
        """The flow."""
        return GRUFlow(**self.arguments())

    def python(self) -> str:
        """The program that makes what the page shows."""
        weights = ", ".join(f"{name}={_written(value)}" for name, value in self.arguments().items())
        lines = [
            "import gating_theory as gt",
            "",
            f"flow = gt.flow.GRUFlow({weights})",
            "points = flow.fixed_points()",
            "print(points.topology.words)",
            "print(points)",
            "cycles = gt.flow.cycles(flow)",
            "for cycle in cycles:",
            "    print(cycle)  # period and multiplier",
            "ax = gt.flow.plot_portrait(flow, cycles, points=points, box=(-1, 1))",
        ]
        if self.starts:
            lines += [f"for start in {_written(list(map(list, self.starts)))}:"]
            lines += ["    ax.plot(*flow.integrate(start, 100.0).y)"]
        lines += ['ax.figure.savefig("portrait.png")']
        return "\n".join(lines) + "\n"

    # --- other views

    def moved(self, path: str, value: float) -> FlowView:
        """With another value of one weight.

        Parameters
        ----------
        path : str, of ``PARAMETERS``
        value : float
        """
        return replace(self, values={**self.values, path: value})

    def started(self, x: float, y: float) -> FlowView:
        """With one more trajectory; the oldest goes where there are too many.

        Parameters
        ----------
        x, y : float, from -1 to 1
        """
        return replace(self, starts=(*self.starts, (x, y))[-MOST_STARTS:])

    def cleared(self) -> FlowView:
        """Without trajectories."""
        return replace(self, starts=())


def _number(name, value, largest):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {shown(value)}")
    if not (math.isfinite(value) and abs(value) <= largest):
        raise ValueError(f"{name} must lie in [{-largest:g}, {largest:g}], got {shown(value)}")
    return float(value) + 0.0  # no negative zero


def _numbers(name, text, count):
    parts = text.split(",")
    if len(parts) != count:
        raise ValueError(f"{name} must have {count} numbers, divided by commas, got {shown(text)}")
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise ValueError(f"{name} must have {count} numbers, divided by commas, got {shown(text)}") from None


def short(value: float) -> str:
    """A number as people write it, from which it comes back to the last bit: 3, -0.5.

    Parameters
    ----------
    value : float
    """
    return str(int(value)) if value == int(value) else repr(value)


def _written(value):
    """A list of numbers as Python."""
    return f"[{', '.join(map(_written, value))}]" if isinstance(value, list) else short(value)


#: Bifurcations and attractors of [JSP] and beyond: what is to be seen, and the weights. Those near a critical value are beside it.
_EXAMPLES: dict[str, dict[str, list]] = {
    "Before the Hopf bifurcation: a focus": {"U_h": [[1.8, -1.8], [1.8, 1.8]]},
    "After it: a small cycle": {"U_h": [[2.2, -2.2], [2.2, 2.2]]},
    "A limit cycle": {"U_h": [[3, -3], [3, 3]]},
    "Two sinks and a saddle": {"U_h": [[3, 0], [0, 1]]},
    "Four sinks": {"U_h": [[6, 0], [0, 6]]},
    "A cycle beside a sink": {"U_h": [[4.5, -2], [10, 0]], "b_h": [0.4, 1.2]},
    "Close to a homoclinic loop": {"U_h": [[4.5, -2], [10, 0]], "b_h": [0.4, 0.913]},
    "Beyond the homoclinic loop": {"U_h": [[4.5, -2], [10, 0]], "b_h": [0.4, 0.7]},
    "Two sinks in a large cycle": {"U_h": [[8.5, 6], [-7, -4.5]], "b_z": [0, 1]},
    "Two small cycles": {"U_h": [[6, 2.7], [-22.6, -13.4]], "b_z": [0, 1.85]},
    "An unstable cycle in a stable one": {"U_h": [[-6, 27], [-7.5, 8.5]], "b_h": [-1.6, 1]},
    "Before four saddle-nodes on a circle": {"U_h": [[6, -2.6], [2.6, 6]]},
    "After them: a slow cycle": {"U_h": [[6, -2.7], [2.7, 6]]},
    "Almost a line of fixed points": {"U_h": [[4.549, -1.612], [10.278, -4.5]]},
}
_FIRST = "A cycle beside a sink"


def presets() -> dict[str, dict[str, FlowView]]:
    """Views to begin with, by group and name: attractors and bifurcations, and a flow of every known topology."""
    known = {f"{topology.words}": FlowView.from_flow(flow) for topology, flow in topology_catalogue().items()}
    examples = {name: FlowView.from_flow(GRUFlow(**weights)) for name, weights in _EXAMPLES.items()}
    return {"Attractors and bifurcations": examples, "All known topologies": known}


def first_view() -> FlowView:
    """What is shown before anything was chosen."""
    return FlowView.from_flow(GRUFlow(**_EXAMPLES[_FIRST]))
