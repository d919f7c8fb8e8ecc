CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN email AS text;
CREATE TABLE users (id int PRIMARY KEY, mail email NOT NULL, mood mood, tags text[] NOT NULL, settings jsonb);
