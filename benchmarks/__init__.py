"""Speed, as ratios within one run: generated functions against hand-written code and alternatives, and generation against bare sqlc."""
