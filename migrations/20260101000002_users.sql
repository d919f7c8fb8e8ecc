-- migrate:up
CREATE TABLE users (
    -- Random, not uuidv7(): that exists only since PostgreSQL 18, and would disclose when the user registered.
    id uuid CONSTRAINT users_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    first_name varchar(100) NOT NULL,
    last_name varchar(100) NOT NULL,
    email varchar(100) NOT NULL,
    phone varchar(20),
    password varchar(255) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Unique in any case. The service accepts only ASCII addresses, for which lower() is the same in every locale except the Turkic ones.
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

-- Keyset pagination: the sort order of the listing, with the id to distinguish users of the same time.
CREATE INDEX users_created_at_id_idx ON users (created_at, id);

COMMENT ON TABLE users IS 'A registered user.';
COMMENT ON COLUMN users.id IS 'Random identifier; discloses nothing about the user.';
COMMENT ON COLUMN users.first_name IS 'Given name.';
COMMENT ON COLUMN users.last_name IS 'Family name.';
COMMENT ON COLUMN users.email IS 'Address as the user wrote it; unique in any case.';
COMMENT ON COLUMN users.phone IS 'Phone number, if the user provided one.';
COMMENT ON COLUMN users.password IS 'Hash of the password with its algorithm and parameters; never the password.';
COMMENT ON COLUMN users.created_at IS 'When the user registered.';
COMMENT ON COLUMN users.updated_at IS 'When the row was last written; set by every UPDATE in queries/users.sql.';

-- migrate:down
DROP TABLE users;
