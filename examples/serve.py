"""A pipeline fitted to a table of words, numbers and gaps, and served over HTTP.

`python serve.py model.onnx` fits and writes it; then `MODEL=model.onnx uvicorn serve:app` answers
`POST /predict` with a list of rows. Serving takes FastAPI and onnxruntime: no JAX, no scikit-learn.
"""

import os
import sys

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

NUMBERS = ("age", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


class Patient(BaseModel):
    """A row of the table; a number that is missing is null."""

    sex: str
    age: float | None = None
    bmi: float | None = None
    bp: float | None = None
    s1: float | None = None
    s2: float | None = None
    s3: float | None = None
    s4: float | None = None
    s5: float | None = None
    s6: float | None = None


app = FastAPI(title="Progress of diabetes in a year")
if "MODEL" in os.environ:
    session = onnxruntime.InferenceSession(os.environ["MODEL"])


@app.post("/predict")
def predict(patients: list[Patient]) -> list[float]:
    """A number per patient; unknown words count as no word."""
    if not patients:
        raise HTTPException(422, "send one row or more")
    inputs = {
        name: np.array([[np.nan if (v := getattr(p, name)) is None else v] for p in patients], "f4")
        for name in NUMBERS
    }
    inputs["sex"] = np.array([[p.sex] for p in patients], object)
    return session.run(None, inputs)[0][:, 0].tolist()


def table():
    """442 patients; the sex as a word, every tenth body-mass index missing."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    x["sex"] = x["sex"].map({1.0: "one", 2.0: "two"})
    x.loc[::10, "bmi"] = np.nan
    return x, y


def pipeline():
    """Gaps filled and marked, words as columns, then the estimator."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    import neuronal as nr

    columns = make_column_transformer(
        (SimpleImputer(), list(NUMBERS)), (OneHotEncoder(handle_unknown="ignore"), ["sex"])
    )
    return make_pipeline(columns, nr.MeanFieldRegressor(width=64, max_iter=30, random_state=0))


def write(model, path):
    """A fitted pipeline as an ONNX file with an input per column."""
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    from neuronal.interop.skl2onnx import register

    register()
    kinds = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    kinds.append(("sex", StringTensorType([None, 1])))
    with open(path, "wb") as file:
        file.write(skl2onnx.to_onnx(model, initial_types=kinds).SerializeToString())


if __name__ == "__main__":
    write(pipeline().fit(*table()), sys.argv[1])
