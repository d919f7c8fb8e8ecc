CREATE TYPE mood AS ENUM ('sad', 'very happy', 'so-so', '');
COMMENT ON TYPE mood IS 'How somebody feels.';
CREATE TYPE unused AS ENUM ('x');
CREATE TABLE people (
    id int PRIMARY KEY,
    current mood NOT NULL,
    previous mood,
    past mood[] NOT NULL,
    planned mood[]
);
