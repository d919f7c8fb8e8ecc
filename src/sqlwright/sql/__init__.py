"""SQL as text, the layer that every stage reads through: tokens, the user's files and their queries, annotations, macros, placeholders."""
