"""SQL text, which every stage reads through: tokens, the user's files and the queries in them, annotations, macros, placeholders."""
