-- name: Odd :many
SELECT * FROM "Odd Schema"."Select" WHERE "Group By" = @wanted;

-- name: AddOdd :exec
INSERT INTO "Odd Schema"."Select" ("from", "Group By", "user") VALUES ($1, $2, $3);

-- name: Smallest :many
SELECT DISTINCT ON (kind) kind, id, note FROM stock ORDER BY kind, amount;

-- name: Given :many
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v (id, name);

-- name: Upsert :one
INSERT INTO stock (id, kind, amount) VALUES (@id, @kind, @amount)
ON CONFLICT (id) DO UPDATE SET amount = stock.amount + excluded.amount RETURNING amount, note;

-- name: Lock :one
SELECT id, amount FROM stock WHERE id = @id FOR UPDATE SKIP LOCKED;

-- name: Merge :exec
MERGE INTO stock USING (SELECT @id::int AS id, @amount::int AS amount) AS new ON stock.id = new.id
WHEN MATCHED THEN UPDATE SET amount = new.amount
WHEN NOT MATCHED THEN INSERT (id, kind, amount) VALUES (new.id, 'new', new.amount);

-- name: OfKind :many
SELECT * FROM stock_of(@kind);

-- name: Twice :one
SELECT twice(@n) AS n;

-- name: Clear :exec
CALL clear_stock(@kind);
