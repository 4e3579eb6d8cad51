"""The service of examples/serve.py, started on the loopback interface."""

import os
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def service(tmp_path):
    """The example's parts, its fitted pipeline, and a client of the running service."""
    parts = runpy.run_path(str(EXAMPLES / "serve.py"))
    model = parts["pipeline"]().set_params(meanfieldregressor__learning_rate=0.2)
    model.fit(*parts["table"]())
    parts["write"](model, tmp_path / "model.onnx")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "serve:app"]
    environment = os.environ | {"MODEL": str(tmp_path / "model.onnx")}
    running = subprocess.Popen(command, cwd=EXAMPLES, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            for _ in range(300):
                try:
                    client.get("/docs")
                    break
                except httpx.ConnectError:
                    assert running.poll() is None
                    time.sleep(0.1)
            yield parts, model, client
    finally:
        running.terminate()
        running.wait(30)


@pytest.mark.slow
def test_the_service_predicts_what_the_pipeline_predicts(service):
    parts, model, client = service
    x, y = parts["table"]()
    assert model.score(x, y) > 0.3 and x.isna().any(axis=None)
    rows = x.astype(object).where(x.notna(), None).to_dict("records")
    answer = client.post("/predict", json=rows)
    assert answer.status_code == 200
    expected = model.predict(x.astype(dict.fromkeys(parts["NUMBERS"], np.float32)))
    np.testing.assert_allclose(answer.json(), expected, rtol=1e-5)
    assert client.post("/predict", json=[{"age": "old"}]).status_code == 422
    assert client.post("/predict", json=[]).status_code == 422
