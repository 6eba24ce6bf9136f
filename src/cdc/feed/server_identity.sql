-- Which server answers, and since when. What a role may not call is left out of the comparison.
SELECT pg_catalog.pg_is_in_recovery(),
       @system@,
       CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN @timeline@ END,
       EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time())
