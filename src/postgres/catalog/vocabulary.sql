-- A number that changes with what SQL may use beside relations, and with what their names mean: routines, operators, casts, types,
-- text search, schemas, and what roles may besides what is granted: memberships, superusers, and who is exempt from row security. What PostgreSQL brings along is not looked at, except where it may be configured.
-- Whoever alters a catalog's row gives it a new xmin; so does a grant. Temporary objects are their session's alone, and the row types
-- of tables are a part of those.
WITH schemas AS MATERIALIZED (
    SELECT oid, xmin FROM pg_catalog.pg_namespace WHERE nspname::text !~ '^pg_(toast_)?temp_'::text AND nspname <> 'pgcache'
)
SELECT pg_catalog.hashtextextended(pg_catalog.concat_ws('/',
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM schemas),
    (SELECT pg_catalog.sum(p.xmin::text::int8 + p.oid::int8)
       FROM pg_catalog.pg_proc p JOIN schemas ON schemas.oid = p.pronamespace WHERE p.oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.sum(o.xmin::text::int8 + o.oid::int8)
       FROM pg_catalog.pg_operator o JOIN schemas ON schemas.oid = o.oprnamespace WHERE o.oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_cast WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.sum(t.xmin::text::int8 + t.oid::int8)
       FROM pg_catalog.pg_type t JOIN schemas ON schemas.oid = t.typnamespace
      WHERE t.oid >= 16384::pg_catalog.oid AND t.typtype <> 'c' AND t.typelem = 0::pg_catalog.oid),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_enum),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_constraint WHERE conrelid = 0::pg_catalog.oid AND contypid <> 0::pg_catalog.oid),
    (SELECT pg_catalog.sum(a.xmin::text::int8 + a.attrelid::int8 + a.attnum)
       FROM pg_catalog.pg_class c JOIN schemas ON schemas.oid = c.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
      WHERE c.relkind = 'c'),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_opclass WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_amop WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_amproc WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_collation WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_ts_config),
    (SELECT pg_catalog.sum(xmin::text::int8 + mapdict::int8 * (maptokentype + mapseqno)) FROM pg_catalog.pg_ts_config_map),
    (SELECT pg_catalog.sum(xmin::text::int8 + oid::int8) FROM pg_catalog.pg_ts_dict),
    (SELECT pg_catalog.sum(xmin::text::int8 + roleid::int8 * 3 + member::int8) FROM pg_catalog.pg_auth_members),
    (SELECT pg_catalog.sum(oid::int8 * (1 + rolsuper::int4 * 2 + rolbypassrls::int4 * 4 + rolinherit::int4 * 8)) FROM pg_catalog.pg_roles
      WHERE rolsuper OR rolbypassrls OR NOT rolinherit),
    (SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())), 0)
