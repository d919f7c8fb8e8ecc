CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text);
CREATE TABLE audit (id int PRIMARY KEY, before users, after users NOT NULL, boxes box[] NOT NULL);
CREATE FUNCTION latest() RETURNS users LANGUAGE sql AS $$ SELECT * FROM users ORDER BY id DESC LIMIT 1 $$;
CREATE FUNCTION split(n int, OUT tens int, OUT ones int) RETURNS record LANGUAGE sql AS $$ SELECT n / 10, n % 10 $$;
