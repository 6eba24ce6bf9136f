           -- Whether publication pgcache has the whole replica identity of table c: its UPDATE fails otherwise.
           SELECT CASE WHEN c.relreplident <> 'f' THEN
                           coalesce(pg_catalog.bool_and(a.attgenerated = '' AND (list.columns IS NULL
                               OR list.columns OPERATOR(pg_catalog.@>) pg_catalog.to_jsonb(a.attnum))), false)
                       WHEN list.columns IS NOT NULL THEN false
                       ELSE pg_catalog.current_setting('server_version_num')::int4 < 180000
                            OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute g WHERE g.attrelid = c.oid AND g.attgenerated <> '')
                  END AS is_told
             FROM (SELECT (SELECT pg_catalog.jsonb_extract_path(pg_catalog.to_jsonb(r), 'prattrs')
                             FROM pg_catalog.pg_publication_rel r
                             JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid AND p.pubname = 'pgcache'
                            WHERE r.prrelid = c.oid
                              AND pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(r), 'prattrs') IS NOT NULL)
                          AS columns) AS list
             LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                       AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
            GROUP BY list.columns