CREATE TYPE state AS ENUM ('new', 'paid');
CREATE TABLE users (id int PRIMARY KEY, last_name text NOT NULL, nick text, settings jsonb, tags text[] NOT NULL, version int NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, state state NOT NULL, placed_at timestamptz NOT NULL, shipped_at timestamptz, total numeric NOT NULL);
