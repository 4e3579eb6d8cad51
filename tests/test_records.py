"""Records reach whoever asks for them, and none of these can lose a run."""

import json
import warnings

import numpy as np
import pytest
import tomli_w
from browser import is_sound
from pages import outside, read

import neuronal as nr
from neuronal.experiments import load, parse
from neuronal.records import JSONLines, LoggerWarning, Record, logger
from neuronal.records.record import told
from neuronal.report import anew
from neuronal.runs import renewal
from neuronal.runs.whole import run_whole

X = np.linspace(-1, 1, 8)[:, None]
LAW = nr.distributions.Empirical(X, np.sin(3 * X))
PROBLEM = nr.Problem(LAW, nr.losses.Squared(), decay=0.1)
EMBEDDING = nr.embeddings.Bidirectional(1, 3, rank=2, gain=1.0)
CONTENT = {
    "name": "small",
    "problem": {"kind": "regression", "target": "sine"},
    "systems": [{"label": "L = 3", "embedding": "bidirectional", "depth": 3, "rank": 2}],
    "limit": {"nodes": 8, "data_nodes": 8},
    "networks": {"widths": [4], "learning_rate": 0.1},
    "run": {"until": 2.0, "records": 5, "checkpoints": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["solve", "train"])
def test_a_run_tells_its_records(driver):
    """Times, risks and objectives are those of the trajectory; several functions hear the same."""
    one, other = [], []
    if driver == "solve":
        run = nr.solve(
            PROBLEM, EMBEDDING, 0.4, nodes=8, save_at=2, on_record=[one.append, other.append]
        )
    else:
        network = EMBEDDING.sample(4, 0)
        run = nr.train(PROBLEM, network, 0.1, 0.4, 0, save_at=2, on_record=one.append)
        other = one
    assert one == other and [record.number for record in one] == [0, 1, 2]
    np.testing.assert_array_equal([record.time for record in one], run.times)
    np.testing.assert_array_equal([record.risk for record in one], run.loss)
    np.testing.assert_array_equal([record.objective for record in one], run.objective)
    assert all(record.objective > record.risk for record in one)
    assert len({record.label for record in one}) == 1


def test_a_function_that_fails_is_told_once_and_the_run_goes_on():
    heard = []

    def failing(record):
        raise OSError("the disk is full")

    with pytest.warns(
        LoggerWarning, match=r"failing raised OSError at t = 0 \(the disk is full\)"
    ) as seen:
        run = nr.solve(
            PROBLEM, EMBEDDING, 0.4, nodes=8, save_at=2, on_record=[failing, heard.append]
        )
    assert len([w for w in seen if w.category is LoggerWarning]) == 1
    assert len(heard) == len(run.times) == 3


def test_an_interruption_in_a_function_ends_the_run():
    def stop(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        told(stop)(Record("a", 0, 0.0, 1.0, 1.0))


def test_lines_of_json_are_written_at_once_and_added_to(tmp_path):
    file = tmp_path / "deeper" / "log.jsonl"
    lines = lambda: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    with JSONLines(file) as log:
        log(Record("λ", 3, 0.5, 0.25, 0.25, {"test_risk": np.inf}))
        expected = {"label": "λ", "number": 3, "time": 0.5, "risk": 0.25, "objective": 0.25}
        assert lines() == [expected | {"test_risk": None}]
    with JSONLines(file) as log:
        log(Record("λ", 4, 1.0, 0.2, 0.2))
    assert [line["number"] for line in lines()] == [3, 4]


@pytest.mark.parametrize("words", ["csv:a", "jsonl", "jsonl:", "", "tensorboard:"])
def test_other_loggers_are_refused(words):
    with pytest.raises(nr.InvalidInput, match="log: takes jsonl:FILE, tensorboard:DIR, mlflow:URI"):
        logger(words)


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch, tmp_path):
    import sys

    for module in ("tensorboardX", "torch.utils.tensorboard", "mlflow.tracking", "mlflow"):
        monkeypatch.setitem(sys.modules, module, None)
    for words, extra in ((f"tensorboard:{tmp_path}", "tensorboard"), ("mlflow:", "mlflow")):
        with pytest.raises(nr.InvalidInput, match=rf"pip install 'neuronal\[{extra}\]'"):
            logger(words)


RECORDS = [Record("deep, limit", k, 0.5 * k, 1.0 / (k + 1), 2.0 / (k + 1)) for k in range(3)]


def test_tensorboard_reads_what_is_written(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    with logger(f"tensorboard:{tmp_path}") as log:
        for record in RECORDS:
            log(record)
    (file,) = tmp_path.iterdir()
    content, found = file.read_bytes(), {}
    while content:  # length (8 bytes), its checksum (4), the event, its checksum (4)
        size = int.from_bytes(content[:8], "little")
        event, content = Event.FromString(content[12 : 12 + size]), content[16 + size :]
        for value in event.summary.value:
            found[value.tag, event.step] = value.simple_value
    for record in RECORDS:
        for name in ("risk", "objective", "time"):
            value = found[f"deep__limit/{name}", record.number]
            assert value == pytest.approx(getattr(record, name))


def test_mlflow_reads_what_is_written(tmp_path):
    tracking = pytest.importorskip("mlflow.tracking")
    uri = f"sqlite:///{tmp_path / 'store.db'}"
    with logger(f"mlflow:{uri}") as log:
        for record in RECORDS:
            log(record)
    client = tracking.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("neuronal").experiment_id
    (run,) = client.search_runs([experiment])
    assert run.info.run_name == "deep, limit" and run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "risk")
    assert [(m.step, m.value) for m in history] == [(r.number, r.risk) for r in RECORDS]


@pytest.fixture
def renewed(monkeypatch):
    """Pages of a run at every record: what is kept of each is its text."""
    monkeypatch.setattr(renewal, "EVERY", 0.0)
    monkeypatch.setattr(renewal, "SHARE", np.inf)


class Stop(BaseException):
    pass


@pytest.mark.slow
def test_a_run_is_logged_and_its_page_renewed_interrupted_and_gone_on_with(tmp_path, renewed):
    """The page is that of the run as far as it is; resumed, records go on where they were."""
    folder, pages, heard = tmp_path / "a", [], []
    experiment = parse(CONTENT)

    def tell(record):
        heard.append(record)
        if record.label == "L = 3, width 4, seed 0" and record.number == 2:
            pages.append((folder / "report.html").read_text(encoding="utf-8"))
        if record.label == "L = 3, width 4, seed 0" and record.number == 3:
            raise Stop

    with pytest.raises(Stop):
        run_whole(experiment, folder, tell=tell)
    running = read(pages[0])
    assert '<meta http-equiv="refresh"' in pages[0] and "Running: L = 3, width 4" in running.words
    assert len(running.captions) == 1 and not outside(running)
    text = (folder / "report.html").read_text(encoding="utf-8")
    ended = read(text)
    assert "refresh" not in text and "--resume" in ended.words
    assert "Interrupted in L = 3, width 4, seed 0, at t = 1.2 of 2." in ended.words
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in ended.rows if len(row) == 4}
    assert rows["L = 3, limit"][:2] == ["finished", "2 of 2"]
    assert rows["L = 3, width 4, seed 0"][:2] == ["begun", "1.2 of 2"]
    anew.write(folder)  # from the checkpoints alone it is the same
    again = read((folder / "report.html").read_text(encoding="utf-8"))
    assert [row[0].text for row in again.rows] == [row[0].text for row in ended.rows]
    assert "Interrupted in L = 3, width 4, seed 0, at t = 0.8 of 2." in again.words
    after = []
    data, path = run_whole(experiment, folder, resume=True, tell=after.append)
    assert "unfinished" not in path.read_text(encoding="utf-8")
    networks = [r for r in heard + after if r.label == "L = 3, width 4, seed 0"]
    risks = {record.number: record.risk for record in networks}
    np.testing.assert_array_equal([risks[k] for k in range(6)], data.risk[0, 0, 0])
    assert [record.number for record in after] == list(range(3, 6))


