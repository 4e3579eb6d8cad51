"""Compiled programs are kept from one process to the next, within what their owner allows."""

import json
import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from filelock import FileLock

from neuronal import programs

FIT = """
import json, jax, numpy as np
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
import neuronal as nr
value = np.asarray(nr.embeddings.IID(2, 3).sample(8, 0)(np.ones((3, 2)))).tolist()
print(json.dumps({
    "dir": jax.config.jax_compilation_cache_dir,
    "size": jax.config.jax_compilation_cache_max_size,
    "found": hits.count("/jax/compilation_cache/cache_hits"),
    "value": value,
}))
"""


def fit(**variables):
    """What a fresh process says, with the caches that the variables name."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "NEURONAL_"))}
    done = subprocess.run(
        [sys.executable, "-c", FIT], capture_output=True, text=True, env=environment | variables
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.mark.slow
def test_a_second_process_finds_what_the_first_compiled(tmp_path):
    first, _ = fit(NEURONAL_CACHE=str(tmp_path))
    (place,) = tmp_path.iterdir()
    assert first["dir"] == str(place) and first["size"] == programs.MOST_BYTES
    # Which ones are kept depends on how fast they compile here.
    kept = len(list(place.glob("*-cache")))
    second, _ = fit(NEURONAL_CACHE=str(tmp_path))
    assert first["found"] == 0 and second["found"] == kept > 0
    assert second["value"] == first["value"]


@pytest.mark.slow
def test_a_torn_program_is_compiled_again_without_a_word(tmp_path):
    first, _ = fit(NEURONAL_CACHE=str(tmp_path))
    (place,) = tmp_path.iterdir()
    for i, program in enumerate(sorted(place.glob("*-cache"))):
        if i % 2:  # killed while the program was written, or the time after it
            program.write_bytes(program.read_bytes()[:100])
            program.with_name(program.name.removesuffix("-cache") + "-atime").unlink()
        else:
            program.with_name(program.name.removesuffix("-cache") + "-atime").write_bytes(b"")
    again, errors = fit(NEURONAL_CACHE=str(tmp_path))
    assert errors == "" and again["value"] == first["value"] and again["found"] == 0
    third, _ = fit(NEURONAL_CACHE=str(tmp_path))
    assert third["found"] > 0


@pytest.mark.slow
def test_the_owner_may_refuse_or_have_a_cache_of_their_own(tmp_path):
    assert fit(NEURONAL_CACHE="off", XDG_CACHE_HOME=str(tmp_path))[0]["dir"] is None
    own, _ = fit(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"), NEURONAL_CACHE=str(tmp_path))
    assert own["dir"] == str(tmp_path / "own") and own["size"] == -1
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "own"])


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    found, errors = fit(NEURONAL_CACHE=str(tmp_path / "file"))
    assert found["dir"] is None and errors == ""


@pytest.mark.parametrize("word", ["off", "OFF", "0", "no", "false"])
def test_words_that_refuse(monkeypatch, word):
    monkeypatch.setenv(programs.VARIABLE, word)
    assert programs.folder() is None


def test_the_default_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(programs.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = programs.folder()
    assert place is not None and "neuronal" in str(place)


def test_a_folder_that_another_process_holds_is_not_waited_for_long(tmp_path):
    with FileLock(tmp_path / ".lockfile"):
        assert not programs._is_ready(tmp_path)
    assert programs._is_ready(tmp_path)


def _cube(x, count):
    return jnp.sin(x) ** 3 + count


def test_a_light_program_computes_the_same_anywhere():
    """Alone, within another, differentiated, over a batch; a whole number in it is a constant."""
    x = np.linspace(-1, 1, 7)
    light = programs.lightly()(_cube)
    np.testing.assert_allclose(light(x, 2), _cube(x, 2), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda x: light(x, 2))(x), _cube(x, 2), rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(lambda v: light(v, 1))(x), _cube(x, 1), rtol=1e-6)
    slope = jax.grad(lambda v: light(v, 0))(0.3)
    np.testing.assert_allclose(slope, 3 * np.sin(0.3) ** 2 * np.cos(0.3), rtol=1e-6)


def test_the_options_of_a_program_are_chosen_by_its_arguments(monkeypatch):
    taken = []
    jit = eqx.filter_jit

    def spied(function, **options):
        compiled = jit(function, **options)

        def called(*arguments):
            taken.append(options.get("compiler_options"))
            return compiled(*arguments)

        called.lower = compiled.lower
        return called

    monkeypatch.setattr(programs.eqx, "filter_jit", spied)
    chosen = programs.lightly(lambda x, count: count > 1)(_cube)
    chosen(0.5, 2)
    chosen(0.5, 1)
    jax.jit(lambda x: chosen(x, 2))(0.5)
    assert taken == [programs.LIGHT, programs.FULL, None]


def test_an_xla_without_the_options_compiles_as_ever(monkeypatch):
    monkeypatch.setattr(programs, "LIGHT", {"xla_of_another_year": True})
    programs._knows_options.cache_clear()
    try:
        assert float(programs.lightly()(_cube)(0.0, 3)) == 3
    finally:
        programs._knows_options.cache_clear()
