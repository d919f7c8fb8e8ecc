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
CREATE TABLE things (
    id int PRIMARY KEY,
    number numeric,
    single real NOT NULL,
    double double precision,
    word text COLLATE "C" NOT NULL,
    short short_text,
    padded char(4) NOT NULL,
    mood mood NOT NULL,
    day date NOT NULL,
    at timestamptz NOT NULL,
    local timestamp,
    clock time NOT NULL,
    key uuid NOT NULL UNIQUE,
    raw bytea NOT NULL,
    is_new boolean NOT NULL
);
