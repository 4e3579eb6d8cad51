"""What a run tells at each record, and who takes it: lines of JSON, TensorBoard, MLflow, or a function.

`solve`, `train` and `Experiment.run` take functions of a `Record` as `on_record`; `neuronal run --log` takes
their names.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
