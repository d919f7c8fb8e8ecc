-- name: In :one
SELECT * FROM "class" WHERE "from" = @conn;

-- name: Class :many
SELECT "from", uuid AS "class", other FROM "class" WHERE uuid = @uuid AND date = @date AND other = @cur;

-- name: list :many
SELECT "list" FROM "class" WHERE str = @row AND "2fa" = @self;

-- name: str :exec
UPDATE "class" SET "a$b" = @lambda WHERE "from" = $1;

-- name: Def :execrows
DELETE FROM "class" WHERE "from" = @from_;
