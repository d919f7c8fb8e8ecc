-- name: OtherOrder :many
WITH picked AS (SELECT nick, name, id FROM users) SELECT sqlc.embed(users), 1 AS n FROM picked AS users;

-- name: Fewer :many
WITH picked AS (SELECT id, name FROM users) SELECT sqlc.embed(users), 1 AS n FROM picked AS users;

-- name: TwoArms :many
WITH picked AS (SELECT * FROM users UNION ALL SELECT * FROM users) SELECT sqlc.embed(users), 1 AS n FROM picked AS users;

-- name: Computed :many
WITH picked AS (SELECT id, upper(name) AS name, nick FROM users) SELECT sqlc.embed(users), 1 AS n FROM picked AS users;

-- name: NullExtended :many
WITH picked AS (SELECT u.* FROM generate_series(1, 2) AS n LEFT JOIN users AS u ON u.id = n) SELECT sqlc.embed(users), 1 AS n FROM picked AS users;

-- name: Catalog :many
SELECT sqlc.embed(namespace), 1 AS n FROM pg_catalog.pg_namespace AS namespace;
