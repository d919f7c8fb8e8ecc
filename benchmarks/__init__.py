"""Speed, as ratios in one run: generated functions beside hand-written code and rivals, and generation beside bare sqlc."""
