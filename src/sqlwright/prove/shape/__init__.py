"""The parameters and columns of a statement beyond types and nullability: dimensions, fields, embeds, stars."""
