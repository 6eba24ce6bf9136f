-- The role that pgcache connects as. Either the least: it may read what the cache is to serve, and nothing else.
-- docs/operations.md, "Roles and grants", shows how it gets a password, and the server a file with that.
CREATE ROLE pgcache LOGIN NOINHERIT CONNECTION LIMIT 16;
GRANT USAGE ON SCHEMA public TO pgcache;
GRANT SELECT ON users, orders TO pgcache;
-- Before PostgreSQL 15 everybody may make functions there, which calls of others then find.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- Change notices are then installed by a DBA, who runs what this prints (the GRANTs that `invalidation outbox`
-- needs are part of it) and DROP SCHEMA pgcache CASCADE to be rid of all of it:
--   redis-cli --raw PGCACHE.WATCH SQL users | psql -h db1 -U postgres shop
-- In mode `notify` that is to read pgcache.secret, which proves the notices.

-- Where queries are to be tracked and PUBLIC does not have it: PostgreSQL shows what a query calls by a temporary function.
GRANT TEMPORARY ON DATABASE shop TO pgcache;

-- Or a role that may run PGCACHE.WATCH ADD and DEL by itself: it makes the schema pgcache and belongs to the tables' owner.
CREATE ROLE pgcache_owner LOGIN CONNECTION LIMIT 16 IN ROLE shop;
GRANT CREATE ON DATABASE shop TO pgcache_owner;
-- Without a superuser changed definitions are found by looking once a second. For notices of those as well, and
-- for triggers on partitions that come later, a superuser runs the last part of what WATCH SQL prints, once.

-- With `invalidation wal`, a role that reads the write-ahead log (pg_replication_user): REPLICATION reads everything, so it
-- is another one, owns nothing and may read no table. It gets a password of its own.
CREATE ROLE pgcache_log LOGIN REPLICATION CONNECTION LIMIT 4;

-- The module asks for these itself; here they also hold for whoever else uses the role.
ALTER ROLE pgcache SET default_transaction_read_only = on;
ALTER ROLE pgcache SET lock_timeout = '500ms';
ALTER ROLE pgcache SET idle_in_transaction_session_timeout = '5s';
