CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, nick text);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users);
CREATE PROCEDURE clean_up(days int) LANGUAGE sql AS 'DELETE FROM users WHERE id = days';
