"""From a proven package to the source files of a Python package."""
