-- The role that pgcache connects as: it may read what the cache is to serve, and nothing else.
CREATE ROLE pgcache LOGIN CONNECTION LIMIT 16;
GRANT USAGE ON SCHEMA public TO pgcache;
GRANT SELECT ON users, orders TO pgcache;

-- The module asks for these itself; here they also hold for whoever else uses the role.
ALTER ROLE pgcache SET default_transaction_read_only = on;
ALTER ROLE pgcache SET lock_timeout = '500ms';
ALTER ROLE pgcache SET idle_in_transaction_session_timeout = '5s';
