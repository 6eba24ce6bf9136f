-- The shop: products of sellers, with reviews.
DROP TABLE IF EXISTS reviews, products, sellers;
CREATE TABLE sellers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE products (
    id int PRIMARY KEY, seller_id int NOT NULL REFERENCES sellers, name text NOT NULL, price numeric(10, 2) NOT NULL, version int NOT NULL DEFAULT 0
);
CREATE TABLE reviews (id int PRIMARY KEY, product_id int NOT NULL REFERENCES products, stars int NOT NULL, words text NOT NULL);
CREATE INDEX ON reviews (product_id);
INSERT INTO sellers SELECT n, 'Seller ' || n FROM generate_series(1, 50) n;
INSERT INTO products SELECT n, n % 50 + 1, 'Product ' || n, n % 90 + 9.99 FROM generate_series(1, 1000) n;
INSERT INTO reviews SELECT n, n % 1000 + 1, n % 5 + 1, 'Review ' || n FROM generate_series(1, 10000) n;
