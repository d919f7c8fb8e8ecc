"""What the parameters and columns of a statement are, beyond types and nullability: dimensions, fields, embeds, stars."""
