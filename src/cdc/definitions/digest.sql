-- A text that changes with whatever the vocabulary and the fingerprint of a relation are made of. There is none where reading the
-- catalogs as a whole would take longer than looking at the relations that are known, $1 of them. It means something to
-- the session alone that asks: the order of rows counts.
SELECT CASE WHEN pg_catalog.pg_relation_size('pg_catalog.pg_attribute'::pg_catalog.regclass) <= $1::int8 * 250000 THEN pg_catalog.concat_ws('/',
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_class
      WHERE oid >= 16384::pg_catalog.oid AND relkind NOT IN ('i', 'I', 't')),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_attribute
      WHERE attrelid >= 16384::pg_catalog.oid AND attnum > 0),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_index WHERE indrelid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_constraint),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_inherits),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_statistic_ext),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_policy),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_rewrite),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_subscription_rel),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_publication),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_publication_rel),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_foreign_table),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_foreign_server),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_trigger),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_namespace),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_proc WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_operator WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_cast WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_type WHERE oid >= 16384::pg_catalog.oid AND (typelem = 0::pg_catalog.oid AND typtype <> 'c' OR typtype = 'd')),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_enum),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_opclass WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_amop WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_amproc WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_collation WHERE oid >= 16384::pg_catalog.oid),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_ts_config),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_ts_config_map),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_ts_dict),
    (SELECT pg_catalog.hash_array_extended(pg_catalog.array_agg(xmin), 0) FROM pg_catalog.pg_auth_members),
    (SELECT pg_catalog.string_agg(pg_catalog.concat(oid, rolsuper, rolbypassrls, rolinherit), ',') FROM pg_catalog.pg_roles
      WHERE rolsuper OR rolbypassrls OR NOT rolinherit),
    (SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) END
