SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, t.relname) AS name
              FROM pg_catalog.pg_publication p
              JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
              JOIN pg_catalog.pg_class t ON t.oid = r.prrelid
              JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
             CROSS JOIN LATERAL (SELECT t.oid UNION SELECT m.relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree(t.oid) m) AS member(oid)
              JOIN pg_catalog.pg_class c ON c.oid = member.oid AND c.relkind = 'r'
             CROSS JOIN LATERAL (@identity@) AS identity
             WHERE p.pubname = 'pgcache' AND NOT identity.is_told