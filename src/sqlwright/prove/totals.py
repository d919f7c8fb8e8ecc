"""Which of PostgreSQL's own functions return NULL when."""

TOTAL: frozenset[str] = frozenset({"int4pl(integer, integer)", "int4eq(integer, integer)", "texteq(text, text)", "lower(text)"})
ALWAYS: frozenset[str] = frozenset()
FIRST_ARGUMENT: frozenset[str] = frozenset()
ANY_ARGUMENT: frozenset[str] = frozenset()
NEVER_NULL_AGGREGATES = frozenset({"count", "regr_count"})
NON_EMPTY_AGGREGATES = frozenset({"array_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg"})
VALUE_AGGREGATES = frozenset({"max", "min", "sum", "avg", "string_agg", "bool_and", "bool_or", "every"})
ORDERED_SET_AGGREGATES = frozenset({"percentile_cont", "percentile_disc", "mode"})