@pytest.mark.slow
def test_a_run_that_diverges_has_a_page_that_says_where(tmp_path):
    content = CONTENT | {
        "systems": [{"label": "wide", "embedding": "bidirectional", "depth": 3, "rank": 2,
                     "activation": "identity", "input_scale": 20.0}],
        "limit": {"enabled": False},
        "networks": {"widths": [4], "learning_rate": 0.5},
        "run": {"until": 50.0, "records": 50, "checkpoints": 5},
    }  # fmt: skip
    folder = tmp_path / "a"
    with pytest.raises(nr.DivergenceError) as error:
        run_whole(parse(content), folder)
    shown = read((folder / "report.html").read_text(encoding="utf-8"))
    assert f"Diverged. {error.value}." in shown.words
    status = [row[1].text for row in shown.rows if row[0].text == "wide, width 4, seed 0"]
    assert status[0].startswith("diverged at t = ")
    anew.write(folder)
    is_sound(folder / "report.html")
    again = read((folder / "report.html").read_text(encoding="utf-8"))
    assert f"diverged at t = {error.value.time:g}" in again.words


@pytest.mark.slow
def test_a_refused_run_leaves_the_page_as_it_is(tmp_path):
    folder = tmp_path / "a"
    content = CONTENT | {"networks": {}, "run": CONTENT["run"] | {"until": 1.0}}
    run_whole(parse(content), folder)
    before = (folder / "report.html").read_bytes()
    with pytest.raises(nr.InvalidInput, match="finished run"):
        run_whole(parse(content), folder)
    assert (folder / "report.html").read_bytes() == before


@pytest.mark.slow
def test_the_command_writes_lines_of_json(call, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(tomli_w.dumps(CONTENT))
    code, _, err = call("run", file, "--out", "a", "--log", "jsonl:log.jsonl", "--quiet")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines] == ["L = 3, limit"] * 6 + [
        "L = 3, width 4, seed 0"
    ] * 6
    code, _, err = call("run", file, "--out", "b", "--log", "csv:a")
    assert code == 2 and "log: takes" in err and not (tmp_path / "b").exists()
    assert load(tmp_path / "a" / "config.toml").name == "small"


@pytest.mark.slow
def test_records_of_an_experiment_from_python(tmp_path):
    heard = []
    experiment = nr.Experiment(PROBLEM, {"deep": EMBEDDING}, 0.4, nodes=8, records=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nr.InaccuracyWarning)
        data = experiment.run(tmp_path / "a", on_record=heard.append)
    assert [record.label for record in heard] == ["deep, limit"] * 3
    np.testing.assert_array_equal([record.risk for record in heard], data.limit_risk[0])
    np.testing.assert_array_equal([record.objective for record in heard], data.limit_objective[0])
