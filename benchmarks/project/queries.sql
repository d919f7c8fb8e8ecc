-- name: GetPerson :one
SELECT * FROM people WHERE id = @id;

-- name: ListPeople :many
SELECT * FROM people ORDER BY id LIMIT @rows;

-- name: TouchPerson :execrows
UPDATE people SET seen = now() WHERE id = @id;
