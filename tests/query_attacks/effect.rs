//! Effects: what an attacking function does besides returning its argument.

/// One effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Part of the names of all that has it.
    pub name: &'static str,
    /// Statements of PL/pgSQL, where `n` is the argument.
    pub body: &'static str,
}

/// How a function is declared, whatever it does, and the letter in its name.
pub const VOLATILITIES: [(char, &str); 3] = [('v', "VOLATILE"), ('s', "STABLE"), ('i', "IMMUTABLE")];

/// What stands in each forbidden row, and in no other.
pub const MARKER: &str = "770770771";

macro_rules! effects {
    ($($name:ident: $body:expr;)*) => {
        [$(Effect { name: stringify!($name), body: $body }),*]
    };
}

/// Everything that is tried.
pub const EFFECTS: [Effect; 42] = effects! {
    write: "INSERT INTO public.ledger VALUES ('write');";
    write_caught: "BEGIN INSERT INTO public.ledger VALUES ('caught'); EXCEPTION WHEN OTHERS THEN NULL; END;";
    change: "UPDATE public.plain SET note = 'FORGED' WHERE id = n;";
    role: "PERFORM pg_catalog.set_config('role', 'boss', false);";
    role_set: "EXECUTE 'SET ROLE boss';";
    identity: "PERFORM pg_catalog.set_config('session_authorization', 'boss', false);";
    path: "PERFORM pg_catalog.set_config('search_path', 'evil, public', false);";
    path_hides: "PERFORM pg_catalog.set_config('search_path', 'evil, public, pg_catalog', false);";
    timezone: "PERFORM pg_catalog.set_config('TimeZone', 'Asia/Tokyo', false);";
    dates: "PERFORM pg_catalog.set_config('DateStyle', 'SQL, DMY', false);";
    spans: "PERFORM pg_catalog.set_config('IntervalStyle', 'sql_standard', false);";
    floats: "PERFORM pg_catalog.set_config('extra_float_digits', '-15', false);";
    bytes: "PERFORM pg_catalog.set_config('bytea_output', 'escape', false);";
    writable: "PERFORM pg_catalog.set_config('default_transaction_read_only', 'off', false);";
    writable_now: "PERFORM pg_catalog.set_config('transaction_read_only', 'off', false);";
    timeout: "PERFORM pg_catalog.set_config('statement_timeout', '86399999', false);";
    row_security: "PERFORM pg_catalog.set_config('row_security', 'off', false);";
    encoding: "PERFORM pg_catalog.set_config('client_encoding', 'LATIN1', false);";
    tenant: "PERFORM pg_catalog.set_config('app.tenant', 'evil', false);";
    resets: "EXECUTE 'RESET ALL';";
    discards: "EXECUTE 'DISCARD TEMP'; EXECUTE 'DISCARD SEQUENCES'; EXECUTE 'DISCARD PLANS';";
    lock: "PERFORM pg_catalog.pg_advisory_lock(n);";
    lock_shared: "PERFORM pg_catalog.pg_advisory_lock_shared(n, 1);";
    lock_tried: "PERFORM pg_catalog.pg_try_advisory_lock(n);";
    notify: "PERFORM pg_catalog.pg_notify('heard', 'evil');";
    listen: "EXECUTE 'LISTEN heard';";
    unlisten: "EXECUTE 'UNLISTEN *';";
    prepare: "EXECUTE 'PREPARE stolen AS SELECT 1';";
    forge: "PERFORM public.forge();";
    forget: "EXECUTE 'DEALLOCATE ALL';";
    cursor: "EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT 1';";
    temporary: "EXECUTE 'CREATE TEMP TABLE attack (n int)';";
    shadow: "EXECUTE 'CREATE TEMP TABLE plain AS SELECT * FROM evil.plain';";
    sequence: "PERFORM pg_catalog.nextval('public.numbers');";
    sequence_set: "PERFORM pg_catalog.setval('public.numbers', 1000);";
    large_object: "PERFORM pg_catalog.lo_create(0);";
    large_object_filled: "PERFORM pg_catalog.lo_from_bytea(0, 'evil');";
    secret: "SELECT code INTO n FROM public.secrets LIMIT 1;";
    secret_caught: "BEGIN SELECT code INTO n FROM public.secrets LIMIT 1; RAISE EXCEPTION 'undone';
        EXCEPTION WHEN OTHERS THEN NULL; END;";
    secret_raised: "SELECT code INTO n FROM public.secrets LIMIT 1; RAISE EXCEPTION 'it is %', n;";
    raises: "PERFORM pg_catalog.set_config('role', 'boss', false), pg_catalog.pg_advisory_lock(n); RAISE EXCEPTION 'after';";
    sleeps: "PERFORM pg_catalog.set_config('TimeZone', 'Asia/Tokyo', false), pg_catalog.pg_sleep(0.001);";
};

/// The effect called `name`.
pub fn effect(name: &str) -> Effect {
    *EFFECTS.iter().find(|effect| effect.name == name).expect("an effect of that name")
}
