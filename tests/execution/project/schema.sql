CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN short_text AS text CHECK (length(VALUE) < 10);
CREATE TABLE users (
    id int PRIMARY KEY,
    name text NOT NULL,
    nick text,
    mood mood NOT NULL,
    moods mood[] NOT NULL DEFAULT '{}',
    size smallint NOT NULL DEFAULT 0,
    tags text[] NOT NULL DEFAULT '{}',
    short short_text,
    data jsonb
);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, total numeric NOT NULL);
