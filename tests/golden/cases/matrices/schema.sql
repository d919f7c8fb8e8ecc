CREATE DOMAIN grid AS int[][];
CREATE TABLE games (id int PRIMARY KEY, cells int[][] NOT NULL, labels text[] NOT NULL, g grid);
