-- name: OrdersWithUsers :many
SELECT sqlc.embed(orders), sqlc.embed(buyer), orders.total * 2 AS doubled
FROM orders LEFT JOIN users AS buyer ON buyer.id = orders.user_id
ORDER BY orders.id;

-- name: UserPairs :many
SELECT 1 AS one, sqlc.embed(a), sqlc.embed(b) FROM users a JOIN users b ON a.id < b.id;

-- name: JustOrders :many
SELECT sqlc.embed(orders) FROM orders;

-- name: PerhapsUser :one
SELECT sqlc.embed(users) FROM orders LEFT JOIN users ON users.id = orders.user_id WHERE orders.id = @id;
