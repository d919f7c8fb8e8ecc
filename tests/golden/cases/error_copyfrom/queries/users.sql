-- name: Expression :copyfrom
INSERT INTO users (id, name) VALUES (@id, lower(@name));

-- name: Cast :copyfrom
INSERT INTO users (id, name) VALUES (@id::int, @name);

-- name: Conflict :copyfrom
INSERT INTO users (id, name) VALUES (@id, @name) ON CONFLICT DO NOTHING;

-- name: Returning :copyfrom
INSERT INTO users (id, name) VALUES (@id, @name) RETURNING id;

-- name: Columnless :copyfrom
INSERT INTO users VALUES (@id, @name);

-- name: DefaultValue :copyfrom
INSERT INTO users (id, name, nick) VALUES (@id, @name, DEFAULT);

-- name: Rows :copyfrom
INSERT INTO users (id, name) VALUES (@id, @name), (@other_id, @other_name);

-- name: Selected :copyfrom
INSERT INTO users (id, name) SELECT id, @name FROM orders;

-- name: Alias :copyfrom
INSERT INTO users AS u (id, name) VALUES (@id, @name);

-- name: Update :copyfrom
UPDATE users SET name = @name;

-- name: BatchNothing :batchexec
DELETE FROM users;

-- name: BatchOne :batchone
UPDATE users SET name = @name WHERE id = @id;
