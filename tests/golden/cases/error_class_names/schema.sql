CREATE TABLE person (id int PRIMARY KEY);
CREATE TABLE people (id int PRIMARY KEY);
