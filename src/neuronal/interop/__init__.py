"""Doors to other libraries; imported on demand."""
