-- name: GetUser :one
SELECT * FROM users WHERE id = @id;

-- name: AddUser :exec
INSERT INTO users (id, home, homes, mails, size, stay) VALUES (@id, @home, @homes, @mails, @size, @stay);

-- name: Homes :many
SELECT home FROM users;
