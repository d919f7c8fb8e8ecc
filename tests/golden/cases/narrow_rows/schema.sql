CREATE TABLE tools (id int PRIMARY KEY, name text NOT NULL, retired_at timestamptz);
