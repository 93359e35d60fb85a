-- SPDX-License-Identifier: MIT
-- An SQLite workload: inserts, an index, joins, sums.
CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, price REAL, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :items)
INSERT INTO item SELECT i, i * 7919 % 97, (i * 31 % 1000) / 8.0, 'name' || (i * 104729 % 10007) FROM n;
CREATE INDEX by_name ON item(name);
SELECT kind, count(*), sum(price) FROM item GROUP BY kind ORDER BY 3 DESC LIMIT 5;
SELECT count(*) FROM item a JOIN item b ON a.name = b.name AND a.id < b.id;
UPDATE item SET price = price * 2 WHERE kind BETWEEN 10 AND 40;
SELECT name, max(price) FROM item WHERE name LIKE '%99%' GROUP BY name ORDER BY name LIMIT 10;
