-- name: GetPerson :one
SELECT id, name, email, phone, born, seen, balance, active FROM people WHERE id = @id;

-- name: ListPeople :many
SELECT id, name, email, phone, born, seen, balance, active FROM people ORDER BY id LIMIT @rows;

-- name: AddPerson :one
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (@name, @email, @phone, @born, @seen, @balance, @active)
RETURNING id, name, email, phone, born, seen, balance, active;

-- name: AddUnseen :exec
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (@name, @email, @phone, @born, @seen, @balance, @active);

-- name: AddPeople :batchexec
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (@name, @email, @phone, @born, @seen, @balance, @active);

-- name: CopyPeople :copyfrom
INSERT INTO added (name, email, phone, born, seen, balance, active)
VALUES (@name, @email, @phone, @born, @seen, @balance, @active);

-- name: FindPeople :batchone
SELECT id, name, email, phone, born, seen, balance, active FROM people WHERE id = @id;

-- name: SetBalance :execrows
UPDATE people SET balance = @balance WHERE id = @id;

-- @stream
-- name: StreamPeople :many
SELECT id, name, email, phone, born, seen, balance, active FROM many_people(@rows);

-- name: FindSales :many
-- @optional customer, status, since, until
-- @order newest
SELECT id, customer, status, placed_at, total
FROM sales
WHERE customer = @customer AND status = @status AND placed_at >= @since AND placed_at < @until
ORDER BY placed_at DESC, id DESC
LIMIT @max_rows;
