"""The module of a package that traces its calls."""
