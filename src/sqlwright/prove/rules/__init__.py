"""The rules. Importing this package registers them all."""

from sqlwright.prove.rules import aggregates, columns, conditions, functions, subqueries, values

__all__ = ["aggregates", "columns", "conditions", "functions", "subqueries", "values"]
