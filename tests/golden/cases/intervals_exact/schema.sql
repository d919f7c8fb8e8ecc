CREATE TABLE stays (id int PRIMARY KEY, span interval NOT NULL, spans interval[]);
