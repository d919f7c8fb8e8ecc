-- name: CopyItems :copyfrom
INSERT INTO items (name, id, size, mood) VALUES (@name, @id, @size, @mood);

-- name: CopyParts :copyfrom
INSERT INTO parts (id, item_id, moods) VALUES (@id, @item_id, @moods);

-- name: CopyBig :copyfrom
INSERT INTO big (id, mood) VALUES (@id, @mood);

-- name: CopyEveryType :copyfrom
INSERT INTO every_type (a_bool, a_bytea, a_date, a_float8, an_int2, an_int4, an_int8, an_interval, a_json, a_jsonb, a_numeric,
    a_text, a_time, a_timestamp, a_timestamptz, a_timetz, a_uuid, a_varchar, a_bpchar, a_mood,
    some_int8, some_numeric, some_text, some_timestamptz, some_uuid, some_jsonb)
VALUES (@a_bool, @a_bytea, @a_date, @a_float8, @an_int2, @an_int4, @an_int8, @an_interval, @a_json, @a_jsonb, @a_numeric,
    @a_text, @a_time, @a_timestamp, @a_timestamptz, @a_timetz, @a_uuid, @a_varchar, @a_bpchar, @a_mood,
    @some_int8, @some_numeric, @some_text, @some_timestamptz, @some_uuid, @some_jsonb);

-- name: EveryType :many
SELECT * FROM every_type;

-- name: RenameItems :batchexec
UPDATE items SET name = @name WHERE id = @id;

-- name: AddItems :batchexec
INSERT INTO items (id, name) VALUES (@id, @name);

-- name: InsertEach :batchone
INSERT INTO items (id, name) VALUES (@id, @name) RETURNING id;

-- name: FindItems :batchone
SELECT * FROM items WHERE id = @id;

-- name: FindSizes :batchone
SELECT size FROM items WHERE id = @id;

-- name: CountBelow :batchone
SELECT count(*) FROM items WHERE id < @id;

-- name: NamesBelow :batchmany
SELECT name FROM items WHERE id < @id ORDER BY id;

-- name: SleepEach :batchone
SELECT @number::int AS number FROM pg_sleep(@seconds);

-- name: GetItem :one
SELECT * FROM items WHERE id = @id;

-- name: ItemIds :many
SELECT id FROM items ORDER BY id;

-- name: SetSize :execrows
UPDATE items SET size = @size WHERE id < @id;

-- name: DeleteAll :execrows
DELETE FROM items;

-- name: Touch :execresult
UPDATE items SET size = 0 WHERE id < @id RETURNING id;

-- name: CreateItem :exec
INSERT INTO items (id, name, size) VALUES (@id, @name, @size);

-- @stream 10
-- name: StreamItems :many
SELECT * FROM items WHERE id >= @first ORDER BY id;

-- @stream
-- name: StreamNumbers :many
SELECT generate_series(1::int8, @last::int8) AS n;

-- @stream 1
-- name: StreamSingly :many
SELECT generate_series(1::int8, @last::int8) AS n;

-- @stream
-- name: StreamSleep :many
SELECT pg_sleep(@seconds)::text AS slept;

-- @stream 2
-- name: StreamQuotients :many
SELECT 12 / (3 - generate_series(1, 5)) AS quotient;

-- name: LockItems :exec
LOCK TABLE items IN SHARE MODE;

-- name: Announce :exec
NOTIFY items, 'changed';

-- name: RefreshNames :exec
REFRESH MATERIALIZED VIEW item_names;

-- name: NamesSeen :many
SELECT name FROM item_names;

-- name: AddItem :exec
CALL add_item(@item_id, @item_name);

-- name: EmptyItems :exec
TRUNCATE items CASCADE;
