-- name: ListUsers :many
SELECT * FROM users;

-- name: ListAuditUsers :many
SELECT * FROM audit.users WHERE level = @level::audit.level;
