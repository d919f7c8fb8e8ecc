-- name: CreateUser :one
INSERT INTO users (id, name, nick, mood, moods, size, tags, short, data)
VALUES (@id, @name, @nick, @mood, @moods, @size, @tags, @short, @data)
RETURNING *;

-- name: GetUser :one
SELECT * FROM users WHERE id = @id;

-- name: UserName :one
SELECT name FROM users WHERE id = @id;

-- name: CountUsers :one
SELECT count(*) FROM users;

-- name: CreateOrder :exec
INSERT INTO orders (id, user_id, total) VALUES (@id, @user_id, @total);

-- name: OrdersWithUsers :many
SELECT sqlc.embed(orders), sqlc.embed(buyer)
FROM orders LEFT JOIN users AS buyer ON buyer.id = orders.user_id
ORDER BY orders.id;

-- name: FilterUsers :many
SELECT id FROM users
WHERE (sqlc.narg('size')::smallint IS NULL OR size > sqlc.narg('size'))
  AND (sqlc.narg('nick')::text IS NULL OR nick = sqlc.narg('nick'))
ORDER BY id;

-- name: UsersTagged :many
SELECT id FROM users WHERE tags && @tags ORDER BY id;

-- name: UsersInMood :many
SELECT id, moods FROM users WHERE mood = ANY(@wanted::mood[]) ORDER BY id;

-- name: DeleteUsers :execrows
DELETE FROM users WHERE id = ANY(@ids::int[]);

-- name: Percent :one
SELECT '100 % of $1 and %s' AS text, @value::int AS value;

-- name: In :one
SELECT name AS "class" FROM users WHERE id = @conn;

-- name: Touch :execresult
UPDATE users SET size = size + 1 RETURNING id, size;

-- name: NicksByMood :many
SELECT mood, array_agg(nick ORDER BY id) AS nicks, string_agg(nick, ',') AS joined FROM users GROUP BY mood ORDER BY mood;

-- name: LargestOrder :one
SELECT max(total) FROM orders;

-- name: EchoEach :batchmany
SELECT @number::bigint AS number, @word::text AS word;

-- name: RenameEach :batchexec
UPDATE users SET name = @name WHERE id = @id;
