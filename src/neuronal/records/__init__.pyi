from .loggers import JSONLines, MLflow, TensorBoard, logger
from .record import LoggerWarning, Record

__all__ = ["JSONLines", "LoggerWarning", "MLflow", "Record", "TensorBoard", "logger"]
