"""The JSON Schema of experiment files: it takes whatever the door takes, and refuses what it can."""

import json
import tomllib

import jsonschema
import pytest
import test_config
import test_fuzz
import test_motion
from hypothesis import HealthCheck, given, settings
from test_docs import PAGES, blocks

import neuronal as nr
from neuronal.experiments import config
from neuronal.experiments.examples import examples
from neuronal.experiments.schema import DIALECT, schema

SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_schema_of_its_draft():
    assert SCHEMA["$schema"] == DIALECT == VALIDATOR.META_SCHEMA["$id"]
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert "null" not in json.dumps(SCHEMA)


@pytest.mark.parametrize("name", examples())
def test_examples_are_valid_and_so_are_their_files_with_all_defaults(name):
    VALIDATOR.validate(tomllib.loads(examples()[name].read_text(encoding="utf-8")))
    VALIDATOR.validate(tomllib.loads(config.load(examples()[name]).to_toml()))


def test_the_experiments_of_the_documentation_are_valid():
    found = [block for page in PAGES for block in blocks(page, "toml")]
    assert found
    for block in found:
        VALIDATOR.validate(tomllib.loads(block))


def test_every_field_has_words_and_the_default_that_it_is_given():
    tables = {"Experiment": SCHEMA} | SCHEMA["$defs"]
    for name, table in tables.items():
        for field, told in table["properties"].items():
            assert "description" in told or "$ref" in told, (name, field)
            if "$ref" in told and "description" not in told:
                assert SCHEMA["$defs"][told["$ref"].rsplit("/", 1)[1]]["description"]
    for name, table in (("LimitSection", "limit"), ("CouplingSection", "coupling")):
        given = getattr(config.parse(test_config.BASE), table).model_dump()
        told = {
            field: of.get("default") for field, of in SCHEMA["$defs"][name]["properties"].items()
        }
        assert told == given


def cases(test):
    (mark,) = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    return mark.args[1]


REFUSED = [
    changes for changes, _ in cases(test_config.test_a_mistake_gets_one_line_that_names_the_field)
]
REFUSED += [
    changes
    for changes, _ in cases(test_config.test_seeds_and_steps_that_cannot_be_counted_are_refused)
]
BEYOND = {
    "low < high": {"problem__inputs": {"low": 2.0}},
    "a list of as many as another number says": {"systems__0__gain": [1.0, 1.0]},
    "likewise, of one per layer": {"systems__0__embedding": "iid", "systems__0__std": [1.0]},
    "until and the rate": {"networks__learning_rate": 2.0},
    "JSON has no NaN": {"run__until": float("nan")},
    "a quotient": {"networks__learning_rate": 1e-12},
}
"""What relates two numbers, or is none of JSON's."""


def test_what_a_schema_can_refuse_is_refused():
    valid = [c for c in REFUSED if VALIDATOR.is_valid(test_config.changed(**c))]
    assert list(map(repr, valid)) == [repr(c) for c in BEYOND.values()]
    assert VALIDATOR.is_valid(test_config.BASE)


MOTIONS = [
    ({"penalty": 0.1}, {}, False),
    ({"temperature": [0.1, 0.0, 0.0]}, {"solver": "euler"}, False),
    ({"temperature": [0.1, 0.0, 0.0]}, {"solver": "euler", "step": 0.1}, True),
    ({"temperature": 0.1}, {"solver": "euler", "step": 0.1}, False),  # at L = 3
    ({"temperature": 0.0, "penalty": 0}, {}, True),
    ({"penalty": 0.1}, {"enabled": False}, True),
    ({"momentum": 0.5}, {"solver": "rkc"}, False),
    ({"momentum": 0.5}, {"kernel": "factored"}, False),
    ({"momentum": 0.5}, {"solver": "rkc", "enabled": False}, True),
    ({"momentum": 0.5, "decay": [0.1, 0.1, 0.0]}, {}, True),
    ({"decay": -0.1}, {}, False),
]


@pytest.mark.parametrize(("motion", "limit", "taken"), MOTIONS)
def test_tables_that_do_not_go_together(motion, limit, taken):
    content = test_motion.with_motion(motion, limit)
    if taken:
        config.parse(content)
    else:
        with pytest.raises(nr.InvalidInput):
            config.parse(content)
    assert VALIDATOR.is_valid(content) == taken


def test_it_refuses_nothing_that_the_door_takes():
    """Of files changed in one to three places, as the fuzz makes them."""
    found = {"taken": 0, "refused by both": 0, "refused by the door": 0}

    @settings(max_examples=200, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(test_fuzz.experiment_files())
    def one(file):
        try:
            content = tomllib.loads(file.decode())
        except ValueError:
            return
        errors = list(VALIDATOR.iter_errors(content))
        try:
            config.parse(content)
        except nr.InvalidInput:
            found["refused by both" if errors else "refused by the door"] += 1
        else:
            found["taken"] += 1
            assert not errors, errors[0]

    one()
    assert found["taken"] > 10
    assert found["refused by both"] > 8 * found["refused by the door"]


def test_editors_read_it_from_the_command_line(call, tmp_path):
    code, out, _ = call("schema")
    assert code == 0 and json.loads(out) == SCHEMA
    assert call("schema", "-o", tmp_path / "neuronal.schema.json")[0] == 0
    assert json.loads((tmp_path / "neuronal.schema.json").read_text(encoding="utf-8")) == SCHEMA
