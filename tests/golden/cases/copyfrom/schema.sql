CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE users (
    id bigint PRIMARY KEY,
    name text NOT NULL UNIQUE,
    nick varchar(20),
    mood mood NOT NULL DEFAULT 'sad'
);
CREATE UNIQUE INDEX users_nick ON users (lower(nick));
CREATE TABLE orders (
    id int PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    total numeric NOT NULL CHECK (total > 0),
    moods mood[] NOT NULL DEFAULT '{}'
);
CREATE TABLE seats (
    id int PRIMARY KEY,
    row_number smallint
);
