"""The forms of a validation: text, CSV, JSON, files, pictures."""

import csv
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

import gating_theory as gt


def test_forms_of_the_table(small, tmp_path):
    assert json.loads(json.dumps(small.as_dict()))["rows"][0]["case"] == "GRU zero state"
    with open(small.to_csv(tmp_path / "rows.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(small.rows) and float(rows[0]["theory"]) == small.rows[0].theory
    text = small.table()
    assert text.count("agree") >= len(small.rows) and "GRU zero state: 2 networks of 120 units" in text
    assert max(map(len, text.splitlines())) <= 132
    for row in small.rows:
        # edges have a law of their own in place of a tolerance
        edge = row.quantity in ("radius", "abscissa")
        assert (row.tolerance is None) == edge
        assert edge or f"{row.tolerance:.4f}" in text


def test_validations_are_results(small, tmp_path):
    again = gt.load(gt.save(small, tmp_path / "validation.nc"))
    assert again == small and isinstance(again, gt.Validation)
    assert repr(small) == "Validation(24 of 24 comparisons agree ...)" and small.table() in str(small)
    assert again.spectrum("GRU zero state") is None and small.spectrum("GRU zero state").fixed_point.is_zero
    with pytest.raises(ValueError, match="case must be"):
        small.spectrum("GRU")


def test_cells_of_ones_own_are_saved_too(tmp_path):
    """Rows, eigenvalues and boundaries of several cells in one file, which needs none of them to be read."""
    result = gt.validate([gt.Ensemble(gt.Vanilla, gain=0.8), gt.Ensemble(gt.JANET, gain=1.0)], 50, 1, lambdas=[], discs=[])
    assert gt.load(gt.save(result, tmp_path / "both.json")) == result


def test_pictures(small):
    """Every row has its measurement and its theory where they should be; eigenvalues are drawn with the boundary that was kept."""
    figure, ax = plt.subplots()
    assert small.plot(ax) is ax
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels == [text for case in small.cases for text in (case, *(row.quantity for row in small.rows if row.case == case))]
    assert len(ax.containers) == len(small.rows)
    row, bar = small.rows[-1], ax.containers[-1]
    unit = np.hypot(row.spread_sites, row.spread_matrices) / np.sqrt(2)
    assert bar[0].get_xdata() == pytest.approx((row.at_sites - row.theory) / unit)
    ends = bar[2][0].get_segments()[0][:, 0]
    assert np.ptp(ends) == pytest.approx(2 * row.spread_matrices / np.sqrt(2) / unit)
    assert any(
        line.get_xdata() == pytest.approx((row.measured - row.theory) / unit)
        for line in ax.get_lines()
        if len(line.get_xdata()) == 1
    )
    axes = small.plot_spectrum("GRU upper branch")
    drawn = {line.get_label(): line for line in axes.get_lines()}
    assert drawn["eigenvalues"].get_xdata().size == small.clouds["GRU upper branch"].size
    assert drawn["theory"].get_xdata().size == small.curves["GRU upper branch"][0].size
    plt.close("all")
    for draw in (lambda: small.plot(3), lambda: small.plot_spectrum("GRU upper branch", ax="here")):
        with pytest.raises(TypeError, match="ax must be a matplotlib Axes"):
            draw()
