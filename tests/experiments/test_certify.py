"""`neuronal certify`: the table, the files, the page, and one message for what it cannot use."""

import json

import pytest
import tomli_w

from neuronal import InvalidInput
from neuronal.experiments import certify as certificates

CONTENT = {
    "name": "tiny",
    "problem": {"kind": "regression", "target": "sine"},
    "loss": {"name": "pseudo_huber"},
    "systems": [
        {"label": "first", "embedding": "bidirectional", "depth": 2},
        {"label": "second <i>", "embedding": "iid", "depth": 3, "activation": "relu"},
    ],
    "limit": {"nodes": 4, "data_nodes": 8, "solver": "euler", "step": 0.1},
    "run": {"until": 1.0, "records": 4},
}


@pytest.mark.slow
def test_a_file_then_its_run_are_certified(call, tmp_path):
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(CONTENT))
    code, out, err = call("certify", file)
    assert (code, err) == (0, "")
    assert out.count("1.1 Regularity") == 2 and "violated" in out and "second <i>" in out
    alone = tmp_path / "runs" / "tiny-certificate"
    assert {p.name for p in alone.iterdir()} == {"certificate.json", "certificate.md"}
    first, second = json.loads((alone / "certificate.json").read_text())
    assert not [row for row in first["rows"] if row["status"] == "violated"]
    broken = {row["condition"] for row in second["rows"] if row["status"] == "violated"}
    assert {"1.1 phi_1-2 bounded", "1.2 diversity"} <= broken
    text = (alone / "certificate.md").read_text()
    assert "# first" in text and "| 1.2 diversity |" in text

    assert call("run", file)[0] == 0
    folder = tmp_path / "runs" / "tiny"
    before = (folder / "certificate.json").read_text()
    assert before == (alone / "certificate.json").read_text()
    page = (folder / "report.html").read_text()
    assert "<h2>Certificates</h2>" in page and "second &lt;i&gt;" in page
    assert page.count('class="certificate"') == 2 and 'class="status violated"' in page
    (folder / "certificate.json").unlink()
    assert call("report", folder)[0] == 0
    assert "<h2>Certificates</h2>" not in (folder / "report.html").read_text()
    assert call("certify", folder)[0] == 0
    assert (folder / "certificate.json").read_text() == before


def test_input_that_cannot_be_used(call, tmp_path):
    code, _, err = call("certify", tmp_path / "absent.toml")
    assert code == 2 and "absent.toml" in err
    (tmp_path / "certificate.json").write_text("[{}]")
    with pytest.raises(InvalidInput, match=r"certificate\.json holds no certificates"):
        certificates.read(tmp_path)
