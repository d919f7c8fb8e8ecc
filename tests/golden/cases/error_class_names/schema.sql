CREATE TYPE person AS (name text);
CREATE TABLE people (id int PRIMARY KEY, who person);
