CREATE TABLE unchecked (a int, b int NOT NULL);
INSERT INTO unchecked VALUES (NULL, 1);
ALTER TABLE unchecked ADD CONSTRAINT a_known NOT NULL a NOT VALID;
CREATE TABLE virtual_columns (a int NOT NULL, b int, doubled int GENERATED ALWAYS AS (a * 2), added int GENERATED ALWAYS AS (a + b));
INSERT INTO virtual_columns VALUES (1, NULL);
CREATE TABLE periods (id int, during int4range NOT NULL);
INSERT INTO periods VALUES (1, '[1,2)'), (1, '[2,3)');
ALTER TABLE periods ALTER id SET NOT NULL;
