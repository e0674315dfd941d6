"""``gating-theory derive``: statements, cells, failing proofs."""

import json


def test_derive(command, tmp_path):
    code, out, err = command("derive", "--list")
    assert code == 0 and "vanilla.jacobian" in out or "vanilla" in out
    name = out.split()[0]
    code, out, err = command("derive", name)
    assert code == 0 and out.startswith("# Derivations") and "Proved" in out
    code, out, err = command("derive", name, "--json", "--out", tmp_path / "d.json")
    assert (code, out) == (0, "")
    assert json.loads((tmp_path / "d.json").read_text())["results"][0]["proved"] is True


def test_derive_pages(command, tmp_path, monkeypatch):
    from gating_theory import derivations

    two = derivations.derive_all(["vanilla.edge", "gru.transfer_matrix"])
    monkeypatch.setattr(derivations, "derive_all", lambda names: two)
    assert command("derive", "--pages", tmp_path / "proofs") == (0, "", "")
    assert {path.name for path in (tmp_path / "proofs").iterdir()} == {"index.md", "vanilla.md", "gru.md"}
    assert "(proof-vanilla-edge)=" in (tmp_path / "proofs" / "vanilla.md").read_text()
    for other in (["gru.edge"], ["--list"], ["--json"], ["--out", tmp_path / "d.md"], ["--cell", "GRU"]):
        code, _, err = command("derive", *other, "--pages", tmp_path)
        assert code == 2 and "--pages writes all proofs" in err


def test_derive_cell(command):
    code, out, err = command("derive", "--cell", "GRU")
    assert code == 0
    assert r"\begin{aligned}" in out and "U_{z}" in out and "F_y" in out


def test_failing_proofs_are_an_exit_code(command, monkeypatch):
    from gating_theory import derivations

    real = derivations.derive_all

    def broken(names):
        from dataclasses import replace

        return [replace(r, failures={"claim": "1"}) for r in real(names)]

    monkeypatch.setattr(derivations, "derive_all", broken)
    code, out, err = command("derive", derivations.names()[0])
    assert code == 1 and "proof failed" in err
