-- What only our functions and the servers know: the keys that hide notices and prove them. A materialized view,
-- because REFRESH writes rows that every snapshot sees: a transaction that began before must be able to tell as well.
-- A dump holds no values of it, and REFRESH MATERIALIZED VIEW pgcache.secret makes new ones.
DO $pgcache$
DECLARE
    reader pg_catalog.text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'secret' AND relnamespace = pg_catalog.to_regnamespace('pgcache'))
    THEN
        CREATE MATERIALIZED VIEW pgcache.secret AS
            SELECT pg_catalog.sha256(pg_catalog.uuid_send(a) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(b)) AS cipher,
                   pg_catalog.sha256(pg_catalog.uuid_send(c) OPERATOR(pg_catalog.||) pg_catalog.uuid_send(d)) AS mac
              FROM (SELECT pg_catalog.gen_random_uuid() AS a, pg_catalog.gen_random_uuid() AS b,
                           pg_catalog.gen_random_uuid() AS c, pg_catalog.gen_random_uuid() AS d OFFSET 0) random
              WITH NO DATA;
        -- Default privileges may have opened it.
        FOR reader IN
            SELECT coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC')
              FROM pg_catalog.pg_class c
             CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
              LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
             WHERE c.relname = 'secret' AND c.relnamespace = pg_catalog.to_regnamespace('pgcache') AND a.grantee <> c.relowner
        LOOP
            EXECUTE pg_catalog.format('REVOKE ALL ON pgcache.secret FROM %s CASCADE', reader);
        END LOOP;
        REFRESH MATERIALIZED VIEW pgcache.secret;
    END IF;
END
$pgcache$;
GRANT USAGE ON SCHEMA pgcache TO @role@;
GRANT SELECT ON pgcache.secret TO @role@;

-- Hides a notice from whoever listens, and proves that it is ours and this session's: its bytes and those of a stream made
-- of the key and a number used once, and a digest over all of it with the session's process, which PostgreSQL tells
-- with a notification. SHA-384 cannot be continued by who does not know all of its state, so that one digest will do.
-- Volatile in truth; as a stable one it takes no snapshots.
CREATE OR REPLACE FUNCTION pgcache.seal(notice pg_catalog.text) RETURNS pg_catalog.text
    LANGUAGE plpgsql STABLE@pins@
AS $pgcache$
DECLARE
    plain CONSTANT pg_catalog.bytea := pg_catalog.convert_to(notice, 'UTF8');
    size CONSTANT pg_catalog.int4 := pg_catalog.octet_length(plain);
    nonce CONSTANT pg_catalog.bytea := pg_catalog.uuid_send(pg_catalog.gen_random_uuid());
    cipher pg_catalog.bytea;
    mac pg_catalog.bytea;
    pad pg_catalog.bytea;
    hidden pg_catalog.bytea;
BEGIN
    SELECT INTO STRICT cipher, mac s.cipher, s.mac FROM pgcache.secret s;
    cipher := cipher OPERATOR(pg_catalog.||) nonce;
    IF size OPERATOR(pg_catalog.<=) 64 THEN
        pad := pg_catalog.sha512(cipher OPERATOR(pg_catalog.||) pg_catalog.int4send(0));
    ELSIF size OPERATOR(pg_catalog.<=) 128 THEN
        pad := pg_catalog.sha512(cipher OPERATOR(pg_catalog.||) pg_catalog.int4send(0))
               OPERATOR(pg_catalog.||) pg_catalog.sha512(cipher OPERATOR(pg_catalog.||) pg_catalog.int4send(1));
    ELSE
        pad := (SELECT pg_catalog.string_agg(pg_catalog.sha512(cipher OPERATOR(pg_catalog.||) pg_catalog.int4send(n)), '' ORDER BY n)
                  FROM pg_catalog.generate_series(0, size OPERATOR(pg_catalog./) 64) n);
    END IF;
    hidden := pg_catalog.varbit_send(
        pg_catalog.concat('x', pg_catalog.encode(plain, 'hex'))::pg_catalog.varbit OPERATOR(pg_catalog.#)
        pg_catalog.concat('x', pg_catalog.encode(pg_catalog.substr(pad, 1, size), 'hex'))::pg_catalog.varbit);
    RETURN pg_catalog.concat('pgcache:2:', pg_catalog.encode(nonce OPERATOR(pg_catalog.||)
        pg_catalog.sha384(mac OPERATOR(pg_catalog.||) pg_catalog.int4send(pg_catalog.pg_backend_pid())
                          OPERATOR(pg_catalog.||) nonce OPERATOR(pg_catalog.||) hidden)
        OPERATOR(pg_catalog.||) hidden, 'base64'));
END
$pgcache$;
