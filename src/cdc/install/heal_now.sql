DO $pgcache$
DECLARE
    harmed pg_catalog.record;
BEGIN
@heal@END
$pgcache$;
