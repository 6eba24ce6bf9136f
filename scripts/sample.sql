-- The sample data of `make run`: a table with a bigint key and a unique e-mail address, and one
-- whose key has two columns.
CREATE TABLE users (
    id bigint PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL,
    balance numeric(12, 2) NOT NULL,
    settings jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
INSERT INTO users
SELECT id, 'user' || id || '@example.com', CASE id WHEN 1 THEN 'Ada Lovelace' ELSE 'User ' || id END, id * 1.25, jsonb_build_object('theme', 'dark', 'page', id % 7),
       timestamptz '2024-01-01 00:00:00+00' + id * interval '1 hour'
FROM generate_series(1, 1000) AS id;

CREATE TABLE orders (
    user_id bigint NOT NULL REFERENCES users,
    line_no integer NOT NULL,
    article text NOT NULL,
    quantity integer NOT NULL,
    PRIMARY KEY (user_id, line_no)
);
INSERT INTO orders
SELECT user_id, line_no, 'article ' || (user_id * line_no) % 50, 1 + line_no % 3
FROM generate_series(1, 1000) AS user_id, generate_series(1, 3) AS line_no;
