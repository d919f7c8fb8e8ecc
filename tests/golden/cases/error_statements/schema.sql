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
CREATE TABLE kept (id bigint PRIMARY KEY, gone boolean NOT NULL DEFAULT false);
CREATE RULE keeping AS ON DELETE TO kept DO INSTEAD UPDATE kept SET gone = true WHERE kept.id = OLD.id RETURNING *;
