CREATE TABLE news (id int PRIMARY KEY, title text NOT NULL);
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);
