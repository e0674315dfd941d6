"""The examples in the docstrings of what users import run as they stand and print what they promise."""

import doctest
import re
import time

import pytest
from faces import members, objects

#: Seconds of processor time of one object's examples and its methods': several times what the slowest takes, compiling included.
BUDGET = 20.0
#: A number with decimals or an exponent: what carries rounding.
_NUMBER = re.compile(r"-?\d+\.\d*(?:e[+-]?\d+)?|-?\d+e[+-]?\d+")


def _unit(number):
    """One unit of the last digit shown."""
    digits, _, power = number.partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))


class Checker(doctest.OutputChecker):
    """Numbers may differ by one unit of the last digit shown: BLAS libraries round differently."""

    def check_output(self, want, got, flags):
        if super().check_output(want, got, flags):
            return True
        wanted, found = _NUMBER.findall(want), _NUMBER.findall(got)
        if len(wanted) != len(found) or not super().check_output(_NUMBER.sub("#", want), _NUMBER.sub("#", got), flags):
            return False
        return all(abs(float(a) - float(b)) <= 1.000001 * _unit(a) for a, b in zip(wanted, found))


def _examples():
    """{name of an object: its doctests and those of its members}; an inherited member's run once."""
    seen, found, parser = set(), {}, doctest.DocTestParser()
    for name, entry in objects().items():
        found[name] = []
        for documented in [entry, *members(name)]:
            text = documented.text
            if ">>>" in text and id(documented.thing) not in seen:
                seen.add(id(documented.thing))
                found[name].append(parser.get_doctest(text, {}, documented.name, None, 0))
    return found


_EXAMPLES = _examples()
#: Objects of a chapter share compiled code; those of PyTorch share its import with the pages' examples.
_GROUPS = {"gating_theory.flow": "flow", "gating_theory.interop.torch": "pages"}


def _group(name):
    return next((group for start, group in _GROUPS.items() if name.startswith(start)), f"examples_{objects()[name].chapter}")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(_group(name))) for name, tests in _EXAMPLES.items() if tests]
)
def test_examples_of(name, tmp_path, monkeypatch):
    """The examples of an object's docstring, and of its methods', print what they promise."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    words, began = [], time.process_time()
    runner = doctest.DocTestRunner(Checker(), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in _EXAMPLES[name]:
        runner.run(test, out=words.append)
    plt.close("all")
    assert not runner.failures, "".join(words)
    assert time.process_time() - began < BUDGET


def test_the_checker_tells_numbers_apart():
    """One unit of the last digit passes, two do not, and words count."""
    same = Checker().check_output
    assert same("(1.234, 'a')\n", "(1.235, 'a')\n", 0) and same("1.2e-05\n", "1.3e-05\n", 0)
    assert not same("1.234\n", "1.236\n", 0) and not same("1.2e-05\n", "1.2e-04\n", 0)
    assert not same("3\n", "4\n", 0) and not same("(1.234, 'a')\n", "(1.234, 'b')\n", 0)


def test_examples_suit_all_versions_of_numpy():
    """NumPy 1 prints 1.5, NumPy 2 np.float64(1.5): examples round, or print."""
    wants = {test.name: [e.want for e in test.examples] for tests in _EXAMPLES.values() for test in tests}
    assert not [name for name, texts in wants.items() if re.search(r"np\.\w+\(", "".join(texts))]
