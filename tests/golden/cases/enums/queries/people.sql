-- name: GetPerson :one
SELECT * FROM people WHERE id = $1;

-- name: PeopleFeeling :many
SELECT id FROM people WHERE current = $1;

-- name: PeopleFeelingOneOf :many
SELECT id FROM people WHERE current = ANY(@moods::mood[]);

-- name: SetMoods :exec
UPDATE people SET current = @current, previous = @previous, past = @past, planned = @planned WHERE id = @id;

-- name: CurrentMoods :many
SELECT current FROM people;

-- name: PastMoods :many
SELECT past FROM people;
