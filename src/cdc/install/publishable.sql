SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.oid = ANY ('{@published@}') AS is_published,
           CASE WHEN c.relpersistence <> 'p' THEN 'unlogged'
                WHEN c.relkind = 'p' THEN NULL
                WHEN c.relreplident = 'f' AND pg_catalog.current_setting('server_version_num')::int4 >= 180000 AND EXISTS (
                     SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = c.oid AND g.attgenerated <> '') THEN 'generated'
                WHEN c.relreplident = 'f' THEN NULL
                WHEN identity.columns IS NULL THEN 'identity'
                WHEN identity.is_generated THEN 'generated' END AS objection,
           -- Whole rows before PostgreSQL 15, and where only they name a row. Partitioned tables have no list.
           CASE WHEN c.relkind = 'r' AND c.relreplident <> 'f' AND pg_catalog.current_setting('server_version_num')::int4 >= 150000
                THEN pg_catalog.format(' (%s)', identity.columns) END AS list,
           identity.attnums
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (
           SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns,
                  pg_catalog.jsonb_agg(a.attnum ORDER BY a.attnum) AS attnums, pg_catalog.bool_or(a.attgenerated <> '') AS is_generated
             FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
            WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
              AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END) AS identity
     WHERE c.oid = ANY ('{@tables@}')
     ORDER BY c.oid