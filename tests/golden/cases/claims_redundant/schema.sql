CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, nick text, mood mood NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, total numeric NOT NULL);
CREATE TABLE notes (note text);
