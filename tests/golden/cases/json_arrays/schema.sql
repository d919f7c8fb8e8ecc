CREATE TABLE shelves (id int PRIMARY KEY, many jsonb[] NOT NULL, more json[]);
