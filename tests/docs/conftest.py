"""Pages run as by users; each of the files beside is one worker's."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.testing.compare import compare_images
from test_docs import alike, blocks
from test_notebooks import OPTIONS

SERVER = Path(__file__).resolve().parents[1] / "page_server.py"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The blocks of a page, run in a process of its own."""
    folder = tmp_path_factory.mktemp("pages")
    environment = os.environ | {"XLA_FLAGS": OPTIONS, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (folder / "words").open("w") as words:
        server = subprocess.Popen(
            [sys.executable, SERVER], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, text=True,
        )  # fmt: skip
        told, asked = server.stdout, server.stdin
        assert told and asked

        def call(page):
            print(json.dumps([str(page), str(folder / "blocks")]), file=asked, flush=True)
            code = told.readline().strip()
            assert code == "0", (
                f"{page} ended with {code}: {(folder / 'words').read_text()[-3000:]}"
            )
            return pickle.loads((folder / "blocks").read_bytes())

        yield call
        server.communicate()


@pytest.fixture
def shows(ran, tmp_path):
    """That the code of a page prints and draws what the page shows."""

    def check(page):
        if any("import torch" in block for block in blocks(page, "python")):
            pytest.importorskip("torch")
        for _, shown, printed, pictures in ran(page):
            if shown is not None:
                assert alike(shown, printed), f"{shown}is now\n{printed}"
            for name, content in pictures.items():
                (tmp_path / "drawn.png").write_bytes(content)
                expected = tmp_path / "expected.png"
                shutil.copy(page.parent / name, expected)
                assert compare_images(str(expected), str(tmp_path / "drawn.png"), tol=4) is None

    return check
